// Connections: what goes in comes out, and every way in which that may end.
#include "support/dump.hpp"
#include "support/net.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Net : public with_runtime {};
WEFT_TEST_PROCESSORS(Net);

using NetPlain = plain_runtime;

TEST_P(Net, WhatOneSideWritesTheOtherReads) {
    run([] {
        for (auto& [a, b] : both_kinds()) {
            a.write_all("there");
            EXPECT_EQ(read_text(b, 5), "there");
            b.write_all("and back");
            EXPECT_EQ(read_text(a, 8), "and back");
            a.close();
            EXPECT_EQ(read_text(b), "");
            EXPECT_EQ(read_text(b), "") << "the end comes again";
        }
    });
}

TEST_P(Net, ManyEchoAtOnce) {
    run([] {
        net::listener l = net::listen("127.0.0.1:0");
        const std::string address = l.local().to_string();
        scope servers;
        servers.go([&] {
            for (;;) servers.go([c = l.accept()]() mutable { echo(std::move(c)); });
        });
        {
            scope clients;
            for (unsigned i = 0; i != 50; ++i) {
                clients.go([&, i] {
                    net::conn c = net::dial(address);
                    for (unsigned n = 0; n != 50 / slowdown + 1; ++n) {
                        const std::string text = std::to_string(i) + ":" + std::to_string(n);
                        c.write_all(text);
                        ASSERT_EQ(read_text(c, text.size()), text);
                    }
                });
            }
            clients.join();
        }
        servers.cancel();
        servers.join();
    });
}

