// The timers of one processor, beside a plain model of the same: which fire when, and what is published.
#include "time/timer_heap.hpp"

#include "base/config.hpp"
#include "base/random.hpp"
#include "base/stress.hpp"
#include "os/clock.hpp"
#include "sched/extras.hpp"
#include "sched/processor.hpp"
#include "sched/thread_sleeper.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <vector>

namespace weft::detail {
namespace {

// As in timer_heap.cpp: fewer dead timers are not worth a sweep.
constexpr std::size_t dead_least = tiny_limits ? 2 : 64;
constexpr std::size_t looks = timer_heap::looks_a_step;

// A sleeper of a thread, which nobody sleeps on: firing it needs no runtime.
struct waiter {
    thread_sleeper sleeper;
    ticket t = sleeper.begin_wait(false, false, wait_kind::sleep);

    [[nodiscard]] bool fired() const { return sleeper.reason() == wake_reason::timeout; }
    // Whatever else ends a wait: the timer is stale from then on.
    void end_otherwise() { ASSERT_TRUE(sleeper::claim(t, wake_reason::signalled)); }
};

class TimerHeap : public ::testing::Test {
protected:
    waiter& add(std::int64_t when) {
        all.push_back(std::make_unique<waiter>());
        heap.add(p, when, timer_event::wake(all.back()->t));
        return *all.back();
    }
    [[nodiscard]] std::int64_t earliest() const { return p.earliest_deadline.load(); }
    // Batch by batch. How many were fired.
    std::size_t run_all_due(std::int64_t now) {
        std::size_t fired = 0;
        while (const std::size_t n = heap.run_due(p, now)) fired += n;
        return fired;
    }

