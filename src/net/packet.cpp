// Datagrams.
#include <weft/net.hpp>

#include "base/stack_facts.hpp"
#include "io/descriptor.hpp"
#include "io/transfer.hpp"
#include "net/address.hpp"
#include "net/resolver.hpp"
#include "net/socket.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

namespace weft::detail {

struct packet_state {
    io_descriptor* d = nullptr;
    bool is_unix = false;
    std::string path;  // To be removed.
};

namespace {

// A receiver of unix datagrams whose queue is full tells nobody when it is not any more.
constexpr std::int64_t full_pause_least = 200'000;
constexpr std::int64_t full_pause_most = 20'000'000;

packet_state* new_state(number_hold& fd, bool is_unix, io_descriptor::value flags,
                        std::error_code& ec) {
    auto s = std::make_unique<packet_state>();
    s->d = take_io_descriptor(fd.get(), flags);
    if (s->d == nullptr) {
        ec = error_of(-ENOMEM);
        return nullptr;
    }
    fd.release();
    s->is_unix = is_unix;
    ec.clear();
    return s.release();
}

void fail(std::int64_t error, std::error_code& ec) noexcept { ec = error_of(error); }

packet_state* listen_at(std::string_view address, std::error_code& ec) {
    enter_io();
    parsed_address parsed;
    if (!parse_address(address, parsed)) {
        ec = std::make_error_code(std::errc::invalid_argument);
        return nullptr;
    }
    socket_address a;
    bool everywhere = false;
    if (parsed.is_unix) {
        if (!unix_address(parsed.host, a)) {
            fail(-ENAMETOOLONG, ec);
            return nullptr;
        }
    } else if (parsed.host.empty()) {
        everywhere = numeric_address("::", parsed.port, a);
    } else if (!numeric_address(parsed.host, parsed.port, a)) {
        const std::vector<net::endpoint> found = resolve_name(parsed.host, never, ec);
        if (ec) return nullptr;
        a = net_access::address_of(net_access::with_port(found.front(), parsed.port));
    }
    number_hold fd(open_socket(net_access::family_of(net_access::endpoint_of(a)), SOCK_DGRAM));
    if (fd.get() == -EAFNOSUPPORT && everywhere) {
        static_cast<void>(numeric_address("0.0.0.0", parsed.port, a));
        number_hold v4(open_socket(AF_INET, SOCK_DGRAM));
        const int error = v4.get() < 0 ? v4.get() : bind_socket(v4.get(), a);
        if (error == 0) return new_state(v4, false, 0, ec);
        fail(error, ec);
        return nullptr;
    }
    int error = std::min(fd.get(), 0);
    if (error == 0 && everywhere) error = set_socket_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (error == 0) error = bind_socket(fd.get(), a);
    const bool has_path = parsed.is_unix && !parsed.host.starts_with('@');
    if (error == -EADDRINUSE && has_path && is_stale_socket(parsed.host.c_str(), a)) {
        static_cast<void>(remove_path(parsed.host.c_str()));
        error = bind_socket(fd.get(), a);
    }
    if (error != 0) {
        fail(error, ec);
        return nullptr;
    }
    packet_state* const s = new_state(fd, parsed.is_unix, 0, ec);
    if (s != nullptr && has_path) s->path = parsed.host;
    return s;
}

packet_state* connect_to(const socket_address& a, bool is_unix, std::error_code& ec) {
    number_hold fd(open_socket(net_access::family_of(net_access::endpoint_of(a)), SOCK_DGRAM));
    int error = std::min(fd.get(), 0);
    if (error == 0 && is_unix) {
        // An address that the kernel chooses, so that the other side can answer.
        socket_address any = a;
        any.size = sizeof(sa_family_t);
        error = bind_socket(fd.get(), any);
    }
    if (error == 0) error = connect_socket(fd.get(), a);
    if (error == 0) return new_state(fd, is_unix, 0, ec);
    fail(error, ec);
    return nullptr;
}

packet_state* dial_at(std::string_view address, std::error_code& ec) {
    enter_io();
    parsed_address parsed;
    if (!parse_address(address, parsed)) {
        ec = std::make_error_code(std::errc::invalid_argument);
        return nullptr;
    }
    if (parsed.is_unix) {
        socket_address a;
        if (!unix_address(parsed.host, a)) {
            fail(-ENAMETOOLONG, ec);
            return nullptr;
        }
        return connect_to(a, true, ec);
    }
    const std::vector<net::endpoint> found =
        resolve_name(parsed.host.empty() ? "localhost" : parsed.host, never, ec);
    if (ec) return nullptr;
    std::error_code first;
    for (const net::endpoint& e : found) {
        packet_state* const s =
            connect_to(net_access::address_of(net_access::with_port(e, parsed.port)), false, ec);
        if (s != nullptr) return s;
        if (!first) first = ec;
    }
    ec = first;
    return nullptr;
}

std::int64_t receive_one(packet_state* s, std::span<std::byte> to, socket_address& peer) {
    io_request r{.kind = io_kind::receive_from,
                 .d = s != nullptr ? s->d : nullptr,
                 .data = to.data(),
                 .size = to.size(),
                 .peer = &peer};
    return perform(r);
}

// perform(), again and again while the other side's queue is full.
std::int64_t send_patiently(packet_state* s, io_request& r) {
    r.d = s != nullptr ? s->d : nullptr;
    if (s == nullptr || !s->is_unix) return perform(r);
    const std::int64_t given = r.deadline;
    for (std::int64_t pause = full_pause_least;; pause = std::min(2 * pause, full_pause_most)) {
        r.deadline = std::min(given, now_ns() + pause);
        const std::int64_t n = perform(r);
        if (n != -ETIMEDOUT) return n;
        const std::int64_t own =
            s->d->at(io_side_of::write).deadline.load(std::memory_order_relaxed);
        if (now_ns() >= std::min(given, own)) return n;
        give_back_readiness(*s->d, io_side_of::write);
    }
}

std::int64_t send_one(packet_state* s, std::span<const std::byte> from, const net::endpoint& peer) {
    socket_address a = net_access::address_of(peer);
    io_request r{.kind = io_kind::send_to,
                 .d = nullptr,
                 .data = const_cast<std::byte*>(from.data()),
                 .size = from.size(),
                 .peer = a.size != 0 ? &a : nullptr};
    return send_patiently(s, r);
}

using packets = std::vector<io_packet>;

std::size_t receive_many(packet_state* s, std::span<net::datagram> to, std::error_code& ec) {
    ec.clear();
    if (to.empty()) {
        enter_io();
        return 0;
    }
    packets all(std::min(to.size(), packets_max));
    for (std::size_t i = 0; i != all.size(); ++i) {
        all[i].data = to[i].bytes.data();
        all[i].size = to[i].bytes.size();
    }
    io_request r{.kind = io_kind::receive_packets,
                 .d = s != nullptr ? s->d : nullptr,
                 .size = all.size(),
                 .packets = all.data()};
    const std::int64_t n = perform(r);
    if (n < 0) {
        ec = error_of(n);
        return 0;
    }
    for (std::size_t i = 0; i != static_cast<std::size_t>(n); ++i) {
        to[i].bytes = to[i].bytes.first(std::min(all[i].size, to[i].bytes.size()));
        to[i].endpoint = net_access::endpoint_of(all[i].peer);
        to[i].truncated = all[i].truncated;
        to[i].segment_size = all[i].segment;
    }
    return static_cast<std::size_t>(n);
}

std::size_t send_many(packet_state* s, std::span<const net::datagram> from, std::error_code& ec) {
    ec.clear();
    if (from.empty()) enter_io();
    std::size_t done = 0;
    packets all;
    while (done != from.size()) {
        all.resize(std::min(from.size() - done, packets_max));
        for (std::size_t i = 0; i != all.size(); ++i) {
            const net::datagram& d = from[done + i];
            all[i].data = d.bytes.data();
            all[i].size = d.bytes.size();
            all[i].peer = net_access::address_of(d.endpoint);
            all[i].segment = d.segment_size;
        }
        io_request r{
            .kind = io_kind::send_packets, .d = nullptr, .size = all.size(), .packets = all.data()};
        const std::int64_t n = send_patiently(s, r);
        if (n < 0) {
            ec = error_of(n);
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    return done;
}

void set_deadline(packet_state* s, io_side_of which,
                  const std::optional<net::time_point>& when) noexcept {
    if (s != nullptr) set_io_deadline(*s->d, which, deadline_of(when));
}

}  // namespace
}  // namespace weft::detail

namespace weft::net {

packet_conn& packet_conn::operator=(packet_conn&& other) noexcept {
    if (this == &other) return *this;
    packet_conn old(std::move(*this));
    state_ = std::exchange(other.state_, nullptr);
    return *this;
}

packet_conn::~packet_conn() {
    if (state_ == nullptr) return;
    close();
    detail::drop_io_descriptor(*state_->d);
    delete state_;
}

packet_conn packet_conn::adopt(int fd, std::error_code& ec) {
    detail::enter_io();
    int type = 0;
    int family = 0;
    int error = detail::get_socket_option(fd, SOL_SOCKET, SO_TYPE, type);
    if (error == 0) error = detail::get_socket_option(fd, SOL_SOCKET, SO_DOMAIN, family);
    if (error == 0 && type != SOCK_DGRAM && type != SOCK_SEQPACKET) error = -EPROTOTYPE;
    if (error != 0) {
        ec = detail::error_of(error);
        return {};
    }
    detail::number_hold hold(fd);
    detail::packet_state* const s =
        detail::new_state(hold, family == AF_UNIX, detail::io_descriptor::is_shown, ec);
    if (s == nullptr) hold.release();
    return packet_conn(s);
}

packet_conn packet_conn::adopt(int fd) {
    std::error_code ec;
    packet_conn c = adopt(fd, ec);
    if (ec) detail::throw_error(ec, "weft: packet_conn::adopt");
    return c;
}

std::pair<std::size_t, endpoint> packet_conn::recv_from(std::span<std::byte> to,
                                                        std::error_code& ec) {
    WEFT_PARKS;
    detail::socket_address peer;
    const std::int64_t n = detail::receive_one(state_, to, peer);
    if (n < 0) {
        ec = detail::error_of(n);
        return {};
    }
    ec.clear();
    return {static_cast<std::size_t>(n), detail::net_access::endpoint_of(peer)};
}
std::pair<std::size_t, endpoint> packet_conn::recv_from(std::span<std::byte> to) {
    WEFT_PARKS;
    detail::socket_address peer;
    const std::int64_t n = detail::receive_one(state_, to, peer);
    if (n < 0) detail::throw_error(detail::error_of(n), "weft: packet_conn::recv_from");
    return {static_cast<std::size_t>(n), detail::net_access::endpoint_of(peer)};
}

std::size_t packet_conn::send_to(std::span<const std::byte> from, const endpoint& peer,
                                 std::error_code& ec) {
    WEFT_PARKS;
    const std::int64_t n = detail::send_one(state_, from, peer);
    if (n < 0) {
        ec = detail::error_of(n);
        return 0;
    }
    ec.clear();
    return static_cast<std::size_t>(n);
}
std::size_t packet_conn::send_to(std::span<const std::byte> from, const endpoint& peer) {
    WEFT_PARKS;
    const std::int64_t n = detail::send_one(state_, from, peer);
    if (n < 0) detail::throw_error(detail::error_of(n), "weft: packet_conn::send_to");
    return static_cast<std::size_t>(n);
}

std::size_t packet_conn::recv_many(std::span<datagram> to, std::error_code& ec) {
    return detail::receive_many(state_, to, ec);
}
std::size_t packet_conn::recv_many(std::span<datagram> to) {
    std::error_code ec;
    const std::size_t n = recv_many(to, ec);
    if (ec) detail::throw_error(ec, "weft: packet_conn::recv_many");
    return n;
}
std::size_t packet_conn::send_many(std::span<const datagram> from, std::error_code& ec) {
    return detail::send_many(state_, from, ec);
}
std::size_t packet_conn::send_many(std::span<const datagram> from) {
    std::error_code ec;
    const std::size_t n = send_many(from, ec);
    if (ec) detail::throw_error(ec, "weft: packet_conn::send_many");
    return n;
}

void packet_conn::set_deadline(std::optional<time_point> when) noexcept {
    set_read_deadline(when);
    set_write_deadline(when);
}
void packet_conn::set_read_deadline(std::optional<time_point> when) noexcept {
    detail::set_deadline(state_, detail::io_side_of::read, when);
}
void packet_conn::set_write_deadline(std::optional<time_point> when) noexcept {
    detail::set_deadline(state_, detail::io_side_of::write, when);
}

namespace {

template <class F>
endpoint address_by(const detail::packet_state* s, std::error_code& ec, F&& f) noexcept {
    detail::socket_address a;
    const detail::io_hold hold(s != nullptr ? s->d : nullptr);
    const int error = hold ? f(s->d->fd, a) : -EBADF;
    if (error != 0) {
        ec = detail::error_of(error);
        return {};
    }
    ec.clear();
    return detail::net_access::endpoint_of(a);
}

}  // namespace

endpoint packet_conn::local(std::error_code& ec) const noexcept {
    return address_by(state_, ec, &detail::local_address);
}
endpoint packet_conn::local() const {
    std::error_code ec;
    const endpoint e = local(ec);
    if (ec) detail::throw_error(ec, "weft: packet_conn::local");
    return e;
}
endpoint packet_conn::remote(std::error_code& ec) const noexcept {
    return address_by(state_, ec, &detail::peer_address);
}
endpoint packet_conn::remote() const {
    std::error_code ec;
    const endpoint e = remote(ec);
    if (ec) detail::throw_error(ec, "weft: packet_conn::remote");
    return e;
}

int packet_conn::native_handle() noexcept {
    if (state_ == nullptr) return -1;
    detail::show_io_descriptor(*state_->d);
    const detail::io_hold hold(state_->d);
    return hold ? state_->d->fd : -1;
}
bool packet_conn::is_open() const noexcept {
    return static_cast<bool>(detail::io_hold(state_ != nullptr ? state_->d : nullptr));
}

void packet_conn::close(std::error_code& ec) noexcept {
    int error = -EBADF;
    if (state_ != nullptr) {
        if (is_open() && !state_->path.empty()) {
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
void packet_conn::close() noexcept {
    std::error_code ignored;
    close(ignored);
}

packet_conn listen_packet(std::string_view address, std::error_code& ec) {
    return detail::net_access::make_packet_conn(detail::listen_at(address, ec));
}
packet_conn listen_packet(std::string_view address) {
    std::error_code ec;
    packet_conn c = listen_packet(address, ec);
    if (ec) detail::throw_error(ec, "weft: net::listen_packet");
    return c;
}
packet_conn dial_packet(std::string_view address, std::error_code& ec) {
    return detail::net_access::make_packet_conn(detail::dial_at(address, ec));
}
packet_conn dial_packet(std::string_view address) {
    std::error_code ec;
    packet_conn c = dial_packet(address, ec);
    if (ec) detail::throw_error(ec, "weft: net::dial_packet");
    return c;
}

}  // namespace weft::net