TEST_P(Net, LargeTransfersWaitForASlowReader) {
    run([] {
        for (auto& [a, b] : both_kinds()) {
            std::string text(std::size_t{8} << 20, '\0');
            for (std::size_t i = 0; i != text.size(); ++i)
                text[i] = static_cast<char>(i * 2'654'435'761u >> 24);
            auto writer = spawn([&a = a, &text] {
                a.write_all(text);
                a.shutdown_write();
            });
            std::string got;
            std::vector<char> part(100'000);
            while (const std::size_t n = b.read(part)) {
                got.append(part.data(), n);
                if (got.size() % 7 == 0) yield();
            }
            writer.join();
            EXPECT_TRUE(got == text);
        }
    });
}

TEST_P(Net, BothDirectionsAtOnce) {
    run([] {
        auto [a, b] = tcp_pair();
        const std::string text(std::size_t{4} << 20, 'x');
        scope s;
        for (net::conn* c : {&a, &b}) {
            s.go([c, &text] {
                c->write_all(text);
                c->shutdown_write();
            });
            s.go([c, &text] { EXPECT_EQ(read_text(*c).size(), text.size()); });
        }
        s.join();
    });
}

TEST_P(Net, GatherWritesComeInOrderAndWhole) {
    run([] {
        for (auto& [a, b] : both_kinds()) {
            std::vector<std::string> texts;
            for (unsigned i = 0; i != 300; ++i)
                texts.emplace_back(i % 7 * 1'500, char('a' + i % 26));
            std::string all;
            std::vector<std::span<const std::byte>> parts;
            for (const std::string& t : texts) {
                all += t;
                parts.push_back(std::as_bytes(std::span(t)));
            }
            auto writer = spawn([&a = a, &parts, &all] {
                std::error_code ec;
                EXPECT_EQ(a.write_all(parts, ec), all.size());
                EXPECT_FALSE(ec);
                a.shutdown_write();
            });
            EXPECT_TRUE(read_text(b) == all);
            writer.join();
            std::error_code ec;
            EXPECT_EQ(b.write_all(std::span<const std::span<const std::byte>>(), ec), 0u);
            EXPECT_FALSE(ec);
        }
    });
}

TEST_P(Net, ABufferHasMemoryOnlyWhileSomethingIsInIt) {
    run([] {
        auto [a, b] = tcp_pair();
        net::buffer in;
        EXPECT_TRUE(in.empty());
        auto reader = spawn([&b = b, &in] { return b.read(in); });
        a.write_all("first");
        EXPECT_EQ(reader.join(), 5u);
        EXPECT_EQ(in.text(), "first");
        in.consume(2);
        a.write_all(" and second");
        while (in.size() < 14) b.read(in);
        EXPECT_EQ(in.text(), "rst and second");
        EXPECT_THROW(in.consume(15), std::logic_error);
        net::buffer other = std::move(in);
        EXPECT_TRUE(in.empty());
        other.consume(other.size());
        EXPECT_TRUE(other.empty());
        // Full, and then not.
        auto writer = spawn([&a = a] { a.write_all(std::string(20'000, 'z')); });
        while (other.size() != net::buffer::capacity) b.read(other);
        EXPECT_EQ(error_of([&, &b = b](auto& ec) { b.read(other, ec); }),
                  std::errc::no_buffer_space);
        other.consume(1);
        EXPECT_EQ(b.read(other), 1u);
        writer.join();
    });
}

TEST_P(Net, TwoReadersAndTwoWritersTakeTurns) {
    run([] {
        auto [a, b] = tcp_pair();
        std::string first;
        std::string second;
        chan<int> begun(2);
        auto one = spawn([&, &b = b] {
            begun.send(1);
            first = read_text(b, 3);
        });
        begun.recv();
        sleep_for(5ms);
        auto two = spawn([&, &b = b] {
            begun.send(2);
            second = read_text(b, 3);
        });
        begun.recv();
        sleep_for(5ms);
        a.write_all("abc");
        one.join();
        EXPECT_EQ(first, "abc");
        a.write_all("def");
        two.join();
        EXPECT_EQ(second, "def");

        // What several write at once is not mixed.
        const std::size_t size = 300'000;
        scope s;
        for (const char c : {'1', '2', '3'}) {
            s.go([&a = a, c] { a.write_all(std::string(size, c)); });
        }
        const std::string all = read_text(b, 3 * size);
        s.join();
        for (std::size_t i = 0; i != 3; ++i) {
            const std::string_view part = std::string_view(all).substr(i * size, size);
            EXPECT_EQ(part.find_first_not_of(part.front()), part.npos);
        }
    });
}

TEST_P(Net, ACloseEndsWhatIsUnderWayAndAllThatComesLater) {
    run([] {
        const std::string much(std::size_t{8} << 20, 'x');
        for (auto& [a, b] : both_kinds()) {
            std::vector<join_handle<std::error_code>> readers;
            for (unsigned i = 0; i != 3; ++i) {
                readers.push_back(spawn([&b = b] {
                    char c = 0;
                    return error_of([&](auto& ec) { b.read(std::span(&c, 1), ec); });
                }));
            }
            auto writer =
                spawn([&, &b = b] { return error_of([&](auto& ec) { b.write_all(much, ec); }); });
            // All of them wait: two of the readers behind the first.
            dump_until([](const dump_blocks& d) {
                std::size_t waiting = 0;
                for (const dump_block& one : d.all()) {
                    if (one.status().find("network ") != std::string::npos) waiting += one.count();
                }
                return waiting == 4;
            });
            b.close();
            for (auto& r : readers) EXPECT_EQ(r.join(), std::errc::operation_canceled);
            EXPECT_EQ(writer.join(), std::errc::operation_canceled);
            char c = 0;
            EXPECT_EQ(error_of([&, &b = b](auto& ec) { b.read(std::span(&c, 1), ec); }),
                      std::errc::bad_file_descriptor);
            EXPECT_EQ(error_of([&b = b](auto& ec) { b.close(ec); }),
                      std::errc::bad_file_descriptor);
            EXPECT_FALSE(b.is_open());
            EXPECT_EQ(b.native_handle(), -1);
        }
    });
}

TEST_P(Net, DefaultOnesAndMovedFromOnesAreClosed) {
    run([] {
        net::conn c;
        char t[1];
        EXPECT_EQ(error_of([&](auto& ec) { c.read(t, ec); }), std::errc::bad_file_descriptor);
        EXPECT_EQ(error_of([&](auto& ec) { c.write("x", ec); }), std::errc::bad_file_descriptor);
        EXPECT_EQ(error_of([&](auto& ec) { c.write_all("x", ec); }),
                  std::errc::bad_file_descriptor);
        EXPECT_EQ(error_of([&](auto& ec) { c.shutdown_write(ec); }),
                  std::errc::bad_file_descriptor);
        EXPECT_EQ(error_of([&](auto& ec) { (void)c.local(ec); }), std::errc::bad_file_descriptor);
        EXPECT_THROW(c.read(t), std::system_error);
        c.set_deadline(in(1s));
        c.close();
        EXPECT_EQ(c.release(), -1);
        net::listener l;
        EXPECT_EQ(error_of([&](auto& ec) { (void)l.accept(ec); }), std::errc::bad_file_descriptor);
        EXPECT_THROW((void)l.accept(), std::system_error);
        l.set_deadline(in(1s));
        l.close();
        auto [a, b] = tcp_pair();
        net::conn moved = std::move(a);
        EXPECT_FALSE(a.is_open());
        moved.write_all("x");
        EXPECT_EQ(read_text(b, 1), "x");
        moved = net::conn();
        EXPECT_EQ(read_text(b), "");
    });
}

TEST_P(Net, HalfCloses) {
    run([] {
        auto [a, b] = tcp_pair();
        a.write_all("question");
        a.shutdown_write();
        EXPECT_EQ(read_text(b), "question");
        b.write_all("answer");
        b.close();
        EXPECT_EQ(read_text(a), "answer");
        EXPECT_EQ(error_of([&a = a](auto& ec) { a.write("x", ec); }), std::errc::broken_pipe);
        auto [c, d] = unix_pair();
        c.shutdown_read();
        EXPECT_EQ(read_text(c), "");
        EXPECT_EQ(error_of([&d = d](auto& ec) { d.write_all("x", ec); }), std::errc::broken_pipe);
    });
}

TEST_P(Net, ARequestToStopEndsAWait) {
    run([] {
        auto [a, b] = tcp_pair();
        net::listener l = net::listen("127.0.0.1:0");
        auto reader = spawn([&b = b] {
            char t[1];
            b.read(t);
        });
        auto acceptor = spawn([&l] { (void)l.accept(); });
        sleep_for(5ms);
        reader.request_stop();
        acceptor.request_stop();
        EXPECT_THROW(reader.join(), coroutine_cancelled);
        EXPECT_THROW(acceptor.join(), coroutine_cancelled);
        a.write_all("still there");
        EXPECT_EQ(read_text(b, 11), "still there");
        EXPECT_THROW(with_timeout(5ms,
                                  [&b = b] {
                                      char t[1];
                                      b.read(t);
                                  }),
                     timed_out);
    });
}

TEST_P(Net, ACancelledWriteSaysHowMuchArrived) {
    run([] {
        for (auto& [a, b] : both_kinds()) {
            std::size_t written = 0;
            a.set_write_deadline(in(30ms));
            std::error_code ec;
            written = a.write_all(std::string(std::size_t{16} << 20, 'x'), ec);
            EXPECT_EQ(ec, std::errc::timed_out);
            a.close();
            EXPECT_EQ(read_text(b).size(), written);
        }
    });
}

TEST_P(Net, DataAndTheEndInOneEdge) {
    run([] {
        for (unsigned i = 0; i != 200 / slowdown; ++i) {
            auto [a, b] = tcp_pair();
            auto reader = spawn([&b = b] {
                std::vector<char> large(65'536);
                std::string got;
                while (const std::size_t n = b.read(large)) got.append(large.data(), n);
                return got;
            });
            if (i % 2 == 0) sleep_for(200us);
            a.write_all("the last words");
            a.close();
            EXPECT_EQ(reader.join(), "the last words");
        }
    });
}

TEST_P(Net, UrgentDataDividesAReadAndLosesNothing) {
    run([] {
        auto [a, b] = tcp_pair();
        auto reader = spawn([&b = b] { return read_text(b); });
        sleep_for(2ms);
        const int fd = a.native_handle();
        ASSERT_EQ(::send(fd, "before", 6, MSG_NOSIGNAL), 6);
        ASSERT_EQ(::send(fd, "!", 1, MSG_OOB | MSG_NOSIGNAL), 1);
        ASSERT_EQ(::send(fd, "behind", 6, MSG_NOSIGNAL), 6);
        sleep_for(20ms);
        a.close();
        EXPECT_EQ(reader.join(), "beforebehind");
    });
}

TEST_P(Net, DescriptorsInTheMiddleDivideAReadAndLoseNothing) {
    run([] {
        auto [a, b] = unix_pair();
        auto reader = spawn([&b = b] { return read_text(b, 18); });
        sleep_for(2ms);
        const int fd = a.native_handle();
        ASSERT_EQ(::send(fd, "before", 6, MSG_NOSIGNAL), 6);
        char data[] = "middle";
        iovec part{data, 6};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        ASSERT_EQ(::sendmsg(fd, &message, MSG_NOSIGNAL), 6);
        ASSERT_EQ(::send(fd, "behind", 6, MSG_NOSIGNAL), 6);
        EXPECT_EQ(reader.join(), "beforemiddlebehind");
    });
}

TEST_P(Net, AResetComesBehindWhatHadArrived) {
    run([] {
        auto [a, b] = tcp_pair();
        a.write_all("last");
        sleep_for(5ms);
        a.set_linger(0s);
        a.close();
        sleep_for(5ms);
        // The kernel drops what had arrived when it is told of the reset, or not: what comes must be in this order.
        std::error_code ec;
        char t[10];
        const std::size_t n = b.read(t, ec);
        if (!ec) {
            EXPECT_EQ(std::string_view(t, n), "last");
            b.read(t, ec);
        }
        EXPECT_EQ(ec, std::errc::connection_reset);
        EXPECT_EQ(error_of([&b = b](auto& e) { b.write("x", e); }), std::errc::broken_pipe);
    });
}

TEST_P(Net, APeerThatClosesWithUnreadDataResets) {
    run([] {
        auto [a, b] = tcp_pair();
        b.write_all("nobody reads this");
        sleep_for(5ms);
        a.close();
        EXPECT_EQ(error_of([&, &b = b](auto& ec) {
                      char t[10];
                      b.read(t, ec);
                  }),
                  std::errc::connection_reset);
    });
}

TEST_P(Net, WithoutFreeDescriptorsAcceptSaysSoOnceAndThenWaits) {
    if (address_sanitizer)
        GTEST_SKIP() << "the sanitizer itself needs descriptors: it looks at memory by a pipe";
    run([] {
        net::listener l = net::listen("127.0.0.1:0", {.backlog = 200});
        const std::string address = l.local().to_string();
        constexpr unsigned count = 40;
        std::vector<net::conn> clients;
        for (unsigned i = 0; i != count; ++i) clients.push_back(net::dial(address));
        rlimit before{};
        ::getrlimit(RLIMIT_NOFILE, &before);
        // No more than there are.
        const int top = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        ::close(top);
        const rlimit none{static_cast<rlim_t>(top), before.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
        EXPECT_EQ(error_of([&](auto& ec) { (void)l.accept(ec); }), std::errc::too_many_files_open);
        l.set_deadline(in(20ms));
        EXPECT_EQ(error_of([&](auto& ec) { (void)l.accept(ec); }), std::errc::timed_out);
        l.set_deadline(std::nullopt);
        auto acceptor = spawn([&l] {
            std::vector<net::conn> accepted;
            while (accepted.size() != count) accepted.push_back(l.accept());
            return accepted.size();
        });
        sleep_for(20ms);
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
        EXPECT_EQ(acceptor.join(), count);
    });
}

TEST_P(Net, EndpointsAsTextAndBack) {
    run([] {
        net::listener v4 = net::listen("127.0.0.1:0");
        EXPECT_EQ(v4.local().host(), "127.0.0.1");
        EXPECT_NE(v4.local().port(), 0);
        EXPECT_EQ(v4.local(), net::make_endpoint("127.0.0.1", v4.local().port()));
        std::error_code ec;
        net::listener v6 = net::listen("[::1]:0", ec);
        if (!ec) {
            EXPECT_EQ(v6.local().host(), "::1");
            EXPECT_EQ(v6.local().to_string(), "[::1]:" + std::to_string(v6.local().port()));
            net::conn c = net::dial(v6.local().to_string());
            EXPECT_EQ(c.remote(), v6.local());
            EXPECT_EQ(v6.accept().remote(), c.local());
            // Both families come to one that listens everywhere.
            net::listener both = net::listen(":0");
            const std::string port = std::to_string(both.local().port());
            net::conn by4 = net::dial("127.0.0.1:" + port);
            net::conn by6 = net::dial("[::1]:" + port);
            EXPECT_TRUE(both.accept().is_open());
            EXPECT_TRUE(both.accept().is_open());
        }
        EXPECT_EQ(net::endpoint(), net::endpoint());
        EXPECT_EQ(net::endpoint().to_string(), "");
        EXPECT_NE(net::make_endpoint("127.0.0.1", 1), net::make_endpoint("127.0.0.1", 2));
        EXPECT_EQ(net::make_endpoint("unix:/tmp/x").to_string(), "unix:/tmp/x");
        EXPECT_EQ(net::make_endpoint("unix:@x").host(), "@x");
        for (const char* bad : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                                "127.0.0.1:1x", ":", "::1:80", "[::1]", "[::1:80", "[127.0.0.1]:80",
                                "[]:80", "unix:", "a b:80", "http://x:80", "127.0.0.1:080808"}) {
            EXPECT_EQ(error_of([&](auto& e) { (void)net::listen(bad, e); }),
                      std::errc::invalid_argument)
                << bad;
            EXPECT_EQ(error_of([&](auto& e) { (void)net::dial(bad, e); }),
                      std::errc::invalid_argument)
                << bad;
        }
    });
}

TEST_P(Net, UnixSocketsHaveAPathThatGoesWithThem) {
    run([] {
        const std::string path =
            (std::filesystem::temp_directory_path() / ("weft-net-" + std::to_string(::getpid())))
                .string();
        {
            net::listener l = net::listen("unix:" + path, {.unix_mode = 0600});
            struct stat about {};
            ASSERT_EQ(::stat(path.c_str(), &about), 0);
            EXPECT_EQ(about.st_mode & 0777, 0600u);
            EXPECT_EQ(error_of([&](auto& ec) { (void)net::listen("unix:" + path, ec); }),
                      std::errc::address_in_use);
            net::conn c = net::dial("unix:" + path);
            net::conn d = l.accept();
            c.write_all("by path");
            EXPECT_EQ(read_text(d, 7), "by path");
            EXPECT_EQ(c.peer_credentials().pid, ::getpid());
            EXPECT_EQ(d.peer_credentials().uid, ::getuid());
            EXPECT_TRUE(l.local().is_unix());
            EXPECT_EQ(l.local().host(), path);
        }
        EXPECT_FALSE(std::filesystem::exists(path));
        // One that nobody listens on any more does not stand in the way.
        const int stale = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path.c_str());
        ASSERT_EQ(::bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
        ::close(stale);
        net::listener again = net::listen("unix:" + path);
        again.close();
        EXPECT_FALSE(std::filesystem::exists(path));
        // Names that are in no file system.
        net::listener abstract = net::listen("unix:@" + path);
        net::conn c = net::dial("unix:@" + path);
        EXPECT_TRUE(abstract.accept().is_open());
        EXPECT_EQ(error_of([&](auto& ec) { (void)net::dial("unix:" + path + "-none", ec); }),
                  std::errc::no_such_file_or_directory);
        EXPECT_EQ(error_of([&](auto& ec) { (void)net::dial("unix:" + std::string(200, 'x'), ec); }),
                  std::errc::filename_too_long);
        auto [x, y] = tcp_pair();
        EXPECT_EQ(error_of([&, &x = x](auto& ec) { (void)x.peer_credentials(ec); }),
                  std::errc::operation_not_supported);
    });
}

TEST_P(Net, OptionsReachTheSocket) {
    run([] {
        auto [a, b] = tcp_pair();
        const auto option = [](net::conn& c, int level, int name) {
            int value = -1;
            socklen_t size = sizeof(value);
            EXPECT_EQ(::getsockopt(c.native_handle(), level, name, &value, &size), 0);
            return value;
        };
        for (net::conn* c : {&a, &b}) {
            EXPECT_NE(option(*c, IPPROTO_TCP, TCP_NODELAY), 0);
            EXPECT_NE(option(*c, SOL_SOCKET, SO_KEEPALIVE), 0);
            EXPECT_EQ(option(*c, IPPROTO_TCP, TCP_KEEPIDLE), 15);
            c->set_no_delay(false);
            EXPECT_EQ(option(*c, IPPROTO_TCP, TCP_NODELAY), 0);
            c->set_keep_alive(30s);
            EXPECT_EQ(option(*c, IPPROTO_TCP, TCP_KEEPIDLE), 30);
            c->set_keep_alive(0s);
            EXPECT_EQ(option(*c, SOL_SOCKET, SO_KEEPALIVE), 0);
            c->set_user_timeout(1500us);
            EXPECT_EQ(option(*c, IPPROTO_TCP, TCP_USER_TIMEOUT), 2);
            const int flags = ::fcntl(c->native_handle(), F_GETFD);
            EXPECT_NE(flags & FD_CLOEXEC, 0);
        }
    });
}

TEST_P(Net, AdoptedAndReleasedOnesKeepTheirNumberAndFlags) {
    run([] {
        int fds[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        net::conn a = net::conn::adopt(fds[0]);
        EXPECT_EQ(a.native_handle(), fds[0]);
        auto reader = spawn([&a] { return read_text(a, 2); });
        sleep_for(5ms);
        EXPECT_THROW((void)a.release(), std::logic_error);
        ASSERT_EQ(::send(fds[1], "ok", 2, MSG_NOSIGNAL), 2);
        EXPECT_EQ(reader.join(), "ok");
        EXPECT_EQ(a.release(), fds[0]);
        EXPECT_FALSE(a.is_open());
        EXPECT_EQ(::fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
        a = net::conn::adopt(fds[0]);  // And back.
        auto later = spawn([&a] { return read_text(a, 2); });
        sleep_for(5ms);
        ASSERT_EQ(::send(fds[1], "go", 2, MSG_NOSIGNAL), 2);
        EXPECT_EQ(later.join(), "go");
        ::close(fds[1]);

        const int plain = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        EXPECT_EQ(error_of([&](auto& ec) { (void)net::conn::adopt(plain, ec); }),
                  std::errc::not_a_socket);
        EXPECT_EQ(error_of([&](auto& ec) { (void)net::conn::adopt(-1, ec); }),
                  std::errc::bad_file_descriptor);
        EXPECT_THROW((void)net::listener::adopt(plain), std::system_error);
        ::close(plain);

        const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(::listen(listening, 5), 0);
        net::listener l = net::listener::adopt(listening);
        net::conn c = net::dial("127.0.0.1:" + std::to_string(l.local().port()));
        EXPECT_TRUE(l.accept().is_open());
    });
}

TEST_P(Net, EventsOfAClosedOneWhoseDuplicateLivesAreIgnored) {
    run([] {
        for (unsigned i = 0; i != 20; ++i) {
            auto [a, b] = tcp_pair();
            auto reader = spawn([&b = b] {
                char t[1];
                std::error_code ec;
                b.read(t, ec);
            });
            sleep_for(1ms);
            const int twin = ::dup(b.native_handle());
            b.close();
            reader.join();
            auto [c, d] = tcp_pair();  // It may get the number and the memory.
            auto other = spawn([&d = d] { return read_text(d, 2); });
            a.write_all("to the twin");
            sleep_for(1ms);
            c.write_all("ok");
            EXPECT_EQ(other.join(), "ok");
            char t[20];
            EXPECT_EQ(::recv(twin, t, sizeof(t), 0), 11);
            ::close(twin);
        }
    });
}

TEST_P(Net, ThreadsBlockAndSoDoesTheInsideOfBlocking) {
    run([] {
        net::listener l = net::listen("127.0.0.1:0");
        const std::string address = l.local().to_string();
        auto server = spawn([&l] {
            for (unsigned i = 0; i != 2; ++i)
                go([c = l.accept()]() mutable { echo(std::move(c)); });
        });
        const auto client = [&address] {
            net::conn c = net::dial(address);
            for (unsigned i = 0; i != 100; ++i) {
                c.write_all("ping");
                ASSERT_EQ(read_text(c, 4), "ping");
            }
            c.set_read_deadline(in(10ms));
            char t[1];
            EXPECT_EQ(error_of([&](auto& ec) { c.read(t, ec); }), std::errc::timed_out);
            // Moved under the wait.
            c.set_read_deadline(in(1h));
            std::thread sooner([&c] {
                std::this_thread::sleep_for(10ms);
                c.set_read_deadline(in(0ms));
            });
            EXPECT_EQ(error_of([&](auto& ec) { c.read(t, ec); }), std::errc::timed_out);
            sooner.join();
            std::thread closer([&c] {
                std::this_thread::sleep_for(10ms);
                c.close();
            });
            EXPECT_EQ(error_of([&](auto& ec) {
                          c.set_read_deadline(std::nullopt);
                          c.read(t, ec);
                      }),
                      std::errc::operation_canceled);
            closer.join();
        };
        blocking(client);
        std::thread thread(client);
        blocking([&] { thread.join(); });
        server.join();
    });
}

TEST_F(NetPlain, WithoutARuntimeItIsALogicError) {
    EXPECT_THROW((void)net::listen("127.0.0.1:0"), std::logic_error);
    EXPECT_THROW((void)net::dial("127.0.0.1:1"), std::logic_error);
    EXPECT_THROW(net::wait_readable(0), std::logic_error);
    EXPECT_THROW(testing::simulate(1, [] { (void)net::dial("127.0.0.1:1"); }), std::logic_error);
}

TEST_F(NetPlain, ConnectionsOutliveTheirRuntimeAndGoOnInTheNextOne) {
    conn_pair p;
    net::listener l;
    for (unsigned i = 0; i != 3; ++i) {
        run([&] {
            if (i == 0) {
                p = tcp_pair();
                l = net::listen("127.0.0.1:0");
            }
            auto reader = spawn([&] { return read_text(p.b, 4); });
            auto acceptor = spawn([&] { return l.accept(); });
            sleep_for(5ms);
            p.a.write_all("ping");
            EXPECT_EQ(reader.join(), "ping");
            const net::conn c = net::dial(l.local().to_string());
            EXPECT_TRUE(acceptor.join().is_open());
        });
        char t[1];
        EXPECT_THROW(p.a.read(t), std::logic_error);
        EXPECT_EQ(p.a.local(), p.b.remote());
    }
    p.a.close();
    p.b = net::conn();
    l = net::listener();
}

TEST_F(NetPlain, AThreadThatWaitsFindsOutThatTheRuntimeStops) {
    conn_pair p;
    std::thread waits;
    run([&] {
        p = tcp_pair();
        waits = std::thread([&] {
            char t[1];
            EXPECT_THROW(p.b.read(t), std::logic_error);
        });
        sleep_for(20ms);
    });
    waits.join();
    p.a.close();
    p.b.close();
    p = conn_pair();
}

TEST_F(NetPlain, WhoeverWaitsForTheOutsideIsInNoDeadlock) {
    // Main waits for a connection that comes from another process: nothing of weft's could ever wake it.
    int ready[2];
    ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        std::uint16_t port = 0;
        if (::read(ready[0], &port, sizeof(port)) != sizeof(port)) ::_exit(1);
        ::usleep(700'000);  // Longer than until a second look for deadlocks.
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::_exit(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0 ? 0 : 2);
    }
    run([&] {
        net::listener l = net::listen("127.0.0.1:0");
        const std::uint16_t port = l.local().port();
        ASSERT_EQ(::write(ready[1], &port, sizeof(port)), ssize_t{sizeof(port)});
        EXPECT_TRUE(l.accept().is_open());
    });
    ::close(ready[0]);
    ::close(ready[1]);
    int status = 0;
    blocking([&] { ::waitpid(child, &status, 0); });
    EXPECT_EQ(status, 0);
}

TEST_P(Net, DumpsSayWhatIsWaitedFor) {
    run([] {
        auto [a, b] = tcp_pair();
        auto reader = spawn([&b = b] {
            char t[1];
            std::error_code ec;
            b.read(t, ec);
        });
        sleep_for(5ms);
        std::ostringstream text;
        report::dump(text);
        EXPECT_NE(text.str().find("network read"), std::string::npos) << text.str();
        b.close();
    });
}

}  // namespace
}  // namespace weft::test
