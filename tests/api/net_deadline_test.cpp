// Deadlines of connections, and dialling: what takes its time.
#include "support/net.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class NetDeadline : public with_runtime {};
WEFT_TEST_PROCESSORS(NetDeadline);

std::error_code read_error(net::conn& c) {
    return error_of([&](auto& ec) {
        char t[1];
        c.read(t, ec);
    });
}

template <class F>
std::chrono::nanoseconds time_of(F&& f) {
    const auto before = clock::now();
    f();
    return clock::now() - before;
}

TEST_P(NetDeadline, EndsAReadAndAnAccept) {
    run([] {
        auto [a, b] = tcp_pair();
        b.set_read_deadline(in(20ms));
        EXPECT_GE(time_of([&, &b = b] { EXPECT_EQ(read_error(b), std::errc::timed_out); }), 15ms);
        EXPECT_EQ(read_error(b), std::errc::timed_out) << "it has passed for good";
        a.write_all("x");
        sleep_for(1ms);
        EXPECT_EQ(read_error(b), std::errc::timed_out) << "also if there is something";
        b.set_read_deadline(std::nullopt);
        EXPECT_FALSE(read_error(b));
        net::listener l = net::listen("127.0.0.1:0");
        l.set_deadline(in(5ms));
        EXPECT_EQ(error_of([&](auto& ec) { (void)l.accept(ec); }), std::errc::timed_out);
        l.set_deadline(in(10s));
        const net::conn c = net::dial(l.local().to_string());
        EXPECT_TRUE(l.accept().is_open());
    });
}

TEST_P(NetDeadline, MovesUnderAWait) {
    run([] {
        auto [a, b] = tcp_pair();
        // Later.
        constexpr auto unit = 10ms * slowdown;
        b.set_read_deadline(in(4 * unit));
        auto reader = spawn([&b = b] {
            EXPECT_EQ(read_error(b), std::errc::timed_out);
            return clock::now();
        });
        sleep_for(unit);
        const auto later = in(6 * unit);
        b.set_read_deadline(later);
        EXPECT_GE(reader.join(), later);
        // Earlier.
        b.set_read_deadline(in(1h));
        auto sooner = spawn([&b = b] { return read_error(b); });
        sleep_for(5ms);
        b.set_read_deadline(in(5ms));
        EXPECT_EQ(sooner.join(), std::errc::timed_out);
        // Into the past, for two that queue.
        b.set_read_deadline(in(1h));
        auto first = spawn([&b = b] { return read_error(b); });
        auto second = spawn([&b = b] { return read_error(b); });
        sleep_for(5ms);
        b.set_deadline(in(-1s));
        EXPECT_EQ(first.join(), std::errc::timed_out);
        EXPECT_EQ(second.join(), std::errc::timed_out);
        // Taken away.
        b.set_deadline(in(4 * unit));
        auto kept = spawn([&b = b] { return read_error(b); });
        sleep_for(unit);
        b.set_deadline(std::nullopt);
        sleep_for(4 * unit);
        a.write_all("x");
        EXPECT_FALSE(kept.join());
    });
}

TEST_P(NetDeadline, EachSideHasItsOwn) {
    run([] {
        auto [a, b] = tcp_pair();
        b.set_read_deadline(in(-1s));
        b.write_all("written");
        EXPECT_EQ(read_text(a, 7), "written");
        b.set_read_deadline(std::nullopt);
        b.set_write_deadline(in(-1s));
        a.write_all("read");
        EXPECT_EQ(read_text(b, 4), "read");
        EXPECT_EQ(error_of([&, &b = b](auto& ec) { b.write("x", ec); }), std::errc::timed_out);
        b.set_read_deadline(in(10ms));
        b.set_write_deadline(in(1h));
        EXPECT_EQ(read_error(b), std::errc::timed_out);
    });
}

TEST_P(NetDeadline, MovedLaterAMillionTimesCostsNoTimer) {
    run([] {
        auto [a, b] = tcp_pair();
        b.set_read_deadline(in(10s));
        auto reader = spawn([&b = b] { return read_text(b, 1); });
        sleep_for(5ms);
        const auto before = stats().timers;
        for (unsigned i = 0; i != 1'000'000 / slowdown; ++i)
            b.set_read_deadline(in(10s + std::chrono::microseconds(i)));
        EXPECT_LE(stats().timers, before + 2);
        a.write_all("x");
        EXPECT_EQ(reader.join(), "x");
        // And one for each request.
        auto echoing = spawn([&a = a] {
            for (;;) {
                const std::string t = read_text(a, 1);
                if (t.empty()) return;
                a.write_all(t);
            }
        });
        for (unsigned i = 0; i != 10'000 / slowdown; ++i) {
            b.set_deadline(in(10s));
            b.write_all("x");
            ASSERT_EQ(read_text(b, 1), "x");
        }
        EXPECT_LE(stats().timers, before + 8);
        b.close();
        echoing.join();
    });
}

