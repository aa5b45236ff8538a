// Datagrams: UDP and unix.
#include "support/net.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class NetPacket : public with_runtime {};
WEFT_TEST_PROCESSORS(NetPacket);

TEST_P(NetPacket, OneIsReceivedAsItWasSentAndCanBeAnswered) {
    run([] {
        net::packet_conn server = net::listen_packet("127.0.0.1:0");
        net::packet_conn client = net::listen_packet("127.0.0.1:0");
        auto serving = spawn([&] {
            std::array<char, 100> t;
            for (unsigned i = 0; i != 100; ++i) {
                const auto [n, from] = server.recv_from(t);
                server.send_to(std::string_view(t.data(), n), from);
            }
        });
        for (unsigned i = 0; i != 100; ++i) {
            const std::string text(i % 10, 'x');
            EXPECT_EQ(client.send_to(text, server.local()), text.size());
            char t[100];
            const auto [n, from] = client.recv_from(t);
            EXPECT_EQ(std::string_view(t, n), text) << "one of no bytes, too";
            EXPECT_EQ(from, server.local());
        }
        serving.join();
    });
}

TEST_P(NetPacket, AConnectedOneHearsThatNobodyIsThere) {
    run([] {
        net::packet_conn server = net::listen_packet("127.0.0.1:0");
        const std::string address = server.local().to_string();
        net::packet_conn client = net::dial_packet(address);
        EXPECT_EQ(client.remote(), server.local());
        client.send("hello");
        char t[10];
        auto [n, from] = server.recv_from(t);
        EXPECT_EQ(std::string_view(t, n), "hello");
        EXPECT_EQ(from, client.local());
        server.close();
        client.send("anybody?");
        EXPECT_EQ(error_of([&](auto& ec) { client.recv_from(t, ec); }),
                  std::errc::connection_refused);
    });
}

TEST_P(NetPacket, WhatIsTooLongIsCutOff) {
    run([] {
        net::packet_conn a = net::listen_packet("127.0.0.1:0");
        net::packet_conn b = net::dial_packet(a.local().to_string());
        b.send("0123456789");
        b.send("next");
        char t[4];
        EXPECT_EQ(a.recv_from(t).first, 4u);
        std::array<std::byte, 100> buffer;
        net::datagram d{.bytes = buffer};
        EXPECT_EQ(a.recv_many(std::span(&d, 1)), 1u);
        EXPECT_EQ(d.bytes.size(), 4u);
        EXPECT_FALSE(d.truncated);
        b.send("0123456789");
        d.bytes = std::span(buffer).first(5);
        EXPECT_EQ(a.recv_many(std::span(&d, 1)), 1u);
        EXPECT_EQ(d.bytes.size(), 5u);
        EXPECT_TRUE(d.truncated);
    });
}

TEST_P(NetPacket, ManyAtOnce) {
    run([] {
        net::packet_conn a = net::listen_packet("127.0.0.1:0");
        net::packet_conn b = net::listen_packet("127.0.0.1:0");
        std::vector<std::string> texts;
        for (unsigned i = 0; i != 50; ++i) texts.push_back("packet " + std::to_string(i));
        std::vector<net::datagram> out;
        for (std::string& t : texts)
            out.push_back({.bytes = std::as_writable_bytes(std::span(t)), .endpoint = a.local()});
        EXPECT_EQ(b.send_many(out), 50u);
        std::vector<std::array<std::byte, 100>> memory(50);
        std::size_t got = 0;
        while (got != 50) {
            std::vector<net::datagram> in;
            for (std::size_t i = got; i != 50; ++i) in.push_back({.bytes = memory[i]});
            const std::size_t n = a.recv_many(in);
            ASSERT_GE(n, 1u);
            for (std::size_t i = 0; i != n; ++i) {
                const std::string_view text(reinterpret_cast<const char*>(in[i].bytes.data()),
                                            in[i].bytes.size());
                EXPECT_EQ(text, texts[got + i]);
                EXPECT_EQ(in[i].endpoint, b.local());
            }
            got += n;
        }
    });
}

