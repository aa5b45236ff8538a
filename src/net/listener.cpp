#include <weft/net.hpp>

#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "io/descriptor.hpp"
#include "io/transfer.hpp"
#include "net/address.hpp"
#include "net/resolver.hpp"
#include "net/socket.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace weft::detail {

struct listener_state {
    io_descriptor* d = nullptr;
    io_descriptor::value flags = 0;  // Of what it accepts.
    std::string path;                // To be removed.
    std::atomic<bool> told_of_files{false};
};

namespace {

constexpr int probes = 9;  // Without an answer until the peer counts as dead.

}  // namespace

number_hold::~number_hold() {
    if (fd_ >= 0) static_cast<void>(close_fd(fd_));
}

int set_tcp_options(int fd, std::chrono::seconds keep_alive) noexcept {
    const int seconds = static_cast<int>(std::clamp<std::int64_t>(keep_alive.count(), 0, 32'767));
    int error = set_socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (error != 0 || seconds == 0) return error;
    const int options[][3] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                              {IPPROTO_TCP, TCP_KEEPIDLE, seconds},
                              {IPPROTO_TCP, TCP_KEEPINTVL, seconds},
                              {IPPROTO_TCP, TCP_KEEPCNT, probes}};
    for (const auto& [level, option, value] : options) {
        if (error == 0) error = set_socket_option(fd, level, option, value);
    }
    return error;
}

namespace {

constexpr std::int64_t pause_least = 5'000'000;
constexpr std::int64_t pause_most = 1'000'000'000;

bool is_fault_of_peer(std::int64_t error) noexcept {
    switch (-error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
    case EPERM:  // A rule of the firewall's.
        return true;
    default:
        return false;
    }
}

// The new descriptor's number, or an error.
std::int64_t accept_number(listener_state& s) {
    std::int64_t pause = pause_least;
    for (;;) {
        io_request r{.kind = io_kind::accept, .d = s.d};
        const std::int64_t n = perform(r);
        if (n >= 0) {
            if (s.told_of_files.load(std::memory_order_relaxed)) {
                s.told_of_files.store(false, std::memory_order_relaxed);
            }
            return n;
        }
        // The deadline is the listener's own, and never an error of the kernel's here: it has passed.
        if (n == -ETIMEDOUT) {
            const std::int64_t deadline =
                s.d->at(io_side_of::read).deadline.load(std::memory_order_relaxed);
            if (deadline != never && now_ns() >= deadline) return n;
        }
        if (is_fault_of_peer(n)) continue;
        if (n != -EMFILE && n != -ENFILE) return n;
        if (!s.told_of_files.exchange(true, std::memory_order_relaxed)) return n;
        // No edge will tell of those who wait to be accepted: either something of ours is closed, or time passes.
        const std::int64_t deadline =
            s.d->at(io_side_of::read).deadline.load(std::memory_order_relaxed);
        wait_for_free_number(std::min(deadline, now_ns() + pause));
        pause = std::min(2 * pause, pause_most);
    }
}

io_descriptor* accept_descriptor(listener_state* s, std::int64_t& error) {
    if (s == nullptr) {
        enter_io();
        error = -EBADF;
        return nullptr;
    }
    error = accept_number(*s);
    if (error < 0) return nullptr;
    const int fd = static_cast<int>(error);
    io_descriptor* const d = take_io_descriptor(fd, s->flags);
    if (d == nullptr) {
        static_cast<void>(close_fd(fd));
        error = -ENOMEM;
    }
    return d;
}

listener_state* new_state(number_hold& fd, io_descriptor::value shown,
                          io_descriptor::value accepted, std::error_code& ec) {
    auto* const s = new listener_state;
    s->d = take_io_descriptor(fd.get(), shown);
    if (s->d == nullptr) {
        delete s;
        ec = error_of(-ENOMEM);
        return nullptr;
    }
    fd.release();
    s->flags = accepted;
    ec.clear();
    return s;
}

int make_listening(int fd, const socket_address& a, int family, const net::listen_options& options,
                   bool v6_only) noexcept {
    int error = 0;
    if (family == AF_INET6)
        error = set_socket_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only ? 1 : 0);
    if (family != AF_UNIX) {
        if (error == 0) error = set_socket_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (error == 0 && options.reuse_port) {
            error = set_socket_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        }
        // Those that it accepts have these too.
        if (error == 0) error = set_tcp_options(fd, options.keep_alive);
    }
    if (error == 0) error = bind_socket(fd, a);
    if (error == 0) error = listen_on(fd, options.backlog);
    return error;
}

listener_state* listen_on_address(const socket_address& a, int family,
                                  const net::listen_options& options, bool v6_only,
                                  std::error_code& ec) {
    number_hold fd(open_socket(family, SOCK_STREAM));
    if (fd.get() < 0) {
        ec = error_of(fd.get());
        return nullptr;
    }
    if (const int error = make_listening(fd.get(), a, family, options, v6_only); error != 0) {
        ec = error_of(error);
        return nullptr;
    }
    return new_state(fd, 0, family == AF_UNIX ? 0 : io_descriptor::is_flow, ec);
}

listener_state* listen_on_path(const std::string& path, const net::listen_options& options,
                               std::error_code& ec) {
    socket_address a;
    if (!unix_address(path, a)) {
        ec = error_of(-ENAMETOOLONG);
        return nullptr;
    }
    const bool is_abstract = path.starts_with('@');
    listener_state* s = listen_on_address(a, AF_UNIX, options, false, ec);
    if (ec == std::errc::address_in_use && !is_abstract && is_stale_socket(path.c_str(), a)) {
        static_cast<void>(remove_path(path.c_str()));
        s = listen_on_address(a, AF_UNIX, options, false, ec);
    }
    if (s == nullptr || is_abstract) return s;
    s->path = path;
    if (const int error = set_path_mode(path.c_str(), static_cast<unsigned>(options.unix_mode));
        error != 0) {
        net_access::make_listener(s).close();
        ec = error_of(error);
        return nullptr;
    }
    return s;
}

listener_state* listen_anywhere(std::uint16_t port, const net::listen_options& options,
                                std::error_code& ec) {
    socket_address a;
    static_cast<void>(numeric_address("::", port, a));
    listener_state* const s = listen_on_address(a, AF_INET6, options, options.v6_only, ec);
    const bool has_v6 =
        ec != std::errc::address_family_not_supported && ec != std::errc::address_not_available;
    if (s != nullptr || has_v6 || options.v6_only) return s;
    static_cast<void>(numeric_address("0.0.0.0", port, a));
    return listen_on_address(a, AF_INET, options, false, ec);
}

listener_state* listen_at(std::string_view address, const net::listen_options& options,
                          std::error_code& ec) {
    enter_io();
    parsed_address parsed;
    if (!parse_address(address, parsed)) {
        ec = std::make_error_code(std::errc::invalid_argument);
        return nullptr;
    }
    if (parsed.is_unix) return listen_on_path(parsed.host, options, ec);
    if (parsed.host.empty()) return listen_anywhere(parsed.port, options, ec);
    socket_address a;
    if (!numeric_address(parsed.host, parsed.port, a)) {
        const std::vector<net::endpoint> found = resolve_name(parsed.host, never, ec);
        if (ec) return nullptr;
        a = net_access::address_of(net_access::with_port(found.front(), parsed.port));
    }
    const int family = net_access::family_of(net_access::endpoint_of(a));
    return listen_on_address(a, family, options, options.v6_only, ec);
}

}  // namespace
}  // namespace weft::detail

