// Many who send and receive at once, of whom some are cancelled, run out of time or only try: every value that was sent
// is received once, every one that was not is received never.
#include "chan/exchange.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class ChannelStress : public channel_stress {
protected:
    static constexpr std::size_t senders = 6;
    static constexpr std::size_t receivers = 6;

    template <class T>
    static bool send_somehow(const chan<T>& c, T value, randoms& random) {
        switch (random() % 4) {
        case 0:
            return c.try_send(value);
        case 1:
            return c.send_for(value, std::chrono::microseconds(random() % 30));
        default:
            c.send(std::move(value));
            return true;
        }
    }

    template <class T>
    static std::optional<T> receive_somehow(const chan<T>& c, randoms& random) {
        switch (random() % 4) {
        case 0:
            return c.try_recv();
        case 1:
            return c.recv_for(std::chrono::microseconds(random() % 30));
        default:
            return c.recv();
        }
    }

    // Calls f() a few times, within a with_timeout now and then if this is a coroutine.
    template <class F>
    static void disturbed(randoms& random, F&& f) {
        if (!in_coroutine() || random() % 2 == 0) return f();
        try {
            with_timeout(std::chrono::microseconds(random() % 40), f);
        } catch (const timed_out&) {}
    }

    template <class T>
    static void exchange(std::size_t capacity, std::size_t threads) {
        const std::uint64_t seed = stress_seed();
        const std::uint64_t each = stress_rounds(20'000);
        account values(each * senders);
        const chan<T> c(capacity);
        std::atomic<std::size_t> sending{senders};
        run_crowd(senders + receivers, threads, [&](std::size_t who) {
            randoms random = randoms_of(seed, who);
            if (who < senders) {
                for (std::uint64_t i = 0; i != each; ++i) {
                    const std::uint64_t n = who * each + i;
                    disturbed(random, [&] {
                        if (send_somehow(c, numbered<T>::make(n), random)) values.sent(n);
                    });
                }
                if (--sending == 0) c.close();
                return;
            }
            while (!c.closed() || c.size() != 0) {
                disturbed(random, [&] {
                    if (const auto got = receive_somehow(c, random))
                        values.received(numbered<T>::number(*got));
                });
            }
        });
        while (const auto got = c.try_recv()) values.received(numbered<T>::number(*got));
        values.expect_settled();
    }
};

TEST_P(ChannelStress, PlainValues) {
    exchange<parcel>(0, 0);
    exchange<parcel>(1, 0);
    exchange<parcel>(7, 0);
}

TEST_P(ChannelStress, Pointers) {
    exchange<std::unique_ptr<parcel>>(0, 0);
    exchange<std::unique_ptr<parcel>>(2, 0);
}

TEST_P(ChannelStress, Strings) {
    exchange<std::string>(0, 0);
    exchange<std::string>(3, 0);
}

TEST_P(ChannelStress, WithThreadsAmongThem) {
    exchange<parcel>(0, 3);
    exchange<parcel>(1, 6);
    exchange<std::unique_ptr<parcel>>(0, 6);
}

// Nobody gives up: this hangs when somebody who waits is forgotten.
TEST_P(ChannelStress, NobodyIsForgotten) {
    for (const std::size_t capacity : {0u, 1u, 3u}) {
        for (const std::size_t threads : {0u, 4u}) {
            const std::uint64_t seed = stress_seed();
            const std::uint64_t each = stress_rounds(20'000);
            account values(each * senders);
            const chan<parcel> c(capacity);
            std::atomic<std::size_t> sending{senders};
            run_crowd(senders + receivers, threads, [&](std::size_t who) {
                randoms random = randoms_of(seed, who);
                if (who >= senders) {
                    for (const parcel& got : c) values.received(numbered<parcel>::number(got));
                    return;
                }
                for (std::uint64_t i = 0; i != each; ++i) {
                    c.send(numbered<parcel>::make(who * each + i));
                    values.sent(who * each + i);
                    linger(random() % 64);
                }
                if (--sending == 0) c.close();
            });
            values.expect_settled();
        }
    }
}

// Each of a crowd does a single operation and is asked to stop meanwhile.
TEST_P(ChannelStress, WhoIsStoppedHasDoneItOrNot) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(10'000);
    for (const std::size_t capacity : {0u, 1u}) {
        account values(rounds * 4);
        run([&] {
            randoms random = randoms_of(seed, capacity);
            const chan<parcel> c(capacity);
            for (std::uint64_t n = 0; n != rounds; ++n) {
                std::vector<join_handle<void>> crowd;
                for (std::uint64_t i = 0; i != 4; ++i) {
                    const std::uint64_t number = n * 4 + i;
                    if (random() % 2 == 0) {
                        crowd.push_back(spawn([&, number] {
                            c.send(numbered<parcel>::make(number));
                            values.sent(number);
                        }));
                    } else {
                        crowd.push_back(spawn([&] {
                            if (const auto got = c.recv())
                                values.received(numbered<parcel>::number(*got));
                        }));
                    }
                }
                linger(random() % 2000);
                while (!crowd.empty()) {
                    const std::size_t i = random() % crowd.size();
                    crowd[i].request_stop();
                    std::swap(crowd[i], crowd.back());
                    crowd.pop_back();
                }
            }
            while (const auto got = c.try_recv()) values.received(numbered<parcel>::number(*got));
        });
        values.expect_settled();
    }
}

// Everybody hears of it when a channel is closed, and a value that was sent before is not lost.
TEST_P(ChannelStress, ClosingMeetsThemAll) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(20'000);
    account values(rounds * 3);
    run([&] {
        randoms random = randoms_of(seed, 0);
        for (std::uint64_t n = 0; n != rounds; ++n) {
            const chan<parcel> c(random() % 3);
            std::atomic<int> closings{0};
            scope s;
            for (std::uint64_t i = 0; i != 3; ++i) {
                s.go([&, number = n * 3 + i] {
                    try {
                        c.send(numbered<parcel>::make(number));
                        values.sent(number);
                    } catch (const channel_closed&) {}
                });
                if (i == 2) break;
                s.go([&] {
                    for (const parcel& got : c) values.received(numbered<parcel>::number(got));
                });
                s.go([&, steps = random() % 3000] {
                    linger(steps);
                    try {
                        c.close();
                        ++closings;
                    } catch (const channel_closed&) {}
                });
            }
            s.join();
            EXPECT_EQ(closings, 1);
            for (const parcel& got : c) values.received(numbered<parcel>::number(got));
        }
    });
    values.expect_settled();
}

INSTANTIATE_TEST_SUITE_P(Processors, ChannelStress, ::testing::Values(2u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::test
