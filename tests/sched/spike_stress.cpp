// Bursts of coroutines beside a thread that gives everything back at once: descriptors and extras are made bare, and page tables
// shed, while timers of coroutines that have gone, and claims, still name them.
//
// In each round the leavers begin to sleep and are cancelled, so their timers stay in the heaps for some milliseconds. After
// their slabs have gone back, the victims sleep in the same descriptors for an hour, until all are cancelled. Where an epoch comes
// twice, a leaver's timer wakes a victim.
#include "base/random.hpp"
#include "base/stress.hpp"
#include "sched/scheduler.hpp"
#include "support/build.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <thread>

namespace weft::detail {
namespace {

using namespace std::chrono_literals;

class SpikeStress : public ::testing::TestWithParam<unsigned> {
protected:
    // It does what the monitor does in its rounds, without a pause.
    void give_back() {
        while (!over.load()) {
            return_idle_descriptors();
            sched.coroutines.begin_round();
            sched.extras.begin_round();
            descriptors += sched.coroutines.cool(8);
            extras += sched.extras.cool(8);
            sched.stacks.cool();
            tables += sched.stacks.shed_tables(8);
        }
    }

    // A burst of sleepers with names, deadlines and stop sources, which are cancelled. Returns how many slept to the end.
    template <class Duration>
    int sleep_and_be_cancelled(int count, Duration how_long) {
        std::atomic<int> asleep{0};
        std::atomic<int> woke{0};
        scope s;
        for (int i = 0; i != count; ++i) {
            const std::chrono::nanoseconds d = how_long();
            const auto sleeps = [&asleep, &woke, d] {
                ++asleep;
                sleep_for(d);
                ++woke;
            };
            if (i % 3 == 0) {
                s.go({.name = "sleeper"}, [sleeps, &woke, d] {
                    try {
                        with_timeout(2 * d, sleeps);
                    } catch (const timed_out&) {
                        ++woke;  // A leaver whose thread was not run for long.
                    }
                });
            } else {
                s.go(sleeps);
            }
        }
        while (asleep.load() != count) yield();
        if (how_long() == 1h) sleep_for(25ms);  // The leavers' timers become due.
        s.cancel();
        s.join();
        return woke.load();
    }

    std::atomic<bool> over{false};
    std::atomic<std::size_t> descriptors{0};
    std::atomic<std::size_t> extras{0};
    std::atomic<std::size_t> tables{0};
};

INSTANTIATE_TEST_SUITE_P(Processors, SpikeStress, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

TEST_P(SpikeStress, NobodyIsWokenByATimerOfAnother) {
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog(stress_seconds());
    weft::run(
        [&] {
            std::thread gives_back([this] { give_back(); });
            random_source random(seed);
            const std::uint64_t rounds = stress_rounds(30);
            const auto all_have_gone = [this] {
                return descriptors.load() != 0 && extras.load() != 0 &&
                       (test::split_stacks || tables.load() != 0);  // Segments share none.
            };
            for (std::uint64_t round = 0; round < rounds || !all_have_gone(); ++round) {
                const int count = static_cast<int>(random.below(2'000)) + 500;
                sleep_and_be_cancelled(
                    count, [&] { return std::chrono::microseconds(3'000 + random.below(17'000)); });
                // Their slabs go back, as far as nobody else has one of each.
                const std::size_t before = descriptors.load();
                for (int i = 0; i != 20 && descriptors.load() == before; ++i) sleep_for(100us);
                EXPECT_EQ(sleep_and_be_cancelled(count, [] { return 1h; }), 0);
                if (round % 8 == 0) {
                    std::ostringstream all;
                    report::dump(all);
                }
            }
            over = true;
            gives_back.join();
        },
        {.processors = GetParam()});
}

}  // namespace
}  // namespace weft::detail
