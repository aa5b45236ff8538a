// Timers in a running runtime: nobody wakes early, everybody wakes, and timers added on one processor while
// another runs them are neither lost nor fired twice.
#include "base/random.hpp"
#include "base/stress.hpp"
#include "os/clock.hpp"
#include "sched/wait.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weft::detail {
namespace {

class TimerStress : public ::testing::TestWithParam<unsigned> {
protected:
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog{stress_seconds()};
};

TEST_P(TimerStress, NobodyWakesEarlyAndEverybodyWakes) {
    const std::uint64_t sleeps = stress_rounds(400);
    std::atomic<std::uint64_t> early{0};
    run(
        [&] {
            scope all;
            for (std::uint64_t i = 0; i != 200; ++i) {
                all.go([&, i] {
                    random_source random(seed + i);
                    for (std::uint64_t n = 0; n != sleeps; ++n) {
                        const std::int64_t deadline = monotonic_ns() + random.below(1'000'000);
                        sleep_until(clock::time_point(std::chrono::nanoseconds(deadline)));
                        if (monotonic_ns() < deadline) early.fetch_add(1);
                        if (random.below(4) == 0) yield();
                    }
                });
            }
            all.join();
        },
        {.processors = GetParam()});
    EXPECT_EQ(early.load(), 0u);
}

// Most of these never fire: each wait is ended by somebody else at about the time of its deadline, or before. So
// the heaps are swept all the time, and hold stale tickets of coroutines that wait again.
TEST_P(TimerStress, TimersOfEndedWaitsDoNoHarm) {
    const std::uint64_t rounds = stress_rounds(30'000);
    run(
        [&] {
            scope all;
            for (std::uint64_t pair = 0; pair != 16; ++pair) {
                all.go([&, pair] {
                    random_source random(seed + pair);
                    for (std::uint64_t n = 0; n != rounds; ++n) {
                        std::atomic<std::uint64_t> word{0};
                        std::atomic<sleeper*> who{nullptr};
                        auto other = spawn([&, yields = random.below(3)] {
                            for (std::uint32_t k = 0; k != yields; ++k) yield();
                            while (who.load() == nullptr) yield();
                            static_cast<void>(
                                fire({who.load(), word.load()}, wake_reason::signalled));
                        });
                        const std::int64_t deadline =
                            monotonic_ns() +
                            random.below(random.below(4) == 0 ? 10'000 : 1'000'000'000);
                        waiting wait(cancellation::ignored, wait_kind::other);
                        word.store(wait.ticket().word);
                        who.store(wait.ticket().who);
                        if (wait.finish(deadline) == wake_reason::timeout) {
                            ASSERT_GE(monotonic_ns(), deadline);
                        }
                        other.join();
                    }
                });
            }
            all.join();
        },
        {.processors = GetParam()});
}

TEST_P(TimerStress, TimeoutsAndWhatTheyEndMeet) {
    const std::uint64_t rounds = stress_rounds(8'000);
    std::atomic<std::uint64_t> in_time{0};
    std::atomic<std::uint64_t> too_late{0};
    run(
        [&] {
            scope all;
            for (std::uint64_t i = 0; i != 8; ++i) {
                all.go([&, i] {
                    random_source random(seed + i);
                    for (std::uint64_t n = 0; n != rounds; ++n) {
                        const auto limit = std::chrono::nanoseconds(random.below(60'000));
                        const auto length = std::chrono::nanoseconds(random.below(60'000));
                        try {
                            with_timeout(limit, [&] { sleep_for(length); });
                            in_time.fetch_add(1);
                        } catch (const timed_out&) {
                            too_late.fetch_add(1);
                        }
                    }
                });
            }
            all.join();
        },
        {.processors = GetParam()});
    EXPECT_EQ(in_time.load() + too_late.load(), 8 * rounds);
}

INSTANTIATE_TEST_SUITE_P(Processors, TimerStress, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::detail
