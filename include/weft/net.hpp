// Connections and datagrams: TCP and UDP over IPv4 and IPv6, and unix sockets. Calls look as if they blocked; only the coroutine waits.
//
//     weft::net::listener l = weft::net::listen("127.0.0.1:7000");
//     for (;;) {
//         weft::go([c = l.accept()]() mutable {
//             char text[4096];
//             while (std::size_t n = c.read(text)) c.write_all(std::string_view(text, n));
//         });
//     }
//
// Every operation that may fail for outside reasons has two forms: one throws std::system_error, the other takes a std::error_code last.
// Reading, writing, accepting and dialling are cancellation points, whether they have to wait or not: they throw weft::cancelled in both forms.
// All of it also works on threads that are not weft's, and inside blocking(), as long as a runtime is up: they block then. Without a runtime, and
// in a simulation, which has no network, it is a std::logic_error.
#pragma once

#include <weft/clock.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weft::detail {
struct io_descriptor;
struct listener_state;
struct packet_state;
struct net_access;
}  // namespace weft::detail

namespace weft::net {

using time_point = clock::time_point;

/// An address of a socket: a value. A default one is none.
class endpoint {
public:
    endpoint() noexcept = default;

    /// The address without its port: "127.0.0.1", "fe80::1%eth0", the path of a unix socket ("@name" for an abstract one).
    [[nodiscard]] std::string host() const;
    /// 0 for unix sockets.
    [[nodiscard]] std::uint16_t port() const noexcept;
    [[nodiscard]] bool is_unix() const noexcept;
    /// As listen() and dial() take it: "127.0.0.1:80", "[::1]:80", "unix:/path"; "" for none.
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const endpoint& a, const endpoint& b) noexcept { return a.equals(b); }

private:
    friend detail::net_access;
    [[nodiscard]] bool equals(const endpoint& other) const noexcept;

    static constexpr std::size_t capacity = 112;
    alignas(8) std::byte bytes_[capacity] = {};
    std::uint32_t size_ = 0;
};

struct listen_options {
    int backlog = 4096;
    bool reuse_port = false;
    bool v6_only = false;
    /// Probes after so long without traffic, so that a dead peer is noticed; 0: none.
    std::chrono::seconds keep_alive{15};
    /// Of the path of a unix socket.
    int unix_mode = 0666;
};

struct dial_options {
    /// For all of it, the resolution of a name included; 0: none.
    std::chrono::nanoseconds timeout{0};
    /// When the next address of a name is tried although the one before has not answered.
    std::chrono::nanoseconds fallback_delay{std::chrono::milliseconds(250)};
    std::chrono::seconds keep_alive{15};
    /// The address to connect from: "host:port"; "": any.
    std::string local = {};
};

/// Who has the other end of a unix socket.
struct credentials {
    std::int64_t pid = 0;
    std::uint64_t uid = 0;
    std::uint64_t gid = 0;
};

/// What has been read and not been used yet, in 16 KiB that are on loan from a pool: only while there is something in it.
class buffer {
public:
    static constexpr std::size_t capacity = std::size_t{16} * 1024;

    buffer() noexcept = default;
    buffer(buffer&& other) noexcept
        : memory_(std::exchange(other.memory_, nullptr)), begin_(std::exchange(other.begin_, 0)),
          end_(std::exchange(other.end_, 0)) {}
    buffer& operator=(buffer&& other) noexcept;
    ~buffer() { clear(); }

