// Substitutes: what is left of them once the threads that they stood in for have responded.
#include "sched/compensate.hpp"

#include "os/fence.hpp"
#include "sched/scheduler.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>

#include <unistd.h>

namespace weft::detail {
namespace {

using namespace std::chrono_literals;

class Compensation : public test::plain_runtime {
protected:
    // Blocks a thread until a substitute runs `f`, and returns once it has gone.
    template <class F>
    static void with_a_substitute(F&& f) {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        scope s;
        // In one call, for a loop of split code would be preempted, and nobody would have to stand in for it.
        s.go([&] {
            char byte = 0;
            EXPECT_EQ(::read(ends[0], &byte, 1), 1);
        });
        s.go([&] {
            yield();  // So that the other one has blocked the thread, with one processor.
            while (compensations().added == 0) yield();
            f();
            EXPECT_EQ(::write(ends[1], "x", 1), 1);
        });
        s.join();
        ::close(ends[0]);
        ::close(ends[1]);
        while (compensations().in_use != 0) sleep_for(1ms);
    }
};

TEST_F(Compensation, LeavesNothingOfItselfOnThePathsOfTheOnlyProcessor) {
    weft::run(
        [] {
            const auto biased = [] {
                bias& b = sched.processors[0]->owner_bias;
                const bool is = b.enter();
                if (is) b.leave();
                return is;
            };
            for (int round = 0; round != 3; ++round) {
                EXPECT_TRUE(sched.has_one_processor());
                EXPECT_EQ(biased(), light_fence_is_free) << "round " << round;
                with_a_substitute([&] {
                    EXPECT_FALSE(sched.has_one_processor());
                    EXPECT_FALSE(biased());
                });
            }
            EXPECT_TRUE(sched.has_one_processor());
            EXPECT_EQ(biased(), light_fence_is_free);
        },
        {.processors = 1});
}

// Otherwise all the others would have to look at them until they have fired.
TEST_F(Compensation, ASubstituteLeavesNoTimersBehind) {
    weft::run(
        [] {
            scope sleepers;
            with_a_substitute([&] {
                for (int i = 0; i != 100; ++i) sleepers.go([] { sleep_for(1h); });
                while (stats().timers < 100) yield();
            });
            EXPECT_EQ(stats().timers, 100u);
            std::size_t owned = 0;
            for (const processor* const p : sched.timer_owners()) owned += p->timer_count.load();
            EXPECT_EQ(owned, 100u);
            sleepers.cancel();
        },
        {.processors = 1});
}

}  // namespace
}  // namespace weft::detail
