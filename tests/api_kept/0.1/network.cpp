// A program of 0.1: connections, datagrams, names, descriptors of others.

#include "check.hpp"

#include <weft/go.hpp>
#include <weft/net.hpp>
#include <weft/runtime.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace std::string_literals;
namespace net = weft::net;

static_assert(std::is_same_v<net::time_point, weft::clock::time_point>);
static_assert(net::buffer::capacity == std::size_t{16} * 1024);
static_assert(std::is_nothrow_move_constructible_v<net::conn>);
static_assert(std::is_nothrow_move_constructible_v<net::listener>);
static_assert(std::is_nothrow_move_constructible_v<net::packet_conn>);
static_assert(!std::is_copy_constructible_v<net::conn>);

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::string read_exactly(net::conn& c, std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t n = 0; n != size;) {
        const std::size_t more = c.read(std::span(text).subspan(n));
        CHECK(more != 0);
        n += more;
    }
    return text;
}

void options() {
    const net::listen_options l;
    CHECK(l.backlog == 4096 && !l.reuse_port && !l.v6_only && l.keep_alive == 15s &&
          l.unix_mode == 0666);
    const net::dial_options d;
    CHECK(d.timeout == 0ns && d.fallback_delay == 250ms && d.keep_alive == 15s && d.local.empty());
    const net::resolve_options r;
    CHECK(r.version == net::ip_version::any && r.timeout == 0ns);
}

void endpoints() {
    std::error_code ec;
    const net::endpoint none;
    CHECK(none.to_string().empty());
    const net::endpoint e = net::make_endpoint("127.0.0.1", 80);
    CHECK(e.host() == "127.0.0.1" && e.port() == 80 && !e.is_unix());
    CHECK(e.to_string() == "127.0.0.1:80" && e == net::make_endpoint("127.0.0.1", 80, ec) && !ec);
    CHECK(e != none && net::make_endpoint("::1").port() == 0);
    CHECK(net::make_endpoint("unix:/there").is_unix());
    CHECK(net::make_endpoint("no address", 1, ec) == none && ec == std::errc::invalid_argument);
}

void connections() {
    std::error_code ec;
    net::listener l = net::listen("127.0.0.1:0");
    CHECK(l.is_open() && l.native_handle() >= 0 && l.local().port() == l.local(ec).port() && !ec);
    const std::string address = l.local().to_string();

    net::conn a = net::dial(address);
    net::conn b = l.accept();
    CHECK(a.is_open() && b.remote() == a.local() && b.local() == a.remote());
    CHECK(b.remote(ec) == a.local(ec) && !ec);
    a.set_keep_alive(30s);
    a.set_keep_alive(30s, ec);
    a.set_user_timeout(10s);
    a.set_user_timeout(10s, ec);
    a.set_no_delay(false);
    a.set_no_delay(true, ec);
    a.set_linger(std::nullopt);
    a.set_linger(1s, ec);
    CHECK(!ec);

    // Each form of writing and of reading.
    CHECK(a.write("1") == 1 && a.write("2", ec) == 1 && a.write(bytes_of("3")) == 1);
    CHECK(a.write(bytes_of("4"), ec) == 1);
    a.write_all("5");
    CHECK(a.write_all("6", ec) == 1);
    a.write_all(bytes_of("7"));
    CHECK(a.write_all(bytes_of("8"), ec) == 1);
    const std::span<const std::byte> parts[] = {bytes_of("9"), bytes_of("0")};
    a.write_all(std::span(parts));
    CHECK(a.write_all(std::span(parts), ec) == 2 && !ec);
    CHECK(read_exactly(b, 12) == "123456789090");
    CHECK(!b.wait_readable(weft::clock::now()) && !b.wait_readable(weft::clock::now(), ec));

    char text[4] = {};
    a.write_all("abcd");
    CHECK(b.wait_readable());
    CHECK(b.read(std::span(text, 1), ec) == 1 && text[0] == 'a');
    CHECK(b.read(std::as_writable_bytes(std::span(text, 1))) == 1 && text[0] == 'b');
    CHECK(b.read(std::as_writable_bytes(std::span(text, 1)), ec) == 1 && text[0] == 'c');

    net::buffer held;
    CHECK(held.empty() && b.read(held) == 1 && held.size() == 1 && held.text() == "d");
    CHECK(held.bytes()[0] == std::byte{'d'});
    held.consume(1);
    CHECK(held.empty() && throws<std::logic_error>([&] { held.consume(1); }));
    a.write_all("e");
    CHECK(b.read(held, ec) == 1 && !ec);
    net::buffer moved_buffer = std::move(held);
    CHECK(moved_buffer.text() == "e");
    moved_buffer.clear();

    // Deadlines.
    a.set_read_deadline(weft::clock::now() + 1ms);
    CHECK(a.read(text, ec) == 0 && ec == std::errc::timed_out);
    a.set_deadline(std::nullopt);
    a.set_write_deadline(weft::clock::now());
    a.write("x", ec);
    CHECK(ec == std::errc::timed_out);
    a.set_write_deadline({});
    l.set_deadline(weft::clock::now());
    net::conn nobody = l.accept(ec);
    CHECK(ec == std::errc::timed_out && !nobody.is_open());
    l.set_deadline({});

    // The ends.
    a.shutdown_write();
    a.shutdown_read(ec);
    a.shutdown_write(ec);
    CHECK(b.read(text) == 0);
    b.shutdown_read();
    net::conn moved = std::move(b);
    const int fd = moved.release();
    CHECK(fd >= 0 && !moved.is_open() && moved.native_handle() == -1);
    net::conn adopted = net::conn::adopt(fd);
    CHECK(adopted.native_handle() == fd);
    adopted.close();
    adopted.close(ec);
    CHECK(ec == std::errc::bad_file_descriptor);
    static_cast<void>(net::conn::adopt(-1, ec));
    CHECK(ec);

    net::dial_options from;
    from.timeout = 10s;
    from.local = "127.0.0.1:0";
    net::conn with_options = net::dial(address, from);
    net::conn with_both = net::dial(address, from, ec);
    CHECK(!ec && with_options.is_open() && with_both.is_open());

    const int again = ::dup(l.native_handle());
    net::listener second = net::listener::adopt(again);
    CHECK(second.local() == l.local());
    static_cast<void>(net::listener::adopt(-1, ec));
    CHECK(ec);
    l.close();
    l.close(ec);
    second.close();
    with_both = net::dial(address, ec);
    CHECK(ec == std::errc::connection_refused);
    net::listener shared = net::listen("127.0.0.1:0", {.reuse_port = true});
    shared = net::listen("127.0.0.1:0", ec);
    shared = net::listen("[::1]:0", {.v6_only = true}, ec);  // There may be no IPv6.
}

