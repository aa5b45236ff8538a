// Connections. What waits is a function of its own with nothing on its stack but the request: coroutines wait here by the ten thousand.
#include <weft/net.hpp>

#include "base/stack_facts.hpp"
#include "io/descriptor.hpp"
#include "io/ready.hpp"
#include "io/transfer.hpp"
#include "net/address.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <stdexcept>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace weft::net {
namespace {

using detail::error_of;
using detail::io_descriptor;
using detail::io_hold;
using detail::io_kind;
using detail::io_request;
using detail::io_side_of;
using detail::throw_error;

std::size_t finish(std::int64_t n, std::error_code& ec) noexcept {
    if (n >= 0) {
        ec.clear();
        return static_cast<std::size_t>(n);
    }
    ec = error_of(n);
    return 0;
}

std::size_t finish_or_throw(std::int64_t n, const char* what) {
    if (n < 0) [[unlikely]]
        throw_error(error_of(n), what);
    return static_cast<std::size_t>(n);
}

void finish_option(int result, std::error_code& ec) noexcept {
    if (result == 0) {
        ec.clear();
    } else {
        ec = error_of(result);
    }
}

std::int64_t read_some(io_descriptor* d, std::span<std::byte> to) {
    if (to.empty()) {
        detail::enter_io();
        return d != nullptr && io_hold(d) ? 0 : -EBADF;
    }
    io_request r{.kind = io_kind::read, .d = d, .data = to.data(), .size = to.size()};
    return detail::perform(r);
}

std::int64_t write_some(io_descriptor* d, std::span<const std::byte> from) {
    if (from.empty()) {
        detail::enter_io();
        return d != nullptr && io_hold(d) ? 0 : -EBADF;
    }
    io_request r{.kind = io_kind::write,
                 .d = d,
                 .data = const_cast<std::byte*>(from.data()),
                 .size = from.size()};
    return detail::perform(r);
}

int write_everything(io_descriptor* d, std::span<const std::byte> from, std::size_t& done) {
    io_request r{.kind = io_kind::write,
                 .d = d,
                 .data = const_cast<std::byte*>(from.data()),
                 .size = from.size()};
    return detail::perform_all(r, done);
}

int write_everything(io_descriptor* d, std::span<const std::span<const std::byte>> parts,
                     std::size_t& done) {
    io_request r{.kind = io_kind::write_parts, .d = d, .size = parts.size(), .parts = parts.data()};
    return detail::perform_all(r, done);
}

bool wait_for(io_descriptor* d, const std::optional<time_point>& until, std::int64_t& n) {
    io_request r{.kind = io_kind::readable, .d = d, .deadline = detail::deadline_of(until)};
    n = detail::perform(r);
    if (n > 0) return true;
    // Whose time was it?
    if (n == -ETIMEDOUT && until && detail::now_ns() >= r.deadline) n = 0;
    return false;
}

int clamped(std::chrono::seconds d) noexcept {
    return static_cast<int>(
        std::clamp<std::int64_t>(d.count(), 0, 32'767));  // What the kernel takes.
}

}  // namespace

conn& conn::operator=(conn&& other) noexcept {
    if (this == &other) return *this;
    conn old(std::move(*this));
    d_ = std::exchange(other.d_, nullptr);
    return *this;
}

conn::~conn() {
    if (d_ == nullptr) return;
    static_cast<void>(detail::close_io_descriptor(*d_));
    detail::drop_io_descriptor(*d_);
}

conn conn::adopt(int fd, std::error_code& ec) {
    detail::enter_io();
    int type = 0;
    int family = 0;
    int error = detail::get_socket_option(fd, SOL_SOCKET, SO_TYPE, type);
    if (error == 0) error = detail::get_socket_option(fd, SOL_SOCKET, SO_DOMAIN, family);
    if (error == 0 && type != SOCK_STREAM) error = -EPROTOTYPE;
    if (error != 0) {
        ec = error_of(error);
        return {};
    }
    const bool is_tcp = family == AF_INET || family == AF_INET6;
    io_descriptor* const d = detail::take_io_descriptor(
        fd, io_descriptor::is_shown | (is_tcp ? io_descriptor::is_flow : 0));
    if (d == nullptr) {
        ec = error_of(-ENOMEM);
        return {};
    }
    ec.clear();
    return conn(d);
}

conn conn::adopt(int fd) {
    std::error_code ec;
    conn c = adopt(fd, ec);
    if (ec) throw_error(ec, "weft: conn::adopt");
    return c;
}

int conn::release() {
    if (d_ == nullptr) return -1;
    const int fd = detail::release_io_descriptor(*d_);
    if (fd == -EBUSY) {
        throw std::logic_error("weft: conn::release() while an operation is under way; end that "
                               "first, by a deadline, say");
    }
    return fd < 0 ? -1 : fd;
}

std::size_t conn::read(std::span<std::byte> to, std::error_code& ec) {
    WEFT_PARKS;
    return finish(read_some(d_, to), ec);
}
std::size_t conn::read(std::span<std::byte> to) {
    WEFT_PARKS;
    return finish_or_throw(read_some(d_, to), "weft: conn::read");
}

// One request for both ways: this is in the frames of ten thousand that wait.
std::int64_t conn::read_into(buffer& to) {
    if (to.empty()) {
        to.clear();
    } else if (to.end_ == buffer::capacity && to.begin_ != 0) {
        std::memmove(to.memory_, to.memory_ + to.begin_, to.size());
        to.end_ = to.size();
        to.begin_ = 0;
    }
    if (to.end_ == buffer::capacity) return -ENOBUFS;
    io_request r{.kind = to.memory_ == nullptr ? io_kind::read_loan : io_kind::read,
                 .d = d_,
                 .data = to.memory_ + to.end_,
                 .size = buffer::capacity - to.end_};
    const std::int64_t n = detail::perform(r);
    if (n <= 0) return n;
    if (r.kind == io_kind::read_loan) to.memory_ = static_cast<std::byte*>(r.data);
    to.end_ += static_cast<std::size_t>(n);
    return n;
}

std::size_t conn::read(buffer& to, std::error_code& ec) {
    WEFT_PARKS;
    return finish(read_into(to), ec);
}
std::size_t conn::read(buffer& to) {
    WEFT_PARKS;
    return finish_or_throw(read_into(to), "weft: conn::read");
}

bool conn::wait_readable(std::optional<time_point> until, std::error_code& ec) {
    WEFT_PARKS;
    std::int64_t n = 0;
    const bool there = wait_for(d_, until, n);
    finish(n, ec);
    return there;
}
bool conn::wait_readable(std::optional<time_point> until) {
    WEFT_PARKS;
    std::int64_t n = 0;
    const bool there = wait_for(d_, until, n);
    if (n < 0) throw_error(error_of(n), "weft: conn::wait_readable");
    return there;
}

std::size_t conn::write(std::span<const std::byte> from, std::error_code& ec) {
    WEFT_PARKS;
    return finish(write_some(d_, from), ec);
}
std::size_t conn::write(std::span<const std::byte> from) {
    WEFT_PARKS;
    return finish_or_throw(write_some(d_, from), "weft: conn::write");
}

std::size_t conn::write_all(std::span<const std::byte> from, std::error_code& ec) {
    WEFT_PARKS;
    std::size_t done = 0;
    finish(write_everything(d_, from, done), ec);
    return done;
}
void conn::write_all(std::span<const std::byte> from) {
    WEFT_PARKS;
    std::size_t done = 0;
    finish_or_throw(write_everything(d_, from, done), "weft: conn::write_all");
}

std::size_t conn::write_all(std::span<const std::span<const std::byte>> parts,
                            std::error_code& ec) {
    WEFT_PARKS;
    std::size_t done = 0;
    finish(write_everything(d_, parts, done), ec);
    return done;
}
void conn::write_all(std::span<const std::span<const std::byte>> parts) {
    WEFT_PARKS;
    std::size_t done = 0;
    finish_or_throw(write_everything(d_, parts, done), "weft: conn::write_all");
}

void conn::set_deadline(std::optional<time_point> when) noexcept {
    set_read_deadline(when);
    set_write_deadline(when);
}
void conn::set_read_deadline(std::optional<time_point> when) noexcept {
    if (d_ != nullptr) detail::set_io_deadline(*d_, io_side_of::read, detail::deadline_of(when));
}
void conn::set_write_deadline(std::optional<time_point> when) noexcept {
    if (d_ != nullptr) detail::set_io_deadline(*d_, io_side_of::write, detail::deadline_of(when));
}

void conn::close(std::error_code& ec) noexcept {
    finish_option(d_ != nullptr ? detail::close_io_descriptor(*d_) : -EBADF, ec);
}
void conn::close() noexcept {
    std::error_code ignored;
    close(ignored);
}

namespace {

// Runs f(number) with the number open meanwhile.
template <class F>
int with_number(io_descriptor* d, F&& f) noexcept {
    const io_hold hold(d);
    return hold ? f(d->fd) : -EBADF;
}

}  // namespace

void conn::shutdown_write(std::error_code& ec) noexcept {
    finish_option(
        with_number(
            d_, [](int fd) { return detail::shutdown_socket(fd, detail::shutdown_side::write); }),
        ec);
}
void conn::shutdown_write() {
    std::error_code ec;
    shutdown_write(ec);
    if (ec) throw_error(ec, "weft: conn::shutdown_write");
}
void conn::shutdown_read(std::error_code& ec) noexcept {
    finish_option(
        with_number(
            d_, [](int fd) { return detail::shutdown_socket(fd, detail::shutdown_side::read); }),
        ec);
}
void conn::shutdown_read() {
    std::error_code ec;
    shutdown_read(ec);
    if (ec) throw_error(ec, "weft: conn::shutdown_read");
}

endpoint conn::local(std::error_code& ec) const noexcept {
    detail::socket_address a;
    finish_option(with_number(d_, [&](int fd) { return detail::local_address(fd, a); }), ec);
    return ec ? endpoint() : detail::net_access::endpoint_of(a);
}
endpoint conn::local() const {
    std::error_code ec;
    const endpoint e = local(ec);
    if (ec) throw_error(ec, "weft: conn::local");
    return e;
}
endpoint conn::remote(std::error_code& ec) const noexcept {
    detail::socket_address a;
    finish_option(with_number(d_, [&](int fd) { return detail::peer_address(fd, a); }), ec);
    return ec ? endpoint() : detail::net_access::endpoint_of(a);
}
endpoint conn::remote() const {
    std::error_code ec;
    const endpoint e = remote(ec);
    if (ec) throw_error(ec, "weft: conn::remote");
    return e;
}

int conn::native_handle() noexcept {
    if (d_ == nullptr) return -1;
    detail::show_io_descriptor(*d_);
    const io_hold hold(d_);
    return hold ? d_->fd : -1;
}
bool conn::is_open() const noexcept { return static_cast<bool>(io_hold(d_)); }

namespace {

int set_keep_alive_of(int fd, int interval) noexcept {
    int error = detail::set_socket_option(fd, SOL_SOCKET, SO_KEEPALIVE, interval != 0 ? 1 : 0);
    if (error != 0 || interval == 0) return error;
    error = detail::set_socket_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, interval);
    if (error != 0) return error;
    return detail::set_socket_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval);
}

}  // namespace

