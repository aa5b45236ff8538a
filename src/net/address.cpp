#include "net/address.hpp"

#include "io/transfer.hpp"
#include "os/clock.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace weft::detail {
namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

sa_family_t family_in(const std::byte* bytes, std::size_t size) noexcept {
    sockaddr plain{};
    if (size < sizeof(plain.sa_family)) return AF_UNSPEC;
    std::memcpy(&plain, bytes, std::min(size, sizeof(plain)));
    return plain.sa_family;
}

template <class T>
T read_as(const socket_address& a) noexcept {
    T value{};
    std::memcpy(&value, a.bytes, std::min<std::size_t>(a.size, sizeof(value)));
    return value;
}
template <class T>
void write_as(socket_address& a, const T& value) noexcept {
    std::memcpy(a.bytes, &value, sizeof(value));
    a.size = sizeof(value);
}

bool parse_port(std::string_view text, std::uint16_t& out) noexcept {
    if (text.empty() || text.size() > 5) return false;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > 65'535) return false;
    out = static_cast<std::uint16_t>(value);
    return true;
}

}  // namespace

net::endpoint net_access::endpoint_of(const socket_address& a) noexcept {
    static_assert(net::endpoint::capacity == socket_address::capacity);
    net::endpoint e;
    std::memcpy(e.bytes_, a.bytes, a.size);
    e.size_ = a.size;
    return e;
}

socket_address net_access::address_of(const net::endpoint& e) noexcept {
    socket_address a;
    std::memcpy(a.bytes, e.bytes_, e.size_);
    a.size = e.size_;
    return a;
}

int net_access::family_of(const net::endpoint& e) noexcept { return family_in(e.bytes_, e.size_); }

net::endpoint net_access::with_port(const net::endpoint& e, std::uint16_t port) noexcept {
    socket_address a = address_of(e);
    if (family_of(e) == AF_INET) {
        auto in = read_as<sockaddr_in>(a);
        in.sin_port = htons(port);
        write_as(a, in);
    } else if (family_of(e) == AF_INET6) {
        auto in = read_as<sockaddr_in6>(a);
        in.sin6_port = htons(port);
        write_as(a, in);
    }
    return endpoint_of(a);
}

bool parse_address(std::string_view text, parsed_address& out) {
    out = {};
    if (text.find('\0') != text.npos) return false;
    if (text.starts_with("unix:")) {
        out.is_unix = true;
        out.host = text.substr(5);
        return !out.host.empty();
    }
    const std::size_t colon = text.rfind(':');
    if (colon == text.npos || !parse_port(text.substr(colon + 1), out.port)) return false;
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[')) {
        if (!host.ends_with(']') || host.size() < 4) return false;
        host = host.substr(1, host.size() - 2);
        socket_address numeric;
        if (host.find(':') == host.npos || !numeric_address(host, 0, numeric)) return false;
    } else if (host.find(':') != host.npos) {
        return false;  // An address of colons wants brackets.
    }
    if (host.find_first_of(" \t\r\n/[]") != host.npos) return false;
    out.host = host;
    return true;
}

bool numeric_address(std::string_view host, std::uint16_t port, socket_address& out) {
    std::string text(host.substr(0, std::min(host.size(), host.find('%'))));
    sockaddr_in v4{};
    if (host.size() == text.size() && ::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        write_as(out, v4);
        return true;
    }
    sockaddr_in6 v6{};
    if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) != 1) return false;
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    if (host.size() != text.size()) {
        const std::string zone(host.substr(text.size() + 1));
        v6.sin6_scope_id = ::if_nametoindex(zone.c_str());
        if (v6.sin6_scope_id == 0) {
            const auto [end, error] =
                std::from_chars(zone.data(), zone.data() + zone.size(), v6.sin6_scope_id);
            if (error != std::errc() || end != zone.data() + zone.size()) return false;
        }
    }
    write_as(out, v6);
    return true;
}

// A path that begins with '@' is abstract: a name that is in no file system.
bool unix_address(std::string_view path, socket_address& out) noexcept {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) return false;
    std::memcpy(address.sun_path, path.data(), path.size());
    const bool is_abstract = path.starts_with('@');
    if (is_abstract) address.sun_path[0] = '\0';
    std::memcpy(out.bytes, &address, sizeof(address));
    out.size = static_cast<std::uint32_t>(path_offset + path.size() + (is_abstract ? 0 : 1));
    return true;
}