void unix_sockets() {
    std::error_code ec;
    const std::string address = "unix:@weft-kept-" + std::to_string(::getpid());
    net::listener l = net::listen(address);
    net::conn a = net::dial(address);
    net::conn b = l.accept();
    const net::credentials peer = b.peer_credentials();
    CHECK(peer.pid == ::getpid() && peer.uid == ::getuid() && peer.gid == ::getgid());
    CHECK(b.peer_credentials(ec).pid == peer.pid && !ec);
    b.write_all("hello");
    CHECK(read_exactly(a, 5) == "hello");
}

void datagrams() {
    std::error_code ec;
    net::packet_conn here = net::listen_packet("127.0.0.1:0");
    net::packet_conn there = net::dial_packet(here.local().to_string());
    net::packet_conn other = net::listen_packet("127.0.0.1:0", ec);
    CHECK(here.is_open() && here.native_handle() >= 0 && there.remote() == here.local());
    CHECK(there.remote(ec) == here.local(ec) && !ec);
    here.set_deadline(weft::clock::now() + 10s);
    here.set_read_deadline(weft::clock::now() + 10s);
    here.set_write_deadline({});

    char text[8] = {};
    CHECK(there.send("1") == 1 && there.send("2", ec) == 1 && there.send(bytes_of("3")) == 1);
    CHECK(there.send(bytes_of("4"), ec) == 1 && !ec);
    CHECK(here.recv_from(text) == std::pair(std::size_t{1}, there.local()));
    CHECK(here.recv_from(text, ec).first == 1);
    CHECK(here.recv_from(std::as_writable_bytes(std::span(text))).first == 1);
    CHECK(here.recv_from(std::as_writable_bytes(std::span(text)), ec).first == 1 && !ec);
    CHECK(other.send_to("5", here.local()) == 1 && other.send_to("6", here.local(), ec) == 1);
    CHECK(other.send_to(bytes_of("7"), here.local()) == 1);
    CHECK(other.send_to(bytes_of("8"), here.local(), ec) == 1 && !ec);
    for (int i = 0; i != 4; ++i) CHECK(here.recv_from(text).second == other.local());

    std::string payload = "ab";
    net::datagram out;
    out.bytes = std::as_writable_bytes(std::span(payload));
    out.endpoint = here.local();
    out.segment_size = 0;
    const net::datagram both[] = {out, out};
    CHECK(other.send_many(both) == 2 && other.send_many(both, ec) == 2 && !ec);
    std::size_t received = 0;
    while (received != 4) {
        net::datagram in[1];
        in[0].bytes = std::as_writable_bytes(std::span(text));
        received += received % 2 == 0 ? here.recv_many(in) : here.recv_many(in, ec);
        CHECK(in[0].bytes.size() == 2 && in[0].endpoint == other.local() && !in[0].truncated);
    }

    net::packet_conn moved = std::move(other);
    moved.close();
    moved.close(ec);
    CHECK(ec == std::errc::bad_file_descriptor);
    const int fd = ::dup(here.native_handle());
    net::packet_conn adopted = net::packet_conn::adopt(fd);
    CHECK(adopted.local() == here.local());
    static_cast<void>(net::packet_conn::adopt(-1, ec));
    CHECK(ec);
    other = net::dial_packet("no port", ec);
    CHECK(ec == std::errc::invalid_argument);
}

void names() {
    std::error_code ec;
    CHECK(std::string_view(net::resolver_category().name()) != "");
    net::set_resolver([](std::string_view name) {
        std::vector<net::endpoint> found;
        if (name == "here") found.push_back(net::make_endpoint("127.0.0.1"));
        return found;
    });
    CHECK(net::resolve("here").at(0).host() == "127.0.0.1");
    CHECK(net::resolve("here", {.version = net::ip_version::v4, .timeout = 10s}).size() == 1);
    static_cast<void>(net::resolve("here", {.version = net::ip_version::v6}, ec));
    CHECK(ec == std::errc::host_unreachable);
    net::set_resolver({});
}

void other_descriptors() {
    std::error_code ec;
    int ends[2] = {};
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    CHECK(net::wait_writable(ends[1]) && net::wait_writable(ends[1], weft::clock::now() + 1s, ec));
    CHECK(!net::wait_readable(ends[0], weft::clock::now()));
    CHECK(!net::wait_readable(ends[0], weft::clock::now() + 1ms, ec) && !ec);
    CHECK(::write(ends[1], "x", 1) == 1);
    CHECK(net::wait_readable(ends[0]));
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace

int main() {
    return weft::run([] {
        options();
        endpoints();
        connections();
        unix_sockets();
        datagrams();
        names();
        other_descriptors();
    });
}