void conn::set_keep_alive(std::chrono::seconds interval, std::error_code& ec) noexcept {
    finish_option(with_number(d_, [&](int fd) { return set_keep_alive_of(fd, clamped(interval)); }),
                  ec);
}
void conn::set_keep_alive(std::chrono::seconds interval) {
    std::error_code ec;
    set_keep_alive(interval, ec);
    if (ec) throw_error(ec, "weft: conn::set_keep_alive");
}

void conn::set_user_timeout_ns(std::chrono::nanoseconds d, std::error_code& ec) noexcept {
    const std::int64_t ms = d.count() <= 0 ? 0 : (d.count() - 1) / 1'000'000 + 1;
    const int value = static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
    finish_option(with_number(d_,
                              [&](int fd) {
                                  return detail::set_socket_option(fd, IPPROTO_TCP,
                                                                   TCP_USER_TIMEOUT, value);
                              }),
                  ec);
}
void conn::set_user_timeout_ns(std::chrono::nanoseconds d) {
    std::error_code ec;
    set_user_timeout_ns(d, ec);
    if (ec) throw_error(ec, "weft: conn::set_user_timeout");
}

void conn::set_no_delay(bool on, std::error_code& ec) noexcept {
    finish_option(with_number(d_,
                              [&](int fd) {
                                  return detail::set_socket_option(fd, IPPROTO_TCP, TCP_NODELAY,
                                                                   on ? 1 : 0);
                              }),
                  ec);
}
void conn::set_no_delay(bool on) {
    std::error_code ec;
    set_no_delay(on, ec);
    if (ec) throw_error(ec, "weft: conn::set_no_delay");
}

