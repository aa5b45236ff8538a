// Sockets: the calls of the kernel, each of which returns what it returns, or the negative number of its error.
//
// Why not the calls themselves: they tell errors by errno, and a function in which a coroutine waits must not name that on both sides
// of the wait (docs/internals/rules.md). These are never inlined. None of them waits for the other side, and none is interrupted
// by a signal; SIGPIPE is never raised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

/// A socket's address as the kernel takes it.
struct socket_address {
    static constexpr std::size_t capacity = 112;
    alignas(8) std::byte bytes[capacity] = {};
    std::uint32_t size = 0;
};

/// So many parts are written at once; the kernel takes no more than 1,024.
inline constexpr std::size_t parts_max = 64;
using io_part = std::span<const std::byte>;

/// Not blocking, and closed in programs that are executed.
[[nodiscard]] int open_socket(int family, int type) noexcept;
[[nodiscard]] int close_fd(int fd) noexcept;
[[nodiscard]] int bind_socket(int fd, const socket_address& a) noexcept;
[[nodiscard]] int listen_on(int fd, int backlog) noexcept;
/// -EINPROGRESS: it goes on.
[[nodiscard]] int connect_socket(int fd, const socket_address& a) noexcept;
/// The accepted one's descriptor, not blocking, and closed in programs that are executed.
[[nodiscard]] int accept_socket(int fd, socket_address* peer) noexcept;
[[nodiscard]] int local_address(int fd, socket_address& a) noexcept;
[[nodiscard]] int peer_address(int fd, socket_address& a) noexcept;

[[nodiscard]] std::int64_t receive(int fd, void* data, std::size_t size) noexcept;
[[nodiscard]] std::int64_t transmit(int fd, const void* data, std::size_t size) noexcept;
/// The first `parts_max` of them, without the first `skip` bytes, which are of the first part.
[[nodiscard]] std::int64_t transmit_parts(int fd, const io_part* parts, std::size_t count,
                                          std::size_t skip) noexcept;

/// One datagram. `truncated`: it was longer than that.
[[nodiscard]] std::int64_t receive_from(int fd, void* data, std::size_t size, socket_address* peer,
                                        bool* truncated) noexcept;
/// To the connected one if `peer` is null.
[[nodiscard]] std::int64_t transmit_to(int fd, const void* data, std::size_t size,
                                       const socket_address* peer) noexcept;
/// Several, as one call of the kernel takes them.
inline constexpr std::size_t packets_max = 16;
struct io_packet {
    std::byte* data = nullptr;
    std::size_t size = 0;  // Received: how much it was.
    socket_address peer;   // Its size is 0: the connected one.
    std::size_t segment =
        0;  // The size of the parts into which the kernel divides it, or of which it has made it; 0: none.
    bool truncated = false;
};
/// Returns how many were received or sent.
[[nodiscard]] std::int64_t receive_packets(int fd, io_packet* packets, std::size_t count) noexcept;
[[nodiscard]] std::int64_t transmit_packets(int fd, const io_packet* packets,
                                            std::size_t count) noexcept;

[[nodiscard]] int set_socket_option(int fd, int level, int option, int value) noexcept;
[[nodiscard]] int get_socket_option(int fd, int level, int option, int& value) noexcept;
/// What a connect that was going on has come to: 0 or the negative error.
[[nodiscard]] int connect_result(int fd) noexcept;
[[nodiscard]] int set_socket_linger(int fd, bool on, int seconds) noexcept;
enum class shutdown_side : std::uint8_t { read, write };
[[nodiscard]] int shutdown_socket(int fd, shutdown_side side) noexcept;
/// Of the other end of a unix socket.
[[nodiscard]] int peer_process(int fd, std::int64_t& pid, std::uint64_t& uid,
                               std::uint64_t& gid) noexcept;
/// Makes operations on it return -EAGAIN instead of waiting.
[[nodiscard]] int set_not_blocking(int fd) noexcept;
/// Removes a file system entry.
[[nodiscard]] int remove_path(const char* path) noexcept;
/// Whether the path is a socket on which nobody listens.
[[nodiscard]] bool is_stale_socket(const char* path, const socket_address& a) noexcept;
[[nodiscard]] int set_path_mode(const char* path, unsigned mode) noexcept;

}  // namespace weft::detail
