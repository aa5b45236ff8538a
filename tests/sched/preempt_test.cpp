// Sticky coroutines: preempted where they may hold something of their thread's.
#include "sched/machine.hpp"
#include "sched/park.hpp"
#include "sched/preempt.hpp"

#include "support/places.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace weft::detail {
namespace {

using namespace std::chrono_literals;

class Sticky : public ::testing::TestWithParam<unsigned> {
protected:
    const test::watchdog dog{100};
    const options opts{.processors = GetParam()};
};

TEST_P(Sticky, APreemptedCoroutineStaysOnItsThread) {
    run(
        [] {
            scope all;
            for (int i = 0; i != 20; ++i) {
                all.go([] {
                    for (int n = 0; n != 50; ++n) {
                        const machine* const before = this_machine();
                        preempt_implicitly(current_coroutine());
                        ASSERT_EQ(this_machine(), before);
                        if (n % 7 == 0) yield();  // Of its own will: it may move.
                        if (n % 11 == 0) sleep_for(1us);
                    }
                });
            }
            all.join();
        },
        opts);
}

TEST_P(Sticky, OthersRunInBetween) {
    run(
        [] {
            std::atomic<bool> ran{false};
            go([&] { ran = true; });
            while (!ran) preempt_implicitly(current_coroutine());
        },
        opts);
}

TEST_P(Sticky, SoDoTheyBesideManyThatNeverPark) {
    run(
        [] {
            std::atomic<bool> stop{false};
            scope all;
            for (int i = 0; i != 10; ++i) {
                all.go([&] {
                    while (!stop) preempt_implicitly(current_coroutine());
                });
            }
            for (int n = 0; n != 100; ++n) yield();
            stop = true;
            all.join();
        },
        opts);
}

// The blocking call does not take their thread away from them.
TEST_P(Sticky, ABlockingCallLeavesTheMachineToThem) {
    run(
        [] {
            std::atomic<bool> release{false};
            auto sticky = spawn([&] {
                for (int n = 0; n != 100; ++n) preempt_implicitly(current_coroutine());
                release = true;
            });
            yield();
            // Quick once, so that it would run in place.
            for (int n = 0; n != 2; ++n) {
                blocking([&, n] {
                    while (n == 1 && !release) std::this_thread::yield();
                });
            }
            sticky.join();
        },
        opts);
}

// Only when its machine does not respond does a sticky coroutine go on elsewhere.
TEST_P(Sticky, AThreadThatIsStuckLetsThemGo) {
    run(
        [] {
            std::atomic<bool> stuck{false};
            std::atomic<bool> release{false};
            auto sticky = spawn([&] {
                while (!stuck) preempt_implicitly(current_coroutine());
                release = true;
            });
            yield();
            auto blocker = spawn([&] {
                stuck = true;
                while (!release.load(std::memory_order_relaxed)) {}
            });
            blocker.join();
            sticky.join();
        },
        opts);
}

INSTANTIATE_TEST_SUITE_P(Processors, Sticky, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::detail