TEST_P(NetDeadline, DataADeadlineACloseAndACancellationAtOneMoment) {
    run([] {
        for (unsigned i = 0; i != 400 / slowdown; ++i) {
            auto [a, b] = tcp_pair();
            const auto when = in(std::chrono::microseconds(200 + i % 5 * 20));
            std::string got;
            auto reader = spawn([&, &b = b] {
                b.set_read_deadline(when);
                std::error_code ec;
                char t[10];
                const std::size_t n = b.read(t, ec);
                got.append(t, n);
                return ec;
            });
            scope others;
            others.go([&, &a = a] {
                sleep_until(when);
                a.write_all("data");
            });
            if (i % 2 == 0) {
                others.go([&, &b = b] {
                    sleep_until(when);
                    b.close();
                });
            }
            if (i % 3 == 0) {
                others.go([&] {
                    sleep_until(when);
                    reader.request_stop();
                });
            }
            others.join();
            std::error_code ec;
            bool was_cancelled = false;
            try {
                ec = reader.join();
            } catch (const coroutine_cancelled&) {
                was_cancelled = true;
            }
            if (was_cancelled || ec) {
                EXPECT_EQ(got, "");
                EXPECT_TRUE(was_cancelled || ec == std::errc::timed_out ||
                            ec == std::errc::operation_canceled ||
                            ec == std::errc::bad_file_descriptor)
                    << ec.message();
                if (i % 2 != 0) {  // What had been written is still there.
                    b.set_read_deadline(std::nullopt);
                    got = read_text(b, 4);
                    EXPECT_EQ(got, "data");
                }
            } else {
                EXPECT_EQ(got, "data");
            }
        }
    });
}

class NetDial : public with_runtime {
protected:
    void TearDown() override {
        net::set_resolver({});
        with_runtime::TearDown();
    }
};
WEFT_TEST_PROCESSORS(NetDial);

// An address at which nobody answers: a listener whose queue is full.
class black_hole {
public:
    explicit black_hole(const std::string& host)
        : listener_(net::listen(host + ":0", {.backlog = 0})) {
        // One is queued, and one more is being set up.
        for (;;) {
            std::error_code ec;
            net::conn c = net::dial(address(), {.timeout = 100ms}, ec);
            if (ec) break;
            queued_.push_back(std::move(c));
        }
    }
    [[nodiscard]] std::string address() const { return listener_.local().to_string(); }
    [[nodiscard]] std::uint16_t port() const { return listener_.local().port(); }

private:
    net::listener listener_;
    std::vector<net::conn> queued_;
};

TEST_P(NetDial, EndsWhenItsTimeIsUpAndWhenItIsCancelled) {
    run([] {
        const black_hole hole("127.0.0.1");
        const auto took = time_of([&] {
            EXPECT_EQ(
                error_of([&](auto& ec) { (void)net::dial(hole.address(), {.timeout = 30ms}, ec); }),
                std::errc::timed_out);
        });
        EXPECT_GE(took, 30ms);
        EXPECT_LT(took, 1s);
        EXPECT_THROW(with_timeout(30ms, [&] { (void)net::dial(hole.address()); }), timed_out);
        auto handle = spawn([&] { (void)net::dial(hole.address()); });
        sleep_for(10ms);
        handle.request_stop();
        EXPECT_THROW(handle.join(), coroutine_cancelled);
    });
}

TEST_P(NetDial, ARefusedOneIsToldAtOnce) {
    run([] {
        net::listener l = net::listen("127.0.0.1:0");
        const std::string address = l.local().to_string();
        l.close();
        EXPECT_EQ(error_of([&](auto& ec) { (void)net::dial(address, ec); }),
                  std::errc::connection_refused);
        EXPECT_THROW((void)net::dial(address), std::system_error);
    });
}