namespace weft::net {

listener& listener::operator=(listener&& other) noexcept {
    if (this == &other) return *this;
    listener old(std::move(*this));
    state_ = std::exchange(other.state_, nullptr);
    return *this;
}

listener::~listener() {
    if (state_ == nullptr) return;
    close();
    detail::drop_io_descriptor(*state_->d);
    delete state_;
}

listener listener::adopt(int fd, std::error_code& ec) {
    detail::enter_io();
    int listens = 0;
    int family = 0;
    int error = detail::get_socket_option(fd, SOL_SOCKET, SO_ACCEPTCONN, listens);
    if (error == 0 && listens == 0) error = -EINVAL;
    if (error == 0) error = detail::get_socket_option(fd, SOL_SOCKET, SO_DOMAIN, family);
    if (error == 0) error = detail::set_not_blocking(fd);
    if (error != 0) {
        ec = detail::error_of(error);
        return {};
    }
    detail::number_hold hold(fd);
    detail::listener_state* const s =
        detail::new_state(hold, detail::io_descriptor::is_shown,
                          family == AF_UNIX ? 0 : detail::io_descriptor::is_flow, ec);
    if (s == nullptr) hold.release();
    return listener(s);
}

listener listener::adopt(int fd) {
    std::error_code ec;
    listener l = adopt(fd, ec);
    if (ec) detail::throw_error(ec, "weft: listener::adopt");
    return l;
}

conn listener::accept(std::error_code& ec) {
    WEFT_PARKS;
    std::int64_t error = 0;
    detail::io_descriptor* const d = detail::accept_descriptor(state_, error);
    if (d == nullptr) {
        ec = detail::error_of(error);
    } else {
        ec.clear();
    }
    return detail::net_access::make_conn(d);
}

conn listener::accept() {
    WEFT_PARKS;
    std::int64_t error = 0;
    detail::io_descriptor* const d = detail::accept_descriptor(state_, error);
    if (d == nullptr) detail::throw_error(detail::error_of(error), "weft: listener::accept");
    return detail::net_access::make_conn(d);
}

void listener::set_deadline(std::optional<time_point> when) noexcept {
    if (state_ == nullptr) return;
    detail::set_io_deadline(*state_->d, detail::io_side_of::read, detail::deadline_of(when));
}

endpoint listener::local(std::error_code& ec) const noexcept {
    detail::socket_address a;
    const detail::io_hold hold(state_ != nullptr ? state_->d : nullptr);
    const int error = hold ? detail::local_address(state_->d->fd, a) : -EBADF;
    if (error != 0) {
        ec = detail::error_of(error);
        return {};
    }
    ec.clear();
    return detail::net_access::endpoint_of(a);
}
endpoint listener::local() const {
    std::error_code ec;
    const endpoint e = local(ec);
    if (ec) detail::throw_error(ec, "weft: listener::local");
    return e;
}

int listener::native_handle() noexcept {
    if (state_ == nullptr) return -1;
    detail::show_io_descriptor(*state_->d);
    const detail::io_hold hold(state_->d);
    return hold ? state_->d->fd : -1;
}
bool listener::is_open() const noexcept {
    return static_cast<bool>(detail::io_hold(state_ != nullptr ? state_->d : nullptr));
}

void listener::close(std::error_code& ec) noexcept {
    int error = -EBADF;
    if (state_ != nullptr) {
        // The path first: who finds it gone makes another, which we must not remove.
        const bool open = is_open();
        if (open && !state_->path.empty()) {
            static_cast<void>(detail::remove_path(state_->path.c_str()));
        }
        error = detail::close_io_descriptor(*state_->d);
    }
    if (error == 0) {
        ec.clear();
    } else {
        ec = detail::error_of(error);
    }
}
void listener::close() noexcept {
    std::error_code ignored;
    close(ignored);
}

listener listen(std::string_view address, const listen_options& options, std::error_code& ec) {
    return detail::net_access::make_listener(detail::listen_at(address, options, ec));
}
listener listen(std::string_view address, std::error_code& ec) {
    return listen(address, listen_options(), ec);
}
listener listen(std::string_view address, const listen_options& options) {
    std::error_code ec;
    listener l = listen(address, options, ec);
    if (ec) detail::throw_error(ec, "weft: net::listen");
    return l;
}

}  // namespace weft::net