TEST_P(NetPacket, OneCallMaySendManyPartsOfOneSize) {
    run([] {
        net::packet_conn a = net::listen_packet("127.0.0.1:0");
        net::packet_conn b = net::dial_packet(a.local().to_string());
        std::vector<std::byte> large(10 * 1'000 + 10, std::byte{7});
        const net::datagram d{.bytes = large, .segment_size = 1'000};
        std::error_code ec;
        EXPECT_EQ(b.send_many(std::span(&d, 1), ec), 1u);
        ASSERT_FALSE(ec) << ec.message();
        for (unsigned i = 0; i != 11; ++i) {
            std::array<std::byte, 2'000> t;
            EXPECT_EQ(a.recv_from(t).first, i < 10 ? 1'000u : 10u);
        }
    });
}

TEST_P(NetPacket, DeadlinesClosesAndRequestsToStop) {
    run([] {
        net::packet_conn a = net::listen_packet("127.0.0.1:0");
        char t[10];
        a.set_read_deadline(in(5ms));
        EXPECT_EQ(error_of([&](auto& ec) { a.recv_from(t, ec); }), std::errc::timed_out);
        a.set_deadline(std::nullopt);
        auto stopped = spawn([&] { a.recv_from(t); });
        sleep_for(2ms);
        stopped.request_stop();
        EXPECT_THROW(stopped.join(), coroutine_cancelled);
        auto closed = spawn([&] { return error_of([&](auto& ec) { a.recv_from(t, ec); }); });
        sleep_for(5ms);
        a.close();
        EXPECT_EQ(closed.join(), std::errc::operation_canceled);
        EXPECT_EQ(error_of([&](auto& ec) { a.send("x", ec); }), std::errc::bad_file_descriptor);
        net::packet_conn none;
        EXPECT_EQ(error_of([&](auto& ec) { none.recv_from(t, ec); }),
                  std::errc::bad_file_descriptor);
        EXPECT_EQ(error_of([](auto& ec) { (void)net::listen_packet("nonsense", ec); }),
                  std::errc::invalid_argument);
    });
}

TEST_P(NetPacket, UnixOnesWaitForAFullReceiver) {
    run([] {
        const std::string path =
            (std::filesystem::temp_directory_path() / ("weft-packet-" + std::to_string(::getpid())))
                .string();
        {
            net::packet_conn server = net::listen_packet("unix:" + path);
            net::packet_conn client = net::dial_packet("unix:" + path);
            net::packet_conn other = net::listen_packet("unix:@" + path + "-other");
            scope s;
            s.go([&] {
                for (unsigned i = 0; i != 300; ++i) client.send("connected");
            });
            s.go([&] {
                for (unsigned i = 0; i != 300; ++i) other.send_to("by address", server.local());
            });
            s.go([&] {
                unsigned connected = 0;
                for (unsigned i = 0; i != 600; ++i) {
                    if (i % 50 == 0) sleep_for(1ms);
                    char t[100];
                    const auto [n, from] = server.recv_from(t);
                    connected += std::string_view(t, n) == "connected" ? 1 : 0;
                }
                EXPECT_EQ(connected, 300u);
            });
            s.join();
            client.send("question");
            char t[100];
            const auto [n, from] = server.recv_from(t);
            server.send_to("answer", from);
            EXPECT_EQ(client.recv_from(t).first, 6u);
            client.set_write_deadline(in(20ms));
            EXPECT_EQ(error_of([&](auto& ec) {
                          do client.send("nobody reads", ec);
                          while (!ec);
                      }),
                      std::errc::timed_out);
        }
        EXPECT_FALSE(std::filesystem::exists(path));
    });
}

TEST_P(NetPacket, AdoptsOnlyItsOwnKind) {
    run([] {
        const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        net::packet_conn a = net::packet_conn::adopt(fd);
        EXPECT_EQ(a.native_handle(), fd);
        const int stream = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_THROW((void)net::packet_conn::adopt(stream), std::system_error);
        ::close(stream);
    });
}

}  // namespace
}  // namespace weft::test
