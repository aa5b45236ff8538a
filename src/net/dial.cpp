// Connecting, to the first of several addresses that answers (RFC 8305).
//
// All attempts are the caller's own: descriptors that nobody else has, waited for under one ticket. So there is no coroutine to be started
// and cancelled for each, and who is cancelled closes them on its way out.
#include <weft/net.hpp>

#include "base/stack_facts.hpp"
#include "io/descriptor.hpp"
#include "io/transfer.hpp"
#include "net/address.hpp"
#include "net/resolver.hpp"
#include "net/socket.hpp"
#include "sched/simulation.hpp"
#include "sched/wait.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace weft::detail {
namespace {

constexpr std::int64_t full_pause_least = 1'000'000;
constexpr std::int64_t full_pause_most = 50'000'000;

// Descriptors of attempts; those that are still here at the end are closed.
class attempts {
public:
    attempts() = default;
    ~attempts() {
        for (io_descriptor* const d : all_) close(*d);
    }
    attempts(const attempts&) = delete;
    attempts& operator=(const attempts&) = delete;

    void add(io_descriptor& d) { all_.push_back(&d); }
    void reserve(std::size_t n) { all_.reserve(n); }
    [[nodiscard]] bool empty() const noexcept { return all_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
    [[nodiscard]] io_descriptor* const* data() const noexcept { return all_.data(); }
    [[nodiscard]] io_descriptor& operator[](std::size_t i) const noexcept { return *all_[i]; }
    io_descriptor* take(std::size_t i) noexcept {
        io_descriptor* const d = all_[i];
        all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(i));
        return d;
    }
    static void close(io_descriptor& d) noexcept {
        static_cast<void>(close_io_descriptor(d));
        drop_io_descriptor(d);
    }

private:
    std::vector<io_descriptor*> all_;
};

bool is_own(int fd) noexcept {
    socket_address here;
    socket_address there;
    return local_address(fd, here) == 0 && peer_address(fd, there) == 0 &&
           net_access::endpoint_of(here) == net_access::endpoint_of(there);
}

// Begins to connect. 0: connected; -EINPROGRESS: it goes on; else the error, and there is no descriptor.
int begin_attempt(const net::endpoint& to, const net::dial_options& options,
                  const socket_address* from, io_descriptor*& out) {
    const int family = net_access::family_of(to);
    number_hold fd(open_socket(family, SOCK_STREAM));
    if (fd.get() < 0) return fd.get();
    if (family != AF_UNIX) {
        if (const int error = set_tcp_options(fd.get(), options.keep_alive); error != 0)
            return error;
    }
    if (from != nullptr) {
        if (const int error = bind_socket(fd.get(), *from); error != 0) return error;
    }
    const int error = connect_socket(fd.get(), net_access::address_of(to));
    if (error != 0 && error != -EINPROGRESS) return error;
    out = take_io_descriptor(fd.get(), family == AF_UNIX ? 0 : io_descriptor::is_flow);
    if (out == nullptr) return -ENOMEM;
    fd.release();
    return error;
}

// What an attempt has come to. -EINPROGRESS: nothing yet.
int result_of(const io_descriptor& d) noexcept {
    const int there = poll_one(d.fd, poll_out);
    if (there <= 0) return there == 0 ? -EINPROGRESS : there;
    if (const int error = connect_result(d.fd); error != 0) return error;
    // A port of this machine's own that nobody listens on may be the one that this end got.
    return is_own(d.fd) ? -ECONNREFUSED : 0;
}

void pause_until(std::int64_t when) {
    waiting wait(cancellation::honoured, wait_kind::io_connect, nullptr);
    const wake_reason why = wait.finish(when);
    if (why != wake_reason::timeout && why != wake_reason::signalled) throw_wait_ended(why);
}

// The connected one; null: `error`.
io_descriptor* connect_path(const net::endpoint& to, const net::dial_options& options,
                            std::int64_t deadline, int& error) {
    std::int64_t pause = full_pause_least;
    for (;;) {
        io_descriptor* d = nullptr;
        error = begin_attempt(to, options, nullptr, d);
        if (error == 0) return d;
        if (error != -EAGAIN) return nullptr;
        // As many wait there as may: no readiness tells when it is fewer.
        const std::int64_t now = now_ns();
        if (now >= deadline) {
            error = -ETIMEDOUT;
            return nullptr;
        }
        pause_until(std::min(deadline, now + pause));
        pause = std::min(2 * pause, full_pause_most);
    }
}

io_descriptor* connect_any(const std::vector<net::endpoint>& to, const net::dial_options& options,
                           const socket_address* from, std::int64_t deadline, int& error) {
    attempts under_way;
    under_way.reserve(to.size());
    std::size_t begun = 0;
    int first_error = 0;
    std::int64_t next_at = 0;  // When the next one begins, although others are under way.
    const auto failed = [&](int how) {
        if (first_error == 0) first_error = how;
        next_at = 0;
    };
    for (;;) {
        if (begun != to.size() && (under_way.empty() || now_ns() >= next_at)) {
            io_descriptor* d = nullptr;
            const int how = begin_attempt(to[begun++], options, from, d);
            if (how == 0 && !is_own(d->fd)) return d;
            if (how == -EINPROGRESS) {
                under_way.add(*d);
                next_at = now_ns() + std::max<std::int64_t>(options.fallback_delay.count(), 0);
            } else {
                if (d != nullptr) attempts::close(*d);
                failed(how == 0 ? -ECONNREFUSED : how);
            }
            continue;
        }
        if (under_way.empty()) {
            error = first_error;
            return nullptr;
        }
        const std::int64_t until = begun != to.size() ? std::min(deadline, next_at) : deadline;
        const int which = wait_for_any(under_way.data(), under_way.size(), until);
        if (which < -1) {
            error = which + 1;
            return nullptr;
        }
        if (which < 0) {
            if (now_ns() < deadline) continue;
            error = -ETIMEDOUT;
            return nullptr;
        }
        const auto i = static_cast<std::size_t>(which);
        const int how = result_of(under_way[i]);
        if (how == -EINPROGRESS) continue;
        io_descriptor* const d = under_way.take(i);
        if (how == 0) {
            give_back_readiness(*d, io_side_of::write);
            return d;
        }
        attempts::close(*d);
        failed(how);
    }
}

io_descriptor* dial_at(std::string_view address, const net::dial_options& options,
                       std::error_code& ec) {
    enter_io();
    const std::int64_t deadline = deadline_in(options.timeout);
    parsed_address parsed;
    socket_address from;
    parsed_address local;
    const bool binds = !options.local.empty();
    if (!parse_address(address, parsed) ||
        (binds &&
         (!parse_address(options.local, local) || local.is_unix || parsed.is_unix ||
          !numeric_address(local.host.empty() ? "0.0.0.0" : local.host, local.port, from)))) {
        ec = std::make_error_code(std::errc::invalid_argument);
        return nullptr;
    }
    int error = 0;
    io_descriptor* d = nullptr;
    if (parsed.is_unix) {
        socket_address a;
        if (!unix_address(parsed.host, a)) {
            ec = error_of(-ENAMETOOLONG);
            return nullptr;
        }
        d = connect_path(net_access::endpoint_of(a), options, deadline, error);
    } else {
        std::vector<net::endpoint> to =
            resolve_name(parsed.host.empty() ? "localhost" : parsed.host, deadline, ec);
        if (ec) return nullptr;
        if (binds) {
            const int family = net_access::family_of(net_access::endpoint_of(from));
            std::erase_if(
                to, [&](const net::endpoint& e) { return net_access::family_of(e) != family; });
            if (to.empty()) error = -EAFNOSUPPORT;
        }
        for (net::endpoint& e : to) e = net_access::with_port(e, parsed.port);
        if (error == 0) d = connect_any(to, options, binds ? &from : nullptr, deadline, error);
    }
    if (d == nullptr) {
        ec = error_of(error);
        return nullptr;
    }
    ec.clear();
    return d;
}

}  // namespace
}  // namespace weft::detail

namespace weft::net {

conn dial(std::string_view address, const dial_options& options, std::error_code& ec) {
    return detail::net_access::make_conn(detail::dial_at(address, options, ec));
}
conn dial(std::string_view address, std::error_code& ec) {
    return dial(address, dial_options(), ec);
}
conn dial(std::string_view address, const dial_options& options) {
    std::error_code ec;
    conn c = dial(address, options, ec);
    if (ec) detail::throw_error(ec, "weft: net::dial");
    return c;
}

}  // namespace weft::net