    [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
    [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return {memory_ + begin_, size()};
    }
    [[nodiscard]] std::string_view text() const noexcept {
        return {reinterpret_cast<const char*>(memory_ + begin_), size()};
    }
    /// The first `n` have been used: at most size(), else std::logic_error.
    void consume(std::size_t n);
    /// Gives the memory back.
    void clear() noexcept;

private:
    friend class conn;
    std::byte* memory_ = nullptr;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

/// A connection. Movable; a default one is closed, and the destructor closes. One that reads and one that writes at once is safe, a second one of
/// either queues behind the first, and close() may come from elsewhere at any time: calls under way get std::errc::operation_canceled, later ones
/// std::errc::bad_file_descriptor. After a reset by the other side what had arrived can be read, then comes connection_reset, and for
/// writes broken_pipe; SIGPIPE is never raised. It may outlive its runtime.
class [[nodiscard]] conn {
public:
    conn() noexcept = default;
    conn(conn&& other) noexcept : d_(std::exchange(other.d_, nullptr)) {}
    conn& operator=(conn&& other) noexcept;
    ~conn();

    /// Takes a connected stream socket, which is the conn's from here on. Its flags are not changed. An error leaves it the caller's.
    [[nodiscard]] static conn adopt(int fd);
    [[nodiscard]] static conn adopt(int fd, std::error_code& ec);
    /// Gives it back; the conn is closed. std::logic_error while an operation is under way; -1 if it was closed.
    [[nodiscard]] int release();

    /// At least one byte, or 0 at the end of the stream.
    std::size_t read(std::span<std::byte> to);
    std::size_t read(std::span<std::byte> to, std::error_code& ec);
    std::size_t read(std::span<char> to) { return read(std::as_writable_bytes(to)); }
    std::size_t read(std::span<char> to, std::error_code& ec) {
        return read(std::as_writable_bytes(to), ec);
    }
    /// Appends to the buffer. One that is empty has no memory while this waits. std::errc::no_buffer_space: it is full.
    std::size_t read(buffer& to);
    std::size_t read(buffer& to, std::error_code& ec);
    /// Waits without a buffer until read() would not; false when that time has passed and there is still nothing to be read.
    bool wait_readable(std::optional<time_point> until = {});
    bool wait_readable(std::optional<time_point> until, std::error_code& ec);

    /// At least one byte, unless there is none; returns how many.
    std::size_t write(std::span<const std::byte> from);
    std::size_t write(std::span<const std::byte> from, std::error_code& ec);
    std::size_t write(std::string_view from) { return write(std::as_bytes(std::span(from))); }
    std::size_t write(std::string_view from, std::error_code& ec) {
        return write(std::as_bytes(std::span(from)), ec);
    }
    /// All of it, and nothing of another call's in between. When it ends early a prefix has been written; the second form says how much. One that
    /// is cancelled leaves the connection good for nothing but close().
    void write_all(std::span<const std::byte> from);
    std::size_t write_all(std::span<const std::byte> from, std::error_code& ec);
    void write_all(std::string_view from) { write_all(std::as_bytes(std::span(from))); }
    std::size_t write_all(std::string_view from, std::error_code& ec) {
        return write_all(std::as_bytes(std::span(from)), ec);
    }
    /// Several, one after the other, by as few system calls as can be.
    void write_all(std::span<const std::span<const std::byte>> parts);
    std::size_t write_all(std::span<const std::span<const std::byte>> parts, std::error_code& ec);

    /// Absolute; nullopt: none. Operations past it fail with std::errc::timed_out, also those that wait already. std::errc errors leave the connection
    /// as it is. Of a closed one: nothing happens.
    void set_deadline(std::optional<time_point> when) noexcept;
    void set_read_deadline(std::optional<time_point> when) noexcept;
    void set_write_deadline(std::optional<time_point> when) noexcept;

    /// Also from another coroutine or thread; closing a closed one is an error of the second form only.
    void close() noexcept;
    void close(std::error_code& ec) noexcept;
    /// The other side reads to the end, and may go on writing.
    void shutdown_write();
    void shutdown_write(std::error_code& ec) noexcept;
    void shutdown_read();
    void shutdown_read(std::error_code& ec) noexcept;

    [[nodiscard]] endpoint local() const;
    [[nodiscard]] endpoint local(std::error_code& ec) const noexcept;
    [[nodiscard]] endpoint remote() const;
    [[nodiscard]] endpoint remote(std::error_code& ec) const noexcept;
    /// -1 when closed. It stays the conn's.
    [[nodiscard]] int native_handle() noexcept;
    [[nodiscard]] bool is_open() const noexcept;

    void set_keep_alive(std::chrono::seconds interval);  // 0: none.
    void set_keep_alive(std::chrono::seconds interval, std::error_code& ec) noexcept;
    /// For how long what was sent may stay unacknowledged before the connection is given up; 0: the system's.
    template <class Rep, class Period>
    void set_user_timeout(std::chrono::duration<Rep, Period> d) {
        set_user_timeout_ns(detail::to_nanoseconds(d));
    }
    template <class Rep, class Period>
    void set_user_timeout(std::chrono::duration<Rep, Period> d, std::error_code& ec) noexcept {
        set_user_timeout_ns(detail::to_nanoseconds(d), ec);
    }
    void set_no_delay(bool on);
    void set_no_delay(bool on, std::error_code& ec) noexcept;
    /// What close() does with what has not been sent: nullopt: it is sent in the background; 0 s: the connection is reset.
    void set_linger(std::optional<std::chrono::seconds> d);
    void set_linger(std::optional<std::chrono::seconds> d, std::error_code& ec) noexcept;
    /// Of a unix socket.
    [[nodiscard]] credentials peer_credentials() const;
    [[nodiscard]] credentials peer_credentials(std::error_code& ec) const noexcept;

private:
    friend detail::net_access;
    explicit conn(detail::io_descriptor* d) noexcept : d_(d) {}
    std::int64_t read_into(buffer& to);
    void set_user_timeout_ns(std::chrono::nanoseconds d);
    void set_user_timeout_ns(std::chrono::nanoseconds d, std::error_code& ec) noexcept;

    detail::io_descriptor* d_ = nullptr;
};

/// Accepts connections. Movable; a default one is closed, and the destructor closes. Any number may accept at once.
class [[nodiscard]] listener {
public:
    listener() noexcept = default;
    listener(listener&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    listener& operator=(listener&& other) noexcept;
    ~listener();

    /// Takes a stream socket that listens, as a service manager hands over. It is set not to block. An error leaves it the caller's.
    [[nodiscard]] static listener adopt(int fd);
    [[nodiscard]] static listener adopt(int fd, std::error_code& ec);

    /// The next connection. Faults of a peer that gave up are no errors. Without a free descriptor std::errc::too_many_files_open comes once;
    /// from then on accept() waits until one is free.
    [[nodiscard]] conn accept();
    [[nodiscard]] conn accept(std::error_code& ec);

    void set_deadline(std::optional<time_point> when) noexcept;
    [[nodiscard]] endpoint local() const;
    [[nodiscard]] endpoint local(std::error_code& ec) const noexcept;
    /// -1 when closed. It stays the listener's.
    [[nodiscard]] int native_handle() noexcept;
    [[nodiscard]] bool is_open() const noexcept;
    /// Also from elsewhere. The path of a unix socket that listen() has made is removed.
    void close() noexcept;
    void close(std::error_code& ec) noexcept;

private:
    friend detail::net_access;
    explicit listener(detail::listener_state* s) noexcept : state_(s) {}

    detail::listener_state* state_ = nullptr;
};

/// One of several for recv_many() and send_many().
struct datagram {
    /// Received: shortened to what it was.
    std::span<std::byte> bytes;
    /// From whom, or to whom; none: the one that the socket is connected to.
    net::endpoint endpoint = {};
    /// It was longer than `bytes`, and the rest is lost.
    bool truncated = false;
    /// Sent: the kernel divides it into datagrams of that size, the last one perhaps smaller; 0: it is one. Received: it is several of that size, if the
    /// socket asks for such (UDP_GRO).
    std::size_t segment_size = 0;
};

/// A socket for datagrams: UDP or unix. As a conn: movable, closed by its destructor and from elsewhere at any time, one receiver and one sender at
/// once. Several of either queue.
class [[nodiscard]] packet_conn {
public:
    packet_conn() noexcept = default;
    packet_conn(packet_conn&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    packet_conn& operator=(packet_conn&& other) noexcept;
    ~packet_conn();

    /// Takes a datagram socket, which is the packet_conn's from here on. Its flags are not changed. An error leaves it the caller's.
    [[nodiscard]] static packet_conn adopt(int fd);
    [[nodiscard]] static packet_conn adopt(int fd, std::error_code& ec);

    /// The next datagram, cut off where `to` ends.
    std::pair<std::size_t, endpoint> recv_from(std::span<std::byte> to);
    std::pair<std::size_t, endpoint> recv_from(std::span<std::byte> to, std::error_code& ec);
    std::pair<std::size_t, endpoint> recv_from(std::span<char> to) {
        return recv_from(std::as_writable_bytes(to));
    }
    std::pair<std::size_t, endpoint> recv_from(std::span<char> to, std::error_code& ec) {
        return recv_from(std::as_writable_bytes(to), ec);
    }
    /// One datagram; a connected socket takes endpoint(), its own peer, only.
    std::size_t send_to(std::span<const std::byte> from, const endpoint& peer);
    std::size_t send_to(std::span<const std::byte> from, const endpoint& peer, std::error_code& ec);
    std::size_t send_to(std::string_view from, const endpoint& peer) {
        return send_to(std::as_bytes(std::span(from)), peer);
    }
    std::size_t send_to(std::string_view from, const endpoint& peer, std::error_code& ec) {
        return send_to(std::as_bytes(std::span(from)), peer, ec);
    }
    /// To the peer of dial_packet().
    std::size_t send(std::span<const std::byte> from) { return send_to(from, endpoint()); }
    std::size_t send(std::span<const std::byte> from, std::error_code& ec) {
        return send_to(from, endpoint(), ec);
    }
    std::size_t send(std::string_view from) { return send_to(from, endpoint()); }
    std::size_t send(std::string_view from, std::error_code& ec) {
        return send_to(from, endpoint(), ec);
    }
    /// As many as there are, at least one, by as few system calls as can be; returns how many.
    std::size_t recv_many(std::span<datagram> to);
    std::size_t recv_many(std::span<datagram> to, std::error_code& ec);
    /// All of them; with an error, how many have been sent before it.
    std::size_t send_many(std::span<const datagram> from);
    std::size_t send_many(std::span<const datagram> from, std::error_code& ec);

    void set_deadline(std::optional<time_point> when) noexcept;
    void set_read_deadline(std::optional<time_point> when) noexcept;
    void set_write_deadline(std::optional<time_point> when) noexcept;
    [[nodiscard]] endpoint local() const;
    [[nodiscard]] endpoint local(std::error_code& ec) const noexcept;
    [[nodiscard]] endpoint remote() const;
    [[nodiscard]] endpoint remote(std::error_code& ec) const noexcept;
    [[nodiscard]] int native_handle() noexcept;
    [[nodiscard]] bool is_open() const noexcept;
    void close() noexcept;
    void close(std::error_code& ec) noexcept;

private:
    friend detail::net_access;
    explicit packet_conn(detail::packet_state* s) noexcept : state_(s) {}

    detail::packet_state* state_ = nullptr;
};

/// A socket that receives at that address: "host:port", ":0", "unix:/path".
[[nodiscard]] packet_conn listen_packet(std::string_view address);
[[nodiscard]] packet_conn listen_packet(std::string_view address, std::error_code& ec);
/// One that is connected to that address: it sends to it and receives from it only, and hears when nobody is there.
[[nodiscard]] packet_conn dial_packet(std::string_view address);
[[nodiscard]] packet_conn dial_packet(std::string_view address, std::error_code& ec);

/// `address`: "host:port", "[::1]:0" (port 0: any), ":80" (all addresses), "unix:/path", "unix:@abstract". SO_REUSEADDR, TCP_NODELAY and
/// keep-alive are on. A stale path of a unix socket is removed. std::errc::invalid_argument: the address is malformed.
[[nodiscard]] listener listen(std::string_view address, const listen_options& options = {});
[[nodiscard]] listener listen(std::string_view address, std::error_code& ec);
[[nodiscard]] listener listen(std::string_view address, const listen_options& options,
                              std::error_code& ec);

/// Connects. Of a name's addresses both families are tried, one after the other without waiting for long (RFC 8305); if all fail the error is
/// that of the first. A name that can't be resolved: an error that equals std::errc::host_unreachable.
[[nodiscard]] conn dial(std::string_view address, const dial_options& options = {});
[[nodiscard]] conn dial(std::string_view address, std::error_code& ec);
[[nodiscard]] conn dial(std::string_view address, const dial_options& options, std::error_code& ec);

enum class ip_version : std::uint8_t { any, v4, v6 };
struct resolve_options {
    ip_version version = ip_version::any;
    std::chrono::nanoseconds timeout{0};  // 0: none.
};
/// The addresses of a name, with port 0, in the order in which to try them. By the system's resolver, on a thread of its own; one that does not
/// answer holds up nobody else.
[[nodiscard]] std::vector<endpoint> resolve(std::string_view host,
                                            const resolve_options& options = {});
[[nodiscard]] std::vector<endpoint> resolve(std::string_view host, const resolve_options& options,
                                            std::error_code& ec);
/// Another resolver from here on, called on threads that may block; empty: the system's again. It says that there is no such name by an empty
/// result, and what else is wrong by a std::system_error. make_endpoint() makes what it returns.
void set_resolver(std::function<std::vector<endpoint>(std::string_view)> resolver);
/// The errors of the system's resolver.
[[nodiscard]] const std::error_category& resolver_category() noexcept;

/// From an address in digits, "127.0.0.1" or "::1", or a path that begins with "unix:". std::errc::invalid_argument for all else.
[[nodiscard]] endpoint make_endpoint(std::string_view host, std::uint16_t port = 0);
[[nodiscard]] endpoint make_endpoint(std::string_view host, std::uint16_t port,
                                     std::error_code& ec);

/// Waits until a descriptor of another library's can be read, as poll(2) says; false when that time has passed. Any number of waiters, any
/// kind of descriptor: a file always is ready. The descriptor stays the caller's, and its flags are not changed.
bool wait_readable(int fd, std::optional<time_point> until = {});
bool wait_readable(int fd, std::optional<time_point> until, std::error_code& ec);
bool wait_writable(int fd, std::optional<time_point> until = {});
bool wait_writable(int fd, std::optional<time_point> until, std::error_code& ec);

}  // namespace weft::net