    processor p{0, true, 1};
    timer_heap heap;
    std::vector<std::unique_ptr<waiter>> all;
};

TEST_F(TimerHeap, StartsEmptyAndPublishesThatNothingIsDue) {
    EXPECT_EQ(heap.size(), 0u);
    EXPECT_EQ(earliest(), never);
    EXPECT_EQ(heap.run_due(p, 1'000'000), 0u);
}

TEST_F(TimerHeap, PublishesTheEarliestWhateverTheOrderOfAdding) {
    add(30);
    EXPECT_EQ(earliest(), 30);
    add(50);
    EXPECT_EQ(earliest(), 30);
    add(10);
    EXPECT_EQ(earliest(), 10);
    EXPECT_EQ(heap.size(), 3u);
}

TEST_F(TimerHeap, FiresWhatIsDueAndNothingElse) {
    const waiter& soon = add(10);
    const waiter& exact = add(20);
    const waiter& late = add(21);
    EXPECT_EQ(heap.run_due(p, 9), 0u);
    EXPECT_FALSE(soon.fired());

    EXPECT_EQ(heap.run_due(p, 20), 2u);
    EXPECT_TRUE(soon.fired());
    EXPECT_TRUE(exact.fired());
    EXPECT_FALSE(late.fired());
    EXPECT_EQ(earliest(), 21);

    EXPECT_EQ(heap.run_due(p, 1000), 1u);
    EXPECT_TRUE(late.fired());
    EXPECT_EQ(earliest(), never);
}

TEST_F(TimerHeap, FiresABatchAtATimeHoweverManyAreDue) {
    for (int i = 0; i != 1000; ++i) add(7);
    EXPECT_EQ(heap.run_due(p, 7), 64u);
    EXPECT_EQ(earliest(), 7) << "more are due";
    EXPECT_EQ(run_all_due(7), 1000u - 64);
    for (const auto& one : all) ASSERT_TRUE(one->fired());
    EXPECT_EQ(heap.size(), 0u);
}

TEST_F(TimerHeap, AStaleTimerIsDroppedWithoutEffect) {
    waiter& w = add(10);
    w.end_otherwise();
    const ticket second = w.sleeper.begin_wait(false, false, wait_kind::other);
    heap.run_due(p, 10);
    EXPECT_EQ(heap.size(), 0u);
    EXPECT_TRUE(w.sleeper.waits_for(second.word)) << "its next wait goes on";
}

TEST_F(TimerHeap, ForgettingSweepsOnceHalfAreDead) {
    const std::size_t count = 4 * dead_least;
    for (std::size_t i = 0; i != count; ++i) add(static_cast<std::int64_t>(i));
    for (std::size_t i = 0; i + 1 != count / 2; ++i) {
        all[i]->end_otherwise();
        heap.forget(p);
        ASSERT_EQ(heap.size(), count) << "not worth a sweep yet";
    }
    EXPECT_EQ(earliest(), 0);
    all[count / 2 - 1]->end_otherwise();
    heap.forget(p);
    heap.cool(p);
    EXPECT_EQ(heap.size(), count / 2);
    EXPECT_EQ(earliest(), static_cast<std::int64_t>(count / 2)) << "of those that are left";
}

TEST_F(TimerHeap, NoCallOfForgetDropsManyHoweverManyAreDead) {
    const std::size_t count = 40 * looks;
    for (std::size_t i = 0; i != count; ++i) add(static_cast<std::int64_t>(i * 7919 % 1'000'003));
    std::size_t calls = 0;
    for (std::size_t i = 0; i != count; ++i) {
        all[i]->end_otherwise();
        const std::size_t before = heap.size();
        heap.forget(p);
        ASSERT_LE(before - heap.size(), looks) << "call " << i;
        if (heap.size() != before) ++calls;
    }
    EXPECT_LE(heap.size(), dead_least + looks);
    EXPECT_GE(calls, count / looks / 2) << "in steps";
}

// A sweep that is under way when nobody forgets any more goes on when memory is given back.
TEST_F(TimerHeap, CoolEndsASweepThatNobodyGoesOnWith) {
    const std::size_t count = 8 * looks;
    for (std::size_t i = 0; i != count; ++i) add(static_cast<std::int64_t>(i));
    for (std::size_t i = 0; i != count / 2; ++i) all[2 * i]->end_otherwise();
    for (std::size_t i = 0; i != count / 2; ++i) heap.forget(p);
    ASSERT_GT(heap.size(), count / 2);
    EXPECT_GT(heap.cool(p), 0u);
    EXPECT_EQ(heap.size(), count / 2);
    EXPECT_EQ(earliest(), 1);
    EXPECT_EQ(heap.cool(p), 0u) << "nothing is left to do";
    for (std::size_t i = 0; i != count / 2; ++i) {
        ASSERT_EQ(run_all_due(static_cast<std::int64_t>(2 * i + 1)), 1u) << "the order is kept";
    }
}

// Timers that are added rise past the cursor and push others behind it, where the sweep does not come by.
TEST_F(TimerHeap, TimersAddedDuringASweepHideNoDeadOnes) {
    random_source random(stress_seed());
    const std::size_t count = 16 * looks;
    for (std::size_t i = 0; i != count; ++i) add(1'000'000 + random.below(1'000'000));
    for (std::size_t i = 0; i != count; ++i) all[i]->end_otherwise();
    for (std::size_t i = 0; i != count; ++i) {
        heap.forget(p);
        add(static_cast<std::int64_t>(1'000'000 - i));  // Each earlier than all before it.
    }
    for (std::size_t i = 0; i != count; ++i) {
        all[count + i]->end_otherwise();
        heap.forget(p);
    }
    while (heap.cool(p) != 0) {}
    EXPECT_LE(heap.size(), dead_least);
}

TEST_F(TimerHeap, WhatIsForgottenInFrontIsDroppedUpToTheFirstThatMatters) {
    for (int i = 0; i != 30; ++i) add(i);
    for (std::size_t i = 0; i != 20; ++i) {
        all[i]->end_otherwise();
        heap.forget(p);
    }
    const std::size_t before = heap.size();  // Tiny limits sweep already.
    const std::size_t dead = before - 10;
    EXPECT_EQ(heap.drop_forgotten(p, 1), std::min<std::size_t>(dead, 1));
    EXPECT_EQ(heap.drop_forgotten(p, 100), dead - std::min<std::size_t>(dead, 1));
    EXPECT_EQ(heap.size(), 10u);
    EXPECT_EQ(earliest(), 20);
    EXPECT_EQ(heap.drop_forgotten(p, 100), 0u);
}

TEST_F(TimerHeap, GivesItsMemoryBackAsItShrinks) {
    const std::size_t count = 100'000;
    for (std::size_t i = 0; i != count; ++i) add(static_cast<std::int64_t>(i));
    const std::size_t most = heap.reserved_bytes();
    EXPECT_GE(most, count * sizeof(timer_heap::entry));
    run_all_due(static_cast<std::int64_t>(count) - 1000);
    EXPECT_LE(heap.reserved_bytes(), most / 8);
    run_all_due(static_cast<std::int64_t>(count));
    EXPECT_EQ(heap.size(), 0u);
}

// An owner gives the memory of its target back when no timer names it any more.
TEST_F(TimerHeap, CountsTheTimersThatDoNotNameTheirTargetAnyMore) {
    static int fired;
    fired = 0;
    timer_target target;
    target.fire = [](timer_target&, std::uint64_t) noexcept { ++fired; };
    target.word = 1;
    {
        timer_heap other;
        other.add(p, 10, timer_event::call(target, 1));
        other.add(p, 20, timer_event::call(target, 1));
        other.add(p, 30, timer_event::call(target, 1));
        EXPECT_EQ(other.run_due(p, 10), 1u);
        EXPECT_EQ(fired, 1);
        EXPECT_EQ(target.timers_gone.load(), 1u);
        target.word = 3;
        other.forget(p);
        EXPECT_EQ(other.drop_forgotten(p, 1), 1u);
        EXPECT_EQ(target.timers_gone.load(), 2u);
    }
    EXPECT_EQ(target.timers_gone.load(), 3u) << "those that go with the heap count too";
    EXPECT_EQ(fired, 1);
}

TEST_F(TimerHeap, FewDeadOnesAreLeftAlone) {
    add(1).end_otherwise();
    heap.forget(p);
    EXPECT_EQ(heap.size(), 1u);
}

TEST_F(TimerHeap, ADeadlineThatWasTakenBackDoesNotFire) {
    coroutine_extras extras;
    extras.deadline_word.store(deadline_epoch | deadline_armed);
    const timer_event event{reinterpret_cast<std::uintptr_t>(&extras) | 1,
                            deadline_epoch | deadline_armed};
    EXPECT_TRUE(timer_pending(event));
    heap.add(p, 10, event);
    extras.deadline_word.store(2 * deadline_epoch);
    EXPECT_FALSE(timer_pending(event));
    heap.run_due(p, 10);
    EXPECT_EQ(extras.deadline_word.load(), 2 * deadline_epoch);
    EXPECT_EQ(heap.size(), 0u);
}

TEST_F(TimerHeap, BehavesAsASortedListOverRandomPrograms) {
    const std::uint64_t seed = stress_seed();
    random_source random(seed);
    std::multimap<std::int64_t, waiter*> model;  // Those that can still fire.
    std::int64_t now = 0;
    std::size_t dead = 0;  // Stale ones that may still be in the heap.

    for (int step = 0; step != 20'000; ++step) {
        const std::uint32_t what = random.below(8);
        if (what < 4) {
            // A narrow range, so that many are due at the same moment.
            const std::int64_t when = now + random.below(what == 0 ? 5 : 300);
            waiter& w = add(when);
            model.emplace(when, &w);
        } else if (what < 6 && !model.empty()) {
            const auto victim =
                std::next(model.begin(), random.below(static_cast<std::uint32_t>(model.size())));
            victim->second->end_otherwise();
            model.erase(victim);
            ++dead;
            heap.forget(p);
            ASSERT_LE(heap.size(), model.size() + std::max(dead_least, heap.size() / 2) + looks)
                << "step " << step;
        } else {
            // To the next deadline exactly, or some way on.
            now = random.below(2) == 0 && !model.empty() ? std::max(now, model.begin()->first)
                                                         : now + random.below(50);
            const std::size_t fired = run_all_due(now);
            std::size_t due = 0;
            while (!model.empty() && model.begin()->first <= now) {
                ASSERT_TRUE(model.begin()->second->fired()) << "step " << step;
                model.erase(model.begin());
                ++due;
            }
            ASSERT_GE(fired, due) << "step " << step;
            ASSERT_LE(fired, due + dead) << "step " << step;
            for (const auto& [when, w] : model) ASSERT_FALSE(w->fired()) << "early; step " << step;
        }
        // Stale ones may be earlier than the earliest that counts.
        ASSERT_LE(earliest(), model.empty() ? never : model.begin()->first) << "step " << step;
        ASSERT_GE(heap.size(), model.size()) << "step " << step;
        if (all.size() > 2000) {
            // Start over; the waiters must outlive their timers.
            heap.cool(p);
            run_all_due(now + 1000);
            model.clear();
            all.clear();
            dead = 0;
            ASSERT_EQ(heap.size(), 0u);
        }
    }
}

TEST_F(TimerHeap, WithoutStaleOnesTheEarliestIsExact) {
    random_source random(stress_seed());
    std::multimap<std::int64_t, waiter*> model;
    for (int step = 0; step != 5'000; ++step) {
        if (random.below(3) != 0 || model.empty()) {
            const std::int64_t when = random.below(100'000);
            model.emplace(when, &add(when));
        } else {
            const std::int64_t next = model.begin()->first;
            const std::size_t due = model.count(next);
            ASSERT_EQ(run_all_due(next), due);
            model.erase(next);
        }
        ASSERT_EQ(earliest(), model.empty() ? never : model.begin()->first);
        ASSERT_EQ(heap.size(), model.size());
    }
}

}  // namespace
}  // namespace weft::detail
