// Addresses: as text, as the kernel takes them, and as endpoint.
#pragma once

#include <weft/net.hpp>

#include "os/socket.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace weft::detail {

/// The private parts of the public types, for the layer's own files.
struct net_access {
    static net::endpoint endpoint_of(const socket_address& a) noexcept;
    static socket_address address_of(const net::endpoint& e) noexcept;
    static net::endpoint with_port(const net::endpoint& e, std::uint16_t port) noexcept;
    static int family_of(const net::endpoint& e) noexcept;

    static net::conn make_conn(io_descriptor* d) noexcept { return net::conn(d); }
    static net::listener make_listener(listener_state* s) noexcept { return net::listener(s); }
    static net::packet_conn make_packet_conn(packet_state* s) noexcept {
        return net::packet_conn(s);
    }
    static io_descriptor* descriptor_of(const net::conn& c) noexcept { return c.d_; }
};

/// "host:port" or "unix:path" in its parts.
struct parsed_address {
    bool is_unix = false;
    std::string host;  // The path of a unix socket. Empty: any address.
    std::uint16_t port = 0;
};
[[nodiscard]] bool parse_address(std::string_view text, parsed_address& out);

/// An address in digits. False: it is a name, or nonsense.
[[nodiscard]] bool numeric_address(std::string_view host, std::uint16_t port, socket_address& out);
/// False: too long.
[[nodiscard]] bool unix_address(std::string_view path, socket_address& out) noexcept;

inline std::error_code error_of(std::int64_t negative) noexcept {
    return {static_cast<int>(-negative), std::system_category()};
}
[[noreturn]] void throw_error(const std::error_code& ec, const char* what);

inline std::int64_t deadline_of(const std::optional<net::time_point>& when) noexcept {
    return when ? when->time_since_epoch().count() : INT64_MAX;
}
/// When a duration that begins now is over; 0 or less: never.
[[nodiscard]] std::int64_t deadline_in(std::chrono::nanoseconds d) noexcept;

}  // namespace weft::detail
