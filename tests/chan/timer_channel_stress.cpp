// Timers that are stopped and set by several at once, while they fire: each setting ends once, by its value being
// received (or its function called) or by a stop() or reset() that says so.
#include "chan/exchange.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class TimerChannelStress : public channel_stress {
protected:
    static std::chrono::microseconds soon(randoms& random) {
        return std::chrono::microseconds(random() % 40);
    }
};

TEST_P(TimerChannelStress, EachSettingEndsOnce) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t each = stress_rounds(10'000);
    std::atomic<std::uint64_t> settings{1};
    std::atomic<std::uint64_t> stopped{0};
    std::atomic<std::uint64_t> received{0};
    std::atomic<int> setting{4};
    run([&] {
        timer shared(10us);
        const auto sets = [&](std::uint64_t who) {
            randoms random = randoms_of(seed, who);
            for (std::uint64_t i = 0; i != each; ++i) {
                if (random() % 3 == 0) {
                    if (shared.stop()) ++stopped;
                } else {
                    ++settings;
                    if (shared.reset(soon(random))) ++stopped;
                }
                if (random() % 4 == 0) sleep_for(soon(random));
                linger(random() % 10000);
            }
            --setting;
        };
        const auto receives = [&](std::uint64_t who) {
            randoms random = randoms_of(seed, who);
            const auto from = shared.channel();
            while (setting != 0) {
                if (from.recv_for(soon(random))) ++received;
            }
        };
        std::thread thread([&] { sets(7); });
        {
            scope s;
            for (std::uint64_t who = 0; who != 3; ++who) s.go([&, who] { sets(who); });
            for (std::uint64_t who = 10; who != 12; ++who) s.go([&, who] { receives(who); });
            s.join();
        }
        blocking([&] { thread.join(); });
        if (shared.stop()) ++stopped;
        EXPECT_FALSE(shared.channel().try_recv()) << "a value of the past";
    });
    EXPECT_EQ(settings, stopped + received);
}

TEST_P(TimerChannelStress, EachSettingOfAFunctionEndsOnce) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t each = stress_rounds(10'000);
    std::atomic<std::uint64_t> settings{1};
    std::atomic<std::uint64_t> stopped{0};
    std::atomic<std::uint64_t> called{0};
    run([&] {
        timer shared(10us, [&] { ++called; });
        scope s;
        for (std::uint64_t who = 0; who != 4; ++who) {
            s.go([&, who] {
                randoms random = randoms_of(seed, who);
                for (std::uint64_t i = 0; i != each; ++i) {
                    if (random() % 3 == 0) {
                        if (shared.stop()) ++stopped;
                    } else {
                        ++settings;
                        if (shared.reset(soon(random))) ++stopped;
                    }
                    linger(random() % 20000);
                }
            });
        }
        s.join();
        if (shared.stop()) ++stopped;
        wait_until([&] { return settings == stopped + called; });
    });
    EXPECT_EQ(settings, stopped + called);
}

// One alone: what comes was due, and nothing comes of what was stopped.
TEST_P(TimerChannelStress, NoValueOfThePastIsReceived) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t each = stress_rounds(20'000);
    run_crowd(4, 1, [&](std::size_t who) {
        randoms random = randoms_of(seed, who);
        while (true) {
            try {
                timer mine(1h);
                const auto from = mine.channel();
                for (std::uint64_t i = 0; i != each; ++i) {
                    const auto d = soon(random);
                    const auto before = weft::clock::now();
                    mine.reset(d);
                    linger(random() % 20000);
                    if (random() % 2 == 0) {
                        mine.stop();
                        EXPECT_FALSE(from.try_recv()) << "of a timer that was stopped";
                    } else if (const auto got = from.try_recv()) {
                        EXPECT_GE(*got, before + d) << "of an earlier setting";
                        EXPECT_FALSE(mine.stop());
                    }
                }
                return;
            } catch (const std::logic_error&) {
                std::this_thread::yield();  // A thread that came before the runtime was up.
            }
        }
    });
}

TEST_P(TimerChannelStress, NoTickComesBehindStop) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t each = stress_rounds(4'000);
    run([&] {
        scope s;
        for (std::uint64_t who = 0; who != 4; ++who) {
            s.go([&, who] {
                randoms random = randoms_of(seed, who);
                for (std::uint64_t i = 0; i != each; ++i) {
                    ticker ticks(std::chrono::microseconds(1 + random() % 20));
                    const auto from = ticks.channel();
                    if (random() % 2 == 0) from.recv();
                    linger(random() % 20000);
                    EXPECT_TRUE(ticks.stop());
                    for (int n = 0; n != 3; ++n) {
                        EXPECT_FALSE(from.try_recv()) << "behind stop()";
                        yield();
                    }
                    EXPECT_FALSE(ticks.stop());
                }
            });
        }
        s.join();
    });
}

// The last handle of an after() goes while it fires.
TEST_P(TimerChannelStress, AnAfterMayBeDroppedAtAnyTime) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t each = stress_rounds(20'000);
    run([&] {
        scope s;
        for (std::uint64_t who = 0; who != 4; ++who) {
            s.go([&, who] {
                randoms random = randoms_of(seed, who);
                for (std::uint64_t i = 0; i != each; ++i) {
                    const auto d = soon(random);
                    const auto before = weft::clock::now();
                    const auto due = after(d);
                    if (random() % 3 != 0) {
                        linger(random() % 20000);
                        continue;
                    }
                    const auto got = due.recv();
                    ASSERT_TRUE(got);
                    EXPECT_GE(*got, before + d);
                }
            });
        }
        s.join();
    });
}

INSTANTIATE_TEST_SUITE_P(Processors, TimerChannelStress, ::testing::Values(2u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::test
