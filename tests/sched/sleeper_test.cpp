// Tickets: one of several firers ends a wait, and one from an earlier wait does no harm. On threads, whose sleep
// needs no runtime; coroutines are in cancel_stress.cpp.
#include "sched/sleeper.hpp"

#include "base/stress.hpp"
#include "os/clock.hpp"
#include "sched/thread_sleeper.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

TEST(Sleeper, IsNotWaitingAtFirst) {
    sleeper s(false);
    EXPECT_EQ(s.reason(), wake_reason::none);
    EXPECT_EQ(s.current_throwing().who, nullptr);
    EXPECT_EQ(s.current_cancellable().who, nullptr);
}

TEST(Sleeper, ATicketNamesItsWaitAndWhatItIsFor) {
    sleeper s(false);
    const ticket t = s.begin_wait(false, false, wait_kind::join);
    EXPECT_EQ(t.who, &s);
    EXPECT_TRUE(s.waits_for(t.word));
    EXPECT_EQ(s.kind(), wait_kind::join);
    EXPECT_FALSE(sleeper::is_thread(t));
}

TEST(Sleeper, TheFirstClaimWinsAndIsTheReason) {
    sleeper s(false);
    const ticket t = s.begin_wait(true, false, wait_kind::other);
    EXPECT_TRUE(sleeper::claim(t, wake_reason::timeout));
    EXPECT_FALSE(sleeper::claim(t, wake_reason::signalled));
    EXPECT_EQ(s.reason(), wake_reason::timeout);
    EXPECT_EQ(s.current_cancellable().who, nullptr);
}

TEST(Sleeper, ATicketOfAnEarlierWaitIsStale) {
    sleeper s(false);
    const ticket first = s.begin_wait(true, false, wait_kind::other);
    ASSERT_TRUE(sleeper::claim(first, wake_reason::signalled));
    const ticket second = s.begin_wait(true, false, wait_kind::other);
    EXPECT_NE(first.word, second.word);
    EXPECT_FALSE(sleeper::claim(first, wake_reason::cancelled));
    EXPECT_EQ(s.reason(), wake_reason::cancellable) << "the second wait goes on";
    EXPECT_TRUE(sleeper::claim(second, wake_reason::signalled));
}

TEST(Sleeper, AWaitThatWasNeverEndedIsStaleOnceTheNextBegins) {
    sleeper s(true);
    const ticket first = s.begin_wait(false, false, wait_kind::other);
    const ticket second = s.begin_wait(false, false, wait_kind::other);
    EXPECT_FALSE(sleeper::claim(first, wake_reason::signalled));
    EXPECT_TRUE(sleeper::is_thread(second));
    EXPECT_TRUE(s.waits_for(second.word));
}

TEST(Sleeper, OnlyACancellableWaitOffersItselfToACanceller) {
    sleeper s(false);
    const ticket deaf = s.begin_wait(false, false, wait_kind::other);
    EXPECT_EQ(s.current_cancellable().who, nullptr);
    EXPECT_TRUE(s.waits_for(deaf.word));
    const ticket open = s.begin_wait(true, false, wait_kind::other);
    EXPECT_EQ(s.current_cancellable().word, open.word);
}

TEST(Sleeper, OnlyAWaitWhoseCallerExpectsExceptionsIsOfferedForADeadlock) {
    sleeper s(false);
    s.begin_wait(false, false, wait_kind::other);
    EXPECT_EQ(s.current_throwing().who, nullptr);
    const ticket open = s.begin_wait(false, true, wait_kind::other);
    EXPECT_EQ(s.current_throwing().word, open.word);
    EXPECT_EQ(s.current_cancellable().who, nullptr);
    ASSERT_TRUE(sleeper::claim(open, wake_reason::deadlock));
    EXPECT_EQ(s.current_throwing().who, nullptr);
    EXPECT_EQ(s.reason(), wake_reason::deadlock);
}

TEST(Sleeper, EveryKindHasAName) {
    for (unsigned kind = 0; kind <= static_cast<unsigned>(last_wait_kind); ++kind) {
        EXPECT_STRNE(name_of(static_cast<wait_kind>(kind)), "");
    }
}

TEST(ThreadSleeper, SleepsUntilFired) {
    thread_sleeper me;
    const ticket t = me.begin_wait(false, false, wait_kind::other);
    std::thread waker([t] { EXPECT_TRUE(fire(t, wake_reason::signalled)); });
    EXPECT_EQ(me.sleep(t, never), wake_reason::signalled);
    waker.join();
}

TEST(ThreadSleeper, DoesNotSleepWhenItWasFiredBefore) {
    thread_sleeper me;
    const ticket t = me.begin_wait(false, false, wait_kind::other);
    ASSERT_TRUE(fire(t, wake_reason::signalled));
    EXPECT_EQ(me.sleep(t, never), wake_reason::signalled);
}

TEST(ThreadSleeper, EndsItsOwnWaitWhenTheTimeHasPassedAndNotBefore) {
    thread_sleeper me;
    const ticket t = me.begin_wait(false, false, wait_kind::other);
    const std::int64_t deadline = monotonic_ns() + 3'000'000;
    EXPECT_EQ(me.sleep(t, deadline), wake_reason::timeout);
    EXPECT_GE(monotonic_ns(), deadline);
    EXPECT_FALSE(fire(t, wake_reason::signalled)) << "too late";
}

TEST(SleeperStress, ExactlyOneOfSeveralFirersWinsAndTheSleeperSeesWhatItWrote) {
    const std::uint64_t rounds = stress_rounds(30'000);
    const test::watchdog dog(stress_seconds());
    constexpr std::size_t firers = 3;
    thread_sleeper me;
    std::atomic<std::uint64_t> word{0};
    std::atomic<std::uint64_t> round{0};
    std::array<std::atomic<std::uint64_t>, firers> done{};
    std::array<std::uint64_t, firers> won{};
    std::uint64_t message =
        0;  // Plain: written by the winner before it fires, read by the sleeper.

    std::vector<std::thread> threads;
    for (std::size_t f = 0; f != firers; ++f) {
        threads.emplace_back([&, f] {
            for (std::uint64_t n = 1; n <= rounds; ++n) {
                while (round.load(std::memory_order_acquire) < n) std::this_thread::yield();
                const ticket t{&me, word.load(std::memory_order_relaxed)};
                if (f == 0) message = n;  // The others win without a message.
                const auto why = f == 0 ? wake_reason::signalled : wake_reason::cancelled;
                if (fire(t, why)) ++won[f];
                done[f].store(n, std::memory_order_release);
            }
        });
    }
    std::uint64_t signals = 0;
    for (std::uint64_t n = 1; n <= rounds; ++n) {
        const ticket t = me.begin_wait(false, false, wait_kind::other);
        word.store(t.word, std::memory_order_relaxed);
        round.store(n, std::memory_order_release);
        if (me.sleep(t, never) == wake_reason::signalled) {
            ++signals;
            ASSERT_EQ(message, n);
        }
        for (const auto& d : done) {
            while (d.load(std::memory_order_acquire) < n) std::this_thread::yield();
        }
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(won[0], signals);
    EXPECT_EQ(won[0] + won[1] + won[2], rounds);
}

}  // namespace
}  // namespace weft::detail