TEST_P(NetDial, TheNextAddressIsTriedWhenOneDoesNotAnswer) {
    run([] {
        const black_hole hole("127.0.0.2");
        const std::string port = std::to_string(hole.port());
        net::listener good = net::listen("127.0.0.1:" + port);
        net::set_resolver([](std::string_view) {
            return std::vector{net::make_endpoint("127.0.0.2"), net::make_endpoint("127.0.0.1")};
        });
        const auto took = time_of([&] {
            const net::conn c = net::dial("two.test:" + port, {.fallback_delay = 50ms});
            EXPECT_EQ(c.remote().host(), "127.0.0.1");
        });
        EXPECT_GE(took, 45ms);
        EXPECT_LT(took, 900ms);
        EXPECT_TRUE(good.accept().is_open());
        // One that refuses is not waited for; the error is that of the first.
        net::set_resolver([](std::string_view) {
            return std::vector{net::make_endpoint("127.0.0.3"), net::make_endpoint("127.0.0.1")};
        });
        const auto took_refused = time_of([&] {
            EXPECT_TRUE(net::dial("three.test:" + port, {.fallback_delay = 10s}).is_open());
        });
        EXPECT_LT(took_refused, 5s);
        good.close();
        EXPECT_EQ(
            error_of([&](auto& ec) { (void)net::dial("three.test:" + port, {.timeout = 5s}, ec); }),
            std::errc::connection_refused);
    });
}

TEST_P(NetDial, FromAnAddressOfOnesOwn) {
    run([] {
        net::listener l = net::listen("127.0.0.1:0");
        const net::conn c = net::dial(l.local().to_string(), {.local = "127.0.0.5:0"});
        EXPECT_EQ(c.local().host(), "127.0.0.5");
        EXPECT_EQ(l.accept().remote(), c.local());
        EXPECT_EQ(error_of([&](auto& ec) {
                      (void)net::dial(l.local().to_string(), {.local = "nonsense"}, ec);
                  }),
                  std::errc::invalid_argument);
    });
}

TEST_P(NetDial, NamesAreResolved) {
    run([] {
        net::listener l = net::listen("127.0.0.1:0");
        const net::conn c = net::dial("localhost:" + std::to_string(l.local().port()));
        EXPECT_TRUE(l.accept().is_open());
        bool found = false;
        for (const net::endpoint& e : net::resolve("localhost"))
            found = found || e.host() == "127.0.0.1";
        EXPECT_TRUE(found);
        for (const net::endpoint& e : net::resolve("localhost", {.version = net::ip_version::v4})) {
            EXPECT_EQ(e.host(), "127.0.0.1");
        }
        EXPECT_EQ(net::resolve("127.0.0.7").front().host(), "127.0.0.7");
        const std::error_code none =
            error_of([](auto& ec) { (void)net::dial("no-such-name.invalid:80", ec); });
        EXPECT_TRUE(none == std::errc::host_unreachable) << none.message();
        EXPECT_TRUE(none.category() == net::resolver_category()) << none.message();
        EXPECT_EQ(error_of([](auto& ec) { (void)net::resolve("", {}, ec); }),
                  std::errc::invalid_argument);
    });
}

TEST_P(NetDial, OneQueryServesAllWhoAskForTheSameName) {
    run([] {
        std::atomic<unsigned> calls{0};
        net::set_resolver([&](std::string_view) {
            ++calls;
            std::this_thread::sleep_for(50ms);
            return std::vector{net::make_endpoint("127.0.0.9")};
        });
        scope s;
        for (unsigned i = 0; i != 20; ++i)
            s.go([] { EXPECT_EQ(net::resolve("shared.test").front().host(), "127.0.0.9"); });
        s.join();
        EXPECT_LT(calls, 20u);
        net::set_resolver([](std::string_view) { return std::vector<net::endpoint>(); });
        EXPECT_EQ(error_of([](auto& ec) { (void)net::resolve("empty.test", {}, ec); }),
                  std::errc::host_unreachable);
        net::set_resolver([](std::string_view) -> std::vector<net::endpoint> {
            throw std::system_error(std::make_error_code(std::errc::protocol_error));
        });
        EXPECT_EQ(error_of([](auto& ec) { (void)net::resolve("throws.test", {}, ec); }),
                  std::errc::protocol_error);
    });
}

TEST_P(NetDial, ANameServerThatDoesNotAnswerHoldsUpNobody) {
    std::atomic<bool> end{false};
    std::atomic<unsigned> inside{0};
    run([&] {
        net::set_resolver([&](std::string_view) -> std::vector<net::endpoint> {
            ++inside;
            while (!end) std::this_thread::sleep_for(1ms);
            --inside;
            return {};
        });
        EXPECT_LT(time_of([] {
                      EXPECT_EQ(error_of([](auto& ec) {
                                    (void)net::dial("hangs.test:80", {.timeout = 20ms}, ec);
                                }),
                                std::errc::timed_out);
                  }),
                  2s);
        auto other = spawn([] { (void)net::dial("hangs.test:80"); });
        sleep_for(5ms);
        other.request_stop();
        EXPECT_THROW(other.join(), coroutine_cancelled);
        // Calls go on, of files as of names.
        EXPECT_EQ(blocking([] { return 5; }), 5);
        end = true;
    });
    EXPECT_EQ(inside, 0u);
}

}  // namespace
}  // namespace weft::test
