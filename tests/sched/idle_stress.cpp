// Edge *no lost wakeup*: a machine never sleeps on while something is queued that nobody looks at.
//
// Everything here goes idle between any two steps. A wakeup lost among coroutines, or between threads and
// coroutines, leaves the whole waiting, and the watchdog ends that. (Lost to one machine while another runs, it
// would only be late: the keeper looks at what sits there, after 10 ms at the latest.)
#include "base/random.hpp"
#include "base/stress.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "sched/token_box.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

// What a thread waits for.
struct answer {
    std::atomic<std::uint32_t> count{0};

    void give() {
        count.fetch_add(1);
        futex_wake(count);
    }
    // Spins for a moment, so that the next question often comes while machines are on their way to sleep.
    void await(std::uint32_t wanted, std::uint32_t spins) {
        for (; spins != 0; --spins) {
            if (count.load() == wanted) return;
        }
        for (;;) {
            const std::uint32_t seen = count.load();
            if (seen == wanted) return;
            futex_wait(count, seen, never);
        }
    }
};

void linger(std::uint32_t steps) {
    for (; steps != 0; --steps) std::atomic_signal_fence(std::memory_order_seq_cst);
}

class IdleStress : public ::testing::TestWithParam<unsigned> {};

TEST_P(IdleStress, AThreadWakesACoroutineWhileEverybodyIsFallingAsleep) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(40'000);
    const test::watchdog dog(stress_seconds());
    token_box box;
    answer answered;
    {
        runtime up({.processors = GetParam()});
        auto echo = up.submit([&] {
            for (std::uint64_t n = 0; n != rounds; ++n) {
                box.take();
                answered.give();
            }
        });
        random_source random(seed);
        for (std::uint64_t n = 0; n != rounds; ++n) {
            linger(random.below(4) == 0 ? random.below(20'000) : random.below(200));
            box.give();
            answered.await(static_cast<std::uint32_t>(n + 1), random.below(2000));
        }
        echo.get();
    }
}

TEST_P(IdleStress, ThreadsThatSpawnIntoAnIdleRuntimeAreServed) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(6'000);
    const test::watchdog dog(stress_seconds());
    {
        runtime up({.processors = GetParam()});
        std::vector<std::thread> threads;
        for (std::uint64_t t = 0; t != 3; ++t) {
            threads.emplace_back([&, t] {
                random_source random(seed + t);
                for (std::uint64_t n = 0; n != rounds; ++n) {
                    linger(random.below(2000));
                    up.submit([] {}).get();
                }
            });
        }
        for (auto& thread : threads) thread.join();
    }
}

// Two rings with one token each, so that with more than two processors somebody always sleeps, and those two are
// woken for each other: some hand-overs fork, so that there is something for the idle.
TEST_P(IdleStress, CoroutinesThatReadyEachOtherNeverStop) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(500'000);
    const test::watchdog dog(stress_seconds());
    run(
        [&] {
            std::vector<token_box> boxes(4);
            scope all;
            for (std::size_t i = 0; i != boxes.size(); ++i) {
                all.go([&, i] {
                    random_source random(seed + i);
                    for (std::uint64_t n = 0; n != rounds; ++n) {
                        boxes[i].take();
                        if (random.below(64) == 0) linger(random.below(4000));
                        if (random.below(64) == 0)
                            go([count = boxes.size()] {
                                linger(static_cast<std::uint32_t>(count));
                            });
                        boxes[(i + 2) % 4].give();
                    }
                });
            }
            boxes[0].give();
            boxes[1].give();
            all.join();
        },
        {.processors = GetParam()});
}

// The keeper: timers come due while everybody sleeps, and earlier ones are added meanwhile.
TEST_P(IdleStress, TimersWakeAnIdleRuntime) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(400);
    const test::watchdog dog(stress_seconds());
    run(
        [&] {
            scope all;
            for (std::uint64_t i = 0; i != 8; ++i) {
                all.go([&, i] {
                    random_source random(seed + i);
                    for (std::uint64_t n = 0; n != rounds; ++n) {
                        sleep_for(std::chrono::microseconds(random.below(i == 0 ? 10'000 : 500)));
                        if (i == 0 && n == rounds / 8)
                            return;  // The long sleeper need not go on as long.
                    }
                });
            }
            all.join();
        },
        {.processors = GetParam()});
}

INSTANTIATE_TEST_SUITE_P(Processors, IdleStress, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::detail