void conn::set_linger(std::optional<std::chrono::seconds> d, std::error_code& ec) noexcept {
    finish_option(with_number(d_,
                              [&](int fd) {
                                  return detail::set_socket_linger(fd, d.has_value(),
                                                                   d ? clamped(*d) : 0);
                              }),
                  ec);
}
void conn::set_linger(std::optional<std::chrono::seconds> d) {
    std::error_code ec;
    set_linger(d, ec);
    if (ec) throw_error(ec, "weft: conn::set_linger");
}

credentials conn::peer_credentials(std::error_code& ec) const noexcept {
    credentials who;
    finish_option(with_number(d_,
                              [&](int fd) {
                                  int family = 0;
                                  const int error =
                                      detail::get_socket_option(fd, SOL_SOCKET, SO_DOMAIN, family);
                                  if (error != 0) return error;
                                  if (family != AF_UNIX) return -EOPNOTSUPP;
                                  return detail::peer_process(fd, who.pid, who.uid, who.gid);
                              }),
                  ec);
    return who;
}
credentials conn::peer_credentials() const {
    std::error_code ec;
    const credentials who = peer_credentials(ec);
    if (ec) throw_error(ec, "weft: conn::peer_credentials");
    return who;
}

namespace {

bool wait_for_number(int fd, std::uint32_t what, const std::optional<time_point>& until,
                     std::error_code& ec) {
    const int n = detail::wait_until_ready(fd, what, detail::deadline_of(until));
    finish(n, ec);
    return n > 0;
}

}  // namespace

bool wait_readable(int fd, std::optional<time_point> until, std::error_code& ec) {
    WEFT_PARKS;
    return wait_for_number(fd, detail::poll_in, until, ec);
}
bool wait_readable(int fd, std::optional<time_point> until) {
    WEFT_PARKS;
    std::error_code ec;
    const bool there = wait_for_number(fd, detail::poll_in, until, ec);
    if (ec) throw_error(ec, "weft: net::wait_readable");
    return there;
}
bool wait_writable(int fd, std::optional<time_point> until, std::error_code& ec) {
    WEFT_PARKS;
    return wait_for_number(fd, detail::poll_out, until, ec);
}
bool wait_writable(int fd, std::optional<time_point> until) {
    WEFT_PARKS;
    std::error_code ec;
    const bool there = wait_for_number(fd, detail::poll_out, until, ec);
    if (ec) throw_error(ec, "weft: net::wait_writable");
    return there;
}

}  // namespace weft::net
