// Bursts of coroutines beside a thread that gives everything back at once: descriptors and extras are made bare, and page tables
// shed, while stale tickets, timers of old deadlines and claims still name them.
//
// Each coroutine does one thing that leaves such a name behind, and says that it has ended as it should. One that is woken
// by somebody else's ticket, or never, shows: by a wrong result, or by a hang.
#include "base/random.hpp"
#include "base/stress.hpp"
#include "sched/scheduler.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <sstream>
#include <string>
#include <thread>

namespace weft::detail {
namespace {

using namespace std::chrono_literals;

class SpikeStress : public ::testing::TestWithParam<unsigned> {
protected:
    // As the monitor does it, but with no pause.
    void give_back() {
        while (!over.load()) {
            sched.coroutines.begin_round();
            cooled += sched.coroutines.cool(8);
            sched.extras.begin_round();
            cooled += sched.extras.cool(8);
            sched.stacks.cool();
            sched.stacks.shed_tables(8);
        }
    }

    // One coroutine: 1 when all was right.
    static int one(std::uint32_t kind, std::chrono::microseconds d) {
        switch (kind % 6) {
        case 0:  // The deadline's timer stays in the heap, or fires.
            try {
                with_timeout(d, [&] { sleep_for(d); });
            } catch (const timed_out&) {}
            return 1;
        case 1: {  // A ticket stays in a channel.
            chan<int> never;
            return select(on_recv(never), on_recv(after(d))) == 1 ? 1 : 0;
        }
        case 2: {  // One that is cancelled leaves its timer behind.
            auto sleeper = spawn({.name = "sleeper"}, [] { sleep_for(1h); });
            sleeper.request_stop();
            try {
                sleeper.join();
            } catch (const coroutine_cancelled&) {
                return 1;
            }
            return 0;
        }
        case 3:  // Extras with a name and a stop source.
            return spawn({.name = "named"}, [] { return get_stop_token().stop_possible() ? 1 : 0; })
                .join();
        case 4:
            sleep_for(d);
            return 1;
        default:
            yield();
            return 1;
        }
    }

    std::atomic<bool> over{false};
    std::atomic<std::size_t> cooled{0};
};

INSTANTIATE_TEST_SUITE_P(Processors, SpikeStress, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

TEST_P(SpikeStress, NobodyIsWokenByWhatNamedAnother) {
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog(stress_seconds());
    weft::run(
        [&] {
            std::thread gives_back([this] { give_back(); });
            random_source random(seed);
            const std::uint64_t rounds = stress_rounds(300);
            for (std::uint64_t round = 0; round != rounds || cooled.load() == 0; ++round) {
                std::atomic<int> right{0};
                const int count = static_cast<int>(random.below(2'000)) + 1;
                scope s;
                for (int i = 0; i != count; ++i) {
                    const std::uint32_t kind = random.below(6);
                    const std::chrono::microseconds d(random.below(300));
                    s.go([&right, kind, d] { right += one(kind, d); });
                }
                if (round % 8 == 0) {
                    std::ostringstream all;
                    report::dump(all);
                }
                s.join();
                ASSERT_EQ(right.load(), count);
            }
            over = true;
            gives_back.join();
        },
        {.processors = GetParam()});
}

}  // namespace
}  // namespace weft::detail
