#include "os/socket.hpp"

#include "base/stack_facts.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace weft::detail {
namespace {

template <class T>
std::int64_t result_of(T n) noexcept {
    return n < 0 ? -errno : static_cast<std::int64_t>(n);
}
template <class Call>
std::int64_t again_while_interrupted(Call&& call) noexcept {
    for (;;) {
        const auto n = call();
        if (n >= 0 || errno != EINTR) return result_of(n);
    }
}

const sockaddr* address_of(const socket_address& a) noexcept {
    return reinterpret_cast<const sockaddr*>(a.bytes);
}
sockaddr* address_of(socket_address& a) noexcept { return reinterpret_cast<sockaddr*>(a.bytes); }

}  // namespace

[[gnu::noinline]] int open_socket(int family, int type) noexcept {
    return static_cast<int>(result_of(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
}

// Interrupted or not, the descriptor has gone.
[[gnu::noinline]] int close_fd(int fd) noexcept {
    const int n = ::close(fd);
    return n < 0 && errno != EINTR ? -errno : 0;
}

[[gnu::noinline]] int bind_socket(int fd, const socket_address& a) noexcept {
    return static_cast<int>(result_of(::bind(fd, address_of(a), a.size)));
}

[[gnu::noinline]] int listen_on(int fd, int backlog) noexcept {
    return static_cast<int>(result_of(::listen(fd, backlog)));
}

[[gnu::noinline]] int connect_socket(int fd, const socket_address& a) noexcept {
    const int n = ::connect(fd, address_of(a), a.size);
    // Interrupted, it goes on.
    if (n < 0 && errno == EINTR) return -EINPROGRESS;
    return n < 0 ? -errno : 0;
}

[[gnu::noinline]] int accept_socket(int fd, socket_address* peer) noexcept {
    return static_cast<int>(again_while_interrupted([&] {
        if (peer == nullptr) return ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        socklen_t size = socket_address::capacity;
        const int n = ::accept4(fd, address_of(*peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        peer->size = std::min<std::uint32_t>(size, socket_address::capacity);
        return n;
    }));
}

[[gnu::noinline]] int local_address(int fd, socket_address& a) noexcept {
    socklen_t size = socket_address::capacity;
    const int n = ::getsockname(fd, address_of(a), &size);
    a.size = std::min<std::uint32_t>(size, socket_address::capacity);
    return static_cast<int>(result_of(n));
}

[[gnu::noinline]] int peer_address(int fd, socket_address& a) noexcept {
    socklen_t size = socket_address::capacity;
    const int n = ::getpeername(fd, address_of(a), &size);
    a.size = std::min<std::uint32_t>(size, socket_address::capacity);
    return static_cast<int>(result_of(n));
}

[[gnu::noinline]] std::int64_t receive(int fd, void* data, std::size_t size) noexcept {
    return again_while_interrupted([=] { return ::recv(fd, data, size, MSG_DONTWAIT); });
}

[[gnu::noinline]] std::int64_t transmit(int fd, const void* data, std::size_t size) noexcept {
    return again_while_interrupted(
        [=] { return ::send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

[[gnu::noinline]] std::int64_t transmit_parts(int fd, const io_part* parts, std::size_t count,
                                              std::size_t skip) noexcept {
    WEFT_DEEP;  // A kilobyte, which a coroutine that may wait next has not got.
    iovec vectors[parts_max];
    count = std::min(count, parts_max);
    for (std::size_t i = 0; i != count; ++i) {
        const io_part part = i == 0 ? parts[0].subspan(skip) : parts[i];
        vectors[i] = {const_cast<std::byte*>(part.data()), part.size()};
    }
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = count;
    return again_while_interrupted(
        [&] { return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

[[gnu::noinline]] std::int64_t receive_from(int fd, void* data, std::size_t size,
                                            socket_address* peer, bool* truncated) noexcept {
    iovec part{data, size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (peer != nullptr) {
        message.msg_name = peer->bytes;
        message.msg_namelen = socket_address::capacity;
    }
    const std::int64_t n =
        again_while_interrupted([&] { return ::recvmsg(fd, &message, MSG_DONTWAIT); });
    if (n < 0) return n;
    if (peer != nullptr) {
        peer->size = std::min<std::uint32_t>(message.msg_namelen, socket_address::capacity);
    }
    if (truncated != nullptr) *truncated = (message.msg_flags & MSG_TRUNC) != 0;
    return n;
}

[[gnu::noinline]] std::int64_t transmit_to(int fd, const void* data, std::size_t size,
                                           const socket_address* peer) noexcept {
    return again_while_interrupted([=] {
        if (peer == nullptr) return ::send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        return ::sendto(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, address_of(*peer), peer->size);
    });
}

namespace {

// What a call for several packets takes.
struct packet_headers {
    alignas(cmsghdr) std::byte control[packets_max][CMSG_SPACE(sizeof(int))];
    iovec parts[packets_max];
    mmsghdr headers[packets_max];
};

}  // namespace

[[gnu::noinline]] std::int64_t receive_packets(int fd, io_packet* packets,
                                               std::size_t count) noexcept {
    WEFT_DEEP;
    packet_headers all{};
    count = std::min(count, packets_max);
    for (std::size_t i = 0; i != count; ++i) {
        all.parts[i] = {packets[i].data, packets[i].size};
        msghdr& h = all.headers[i].msg_hdr;
        h.msg_iov = &all.parts[i];
        h.msg_iovlen = 1;
        h.msg_name = packets[i].peer.bytes;
        h.msg_namelen = socket_address::capacity;
        h.msg_control = all.control[i];
        h.msg_controllen = sizeof(all.control[i]);
    }
    const std::int64_t n = again_while_interrupted([&] {
        return ::recvmmsg(fd, all.headers, static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
    });
    for (std::int64_t i = 0; i < n; ++i) {
        io_packet& p = packets[i];
        msghdr& h = all.headers[i].msg_hdr;
        p.size = all.headers[i].msg_len;
        p.peer.size = std::min<std::uint32_t>(h.msg_namelen, socket_address::capacity);
        p.truncated = (h.msg_flags & MSG_TRUNC) != 0;
        p.segment = 0;
        for (cmsghdr* c = CMSG_FIRSTHDR(&h); c != nullptr; c = CMSG_NXTHDR(&h, c)) {
            if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
            int segment = 0;
            std::memcpy(&segment, CMSG_DATA(c), sizeof(segment));
            p.segment = static_cast<std::size_t>(segment);
        }
    }
    return n;
}

[[gnu::noinline]] std::int64_t transmit_packets(int fd, const io_packet* packets,
                                                std::size_t count) noexcept {
    WEFT_DEEP;
    packet_headers all{};
    count = std::min(count, packets_max);
    for (std::size_t i = 0; i != count; ++i) {
        const io_packet& p = packets[i];
        all.parts[i] = {p.data, p.size};
        msghdr& h = all.headers[i].msg_hdr;
        h.msg_iov = &all.parts[i];
        h.msg_iovlen = 1;
        if (p.peer.size != 0) {
            h.msg_name = const_cast<std::byte*>(p.peer.bytes);
            h.msg_namelen = p.peer.size;
        }
        if (p.segment == 0) continue;
        h.msg_control = all.control[i];
        h.msg_controllen = CMSG_SPACE(sizeof(std::uint16_t));
        cmsghdr* const c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const auto segment = static_cast<std::uint16_t>(p.segment);
        std::memcpy(CMSG_DATA(c), &segment, sizeof(segment));
    }
    return again_while_interrupted([&] {
        return ::sendmmsg(fd, all.headers, static_cast<unsigned>(count),
                          MSG_DONTWAIT | MSG_NOSIGNAL);
    });
}

[[gnu::noinline]] int set_socket_option(int fd, int level, int option, int value) noexcept {
    return static_cast<int>(result_of(::setsockopt(fd, level, option, &value, sizeof(value))));
}

[[gnu::noinline]] int get_socket_option(int fd, int level, int option, int& value) noexcept {
    socklen_t size = sizeof(value);
    return static_cast<int>(result_of(::getsockopt(fd, level, option, &value, &size)));
}

int connect_result(int fd) noexcept {
    int error = 0;
    const int failed = get_socket_option(fd, SOL_SOCKET, SO_ERROR, error);
    return failed != 0 ? failed : -error;
}

[[gnu::noinline]] int set_socket_linger(int fd, bool on, int seconds) noexcept {
    const linger value{on ? 1 : 0, seconds};
    return static_cast<int>(
        result_of(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value))));
}

[[gnu::noinline]] int shutdown_socket(int fd, shutdown_side side) noexcept {
    return static_cast<int>(
        result_of(::shutdown(fd, side == shutdown_side::read ? SHUT_RD : SHUT_WR)));
}

[[gnu::noinline]] int peer_process(int fd, std::int64_t& pid, std::uint64_t& uid,
                                   std::uint64_t& gid) noexcept {
    ucred who{};
    socklen_t size = sizeof(who);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return -errno;
    pid = who.pid;
    uid = who.uid;
    gid = who.gid;
    return 0;
}

[[gnu::noinline]] int set_not_blocking(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    return static_cast<int>(result_of(::fcntl(fd, F_SETFL, flags | O_NONBLOCK)));
}

[[gnu::noinline]] int remove_path(const char* path) noexcept {
    return static_cast<int>(result_of(::unlink(path)));
}

[[gnu::noinline]] bool is_stale_socket(const char* path, const socket_address& a) noexcept {
    struct stat about {};
    if (::lstat(path, &about) != 0 || !S_ISSOCK(about.st_mode)) return false;
    // Of another kind than those that listen: it is refused only if nobody has the path, and never queued.
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const bool refused = ::connect(fd, address_of(a), a.size) != 0 && errno == ECONNREFUSED;
    ::close(fd);
    return refused;
}

[[gnu::noinline]] int set_path_mode(const char* path, unsigned mode) noexcept {
    return static_cast<int>(result_of(::chmod(path, mode)));
}

}  // namespace weft::detail