[[gnu::noinline]] void throw_error(const std::error_code& ec, const char* what) {
    throw std::system_error(ec, what);
}

std::int64_t deadline_in(std::chrono::nanoseconds d) noexcept {
    if (d.count() <= 0) return never;
    const std::int64_t now = now_ns();
    return d.count() < never - now ? now + d.count() : never;
}

}  // namespace weft::detail

namespace weft::net {

using detail::net_access;

std::string endpoint::host() const {
    const detail::socket_address a = net_access::address_of(*this);
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 2] = "";
    switch (net_access::family_of(*this)) {
    case AF_INET: {
        const auto in = detail::read_as<sockaddr_in>(a);
        ::inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
        return text;
    }
    case AF_INET6: {
        const auto in = detail::read_as<sockaddr_in6>(a);
        ::inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof(text));
        std::string result = text;
        if (in.sin6_scope_id != 0) {
            char name[IF_NAMESIZE] = "";
            result += '%';
            result += ::if_indextoname(in.sin6_scope_id, name) != nullptr
                          ? std::string(name)
                          : std::to_string(in.sin6_scope_id);
        }
        return result;
    }
    case AF_UNIX: {
        const auto path = reinterpret_cast<const char*>(a.bytes) + detail::path_offset;
        const std::size_t size = a.size > detail::path_offset ? a.size - detail::path_offset : 0;
        if (size == 0 || path[0] != '\0') return {path, ::strnlen(path, size)};
        std::string abstract(path, size);
        abstract[0] = '@';
        return abstract;
    }
    default:
        return {};
    }
}

std::uint16_t endpoint::port() const noexcept {
    const detail::socket_address a = net_access::address_of(*this);
    switch (net_access::family_of(*this)) {
    case AF_INET:
        return ntohs(detail::read_as<sockaddr_in>(a).sin_port);
    case AF_INET6:
        return ntohs(detail::read_as<sockaddr_in6>(a).sin6_port);
    default:
        return 0;
    }
}

bool endpoint::is_unix() const noexcept { return net_access::family_of(*this) == AF_UNIX; }

std::string endpoint::to_string() const {
    switch (net_access::family_of(*this)) {
    case AF_INET:
        return host() + ":" + std::to_string(port());
    case AF_INET6:
        return std::string("[").append(host()).append("]:").append(std::to_string(port()));
    case AF_UNIX:
        return "unix:" + host();
    default:
        return {};
    }
}

bool endpoint::equals(const endpoint& other) const noexcept {
    if (net_access::family_of(*this) != net_access::family_of(other)) return false;
    const detail::socket_address a = net_access::address_of(*this);
    const detail::socket_address b = net_access::address_of(other);
    switch (net_access::family_of(*this)) {
    case AF_INET6: {
        // Not by the flow, which is no part of an address.
        const auto x = detail::read_as<sockaddr_in6>(a);
        const auto y = detail::read_as<sockaddr_in6>(b);
        return x.sin6_port == y.sin6_port && x.sin6_scope_id == y.sin6_scope_id &&
               std::memcmp(&x.sin6_addr, &y.sin6_addr, sizeof(x.sin6_addr)) == 0;
    }
    case AF_INET: {
        const auto x = detail::read_as<sockaddr_in>(a);
        const auto y = detail::read_as<sockaddr_in>(b);
        return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
    }
    default:
        return size_ == other.size_ && std::memcmp(bytes_, other.bytes_, size_) == 0;
    }
}

endpoint make_endpoint(std::string_view host, std::uint16_t port, std::error_code& ec) {
    ec.clear();
    detail::socket_address a;
    const bool good = host.starts_with("unix:")
                          ? host.size() > 5 && detail::unix_address(host.substr(5), a)
                          : detail::numeric_address(host, port, a);
    if (!good) {
        ec = std::make_error_code(std::errc::invalid_argument);
        return {};
    }
    return net_access::endpoint_of(a);
}

endpoint make_endpoint(std::string_view host, std::uint16_t port) {
    std::error_code ec;
    const endpoint e = make_endpoint(host, port, ec);
    if (ec) detail::throw_error(ec, "weft: make_endpoint");
    return e;
}

}  // namespace weft::net
