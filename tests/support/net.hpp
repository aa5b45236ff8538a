// Connections for tests.
#pragma once

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace weft::test {

struct conn_pair {
    net::conn a;
    net::conn b;
};

/// Two ends of a TCP connection over the loopback.
inline conn_pair tcp_pair() {
    net::listener l = net::listen("127.0.0.1:0");
    conn_pair p;
    p.a = net::dial(l.local().to_string());
    p.b = l.accept();
    return p;
}

/// Two ends of a unix socket.
inline conn_pair unix_pair() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    conn_pair p;
    p.a = net::conn::adopt(fds[0]);
    p.b = net::conn::adopt(fds[1]);
    return p;
}

inline std::vector<conn_pair> both_kinds() {
    std::vector<conn_pair> all;
    all.push_back(tcp_pair());
    all.push_back(unix_pair());
    return all;
}

/// What f(ec) leaves in ec.
template <class F>
std::error_code error_of(F&& f) {
    std::error_code ec = std::make_error_code(std::errc::not_supported);
    f(ec);
    return ec;
}

/// All there is until the end, or as many bytes as that.
inline std::string read_text(net::conn& c, std::size_t most = SIZE_MAX) {
    std::string text;
    char part[1000];
    while (text.size() < most) {
        const std::size_t n = c.read(std::span(part, std::min(sizeof(part), most - text.size())));
        if (n == 0) break;
        text.append(part, n);
    }
    return text;
}

/// Echoes what comes until the end or an error.
inline void echo(net::conn c) {
    char part[4096];
    std::error_code ec;
    while (const std::size_t n = c.read(part, ec)) {
        c.write_all(std::string_view(part, n), ec);
        if (ec) return;
    }
}

inline net::time_point in(std::chrono::nanoseconds d) { return clock::now() + d; }

}  // namespace weft::test
