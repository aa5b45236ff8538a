// Which waits a request to stop ends, and what it leaves behind.
#include "support/cancel_points.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/sync.hpp>
#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using weft::testing::simulate;

class SyncCancel : public with_runtime {
protected:
    static void throws_at_once(const std::function<void()>& f) { cancel_points::at_once.expect(f); }
    static void is_a_point(const std::function<void()>& f) {
        cancel_points::at_once_and_while_waiting.expect(f);
    }
};
WEFT_TEST_PROCESSORS(SyncCancel);

TEST_P(SyncCancel, EveryWaitIsAPointAndLeavesNothingBehind) {
    run([] {
        binary_semaphore s(0);
        is_a_point([&] { s.acquire(); });
        is_a_point([&] { (void)s.try_acquire_for(1h); });
        is_a_point([&] { (void)s.try_acquire_until(std::chrono::system_clock::now() + 1h); });
        s.release();
        EXPECT_TRUE(s.try_acquire());

        latch l(2);
        is_a_point([&] { l.wait(); });
        is_a_point([&] { l.arrive_and_wait(); });
        l.count_down(2);
        EXPECT_TRUE(l.try_wait()) << "no arrival was counted";

        wait_group g(1);
        is_a_point([&] { g.wait(); });
        g.done();

        barrier meet(2);
        is_a_point([&] { meet.arrive_and_wait(); });
        auto token = meet.arrive();
        is_a_point([&] { meet.wait(std::move(token)); });
        (void)meet.arrive();
        meet.wait(std::move(token));

        weft::mutex m;
        timed_mutex t;
        recursive_mutex r;
        recursive_timed_mutex rt;
        shared_mutex rw;
        const std::scoped_lock all(m, t, r, rt, rw);
        is_a_point([&] { m.lock_or_cancel(); });
        is_a_point([&] { t.lock_or_cancel(); });
        is_a_point([&] { r.lock_or_cancel(); });
        is_a_point([&] { rt.lock_or_cancel(); });
        is_a_point([&] { rw.lock_or_cancel(); });
        is_a_point([&] { rw.lock_shared_or_cancel(); });
    });
}

TEST_P(SyncCancel, PointsThrowAlsoWhereNothingHasToBeWaitedFor) {
    run([] {
        counting_semaphore<> s(1);
        throws_at_once([&] { s.acquire(); });
        throws_at_once([&] { (void)s.try_acquire_for(1h); });
        EXPECT_TRUE(s.try_acquire()) << "no permit was taken";
        latch l(0);
        throws_at_once([&] { l.wait(); });
        latch one(1);
        throws_at_once([&] { one.arrive_and_wait(); });
        EXPECT_FALSE(one.try_wait());
        wait_group g;
        throws_at_once([&] { g.wait(); });
        barrier meet(1);
        throws_at_once([&] { meet.arrive_and_wait(); });
        weft::mutex m;
        throws_at_once([&] { m.lock_or_cancel(); });
        EXPECT_TRUE(m.try_lock());
        m.unlock();
        shared_mutex rw;
        throws_at_once([&] { rw.lock_shared_or_cancel(); });
        EXPECT_TRUE(rw.try_lock());
        rw.unlock();
        condition_variable changed;
        const auto holds = [] { return true; };
        const auto waits = [&](const auto& f) {
            throws_at_once([&] {
                std::unique_lock lock(m);
                f(lock);
            });
        };
        std::stop_source stop;
        stop.request_stop();
        waits([&](auto& lock) { changed.wait(lock, holds); });
        waits([&](auto& lock) { (void)changed.wait_for(lock, 1h, holds); });
        waits([&](auto& lock) { (void)changed.wait(lock, stop.get_token(), holds); });
        waits([&](auto& lock) { (void)changed.wait_for(lock, stop.get_token(), 1h, holds); });
        EXPECT_TRUE(m.try_lock()) << "they unlock it";
        m.unlock();
    });
}

TEST_P(SyncCancel, LocksAreNoPoints) {
    run([] {
        weft::mutex m;
        timed_mutex t;
        recursive_mutex r;
        shared_mutex rw;
        once_flag flag;
        std::atomic<int> got{0};
        auto waiter = [&] {
            const std::scoped_lock three(m, t, r);
            { const std::lock_guard writing(rw); }
            const std::shared_lock reading(rw);
            call_once(flag, [] {});
            ++got;
        };
        std::optional<std::scoped_lock<weft::mutex, timed_mutex, recursive_mutex, shared_mutex>>
            all;
        all.emplace(m, t, r, rw);
        std::vector<join_handle<void>> handles;
        for (int i = 0; i != 5; ++i) handles.push_back(spawn(waiter));
        for (int i = 0; i != 5; ++i) yield();
        for (auto& handle : handles) handle.request_stop();
        for (int i = 0; i != 5; ++i) yield();
        EXPECT_EQ(got, 0);
        all.reset();
        for (auto& handle : handles) handle.join();
        EXPECT_EQ(got, 5);
    });
}

TEST_P(SyncCancel, AConditionWaitThrowsWithItsLockHeld) {
    run([] {
        weft::mutex m;
        shared_mutex other;
        weft::condition_variable c;
        const auto holds_it = [&](auto& mutex) {
            std::unique_lock lock(mutex);
            try {
                for (;;) c.wait(lock);
            } catch (const cancelled&) {
                EXPECT_TRUE(lock.owns_lock());
                const no_cancel deaf;
                EXPECT_FALSE(spawn([&] { return mutex.try_lock(); }).join());
                throw;
            }
        };
        is_a_point([&] { holds_it(m); });
        is_a_point([&] { holds_it(other); });
        is_a_point([&] {
            std::unique_lock lock(m);
            while (c.wait_for(lock, 1h) == std::cv_status::no_timeout) {}
        });
        is_a_point([&] {
            std::unique_lock lock(m);
            std::stop_source source;
            c.wait(lock, source.get_token(), [] { return false; });
        });
        EXPECT_TRUE(m.try_lock());
        m.unlock();
    });
}

TEST_P(SyncCancel, AConditionWaitThrowsOnlyWhenItHasTheLockAgain) {
    run([] {
        weft::mutex m;
        weft::condition_variable c;
        std::atomic<bool> waits{false};
        std::atomic<bool> thrown{false};
        auto waiter = spawn([&] {
            std::unique_lock lock(m);
            waits = true;
            try {
                for (;;) c.wait(lock);
            } catch (const cancelled&) {
                thrown = true;
                throw;
            }
        });
        wait_until([&] { return waits.load(); });
        m.lock();
        waiter.request_stop();
        for (int i = 0; i != 10; ++i) yield();
        EXPECT_FALSE(thrown);
        m.unlock();
        EXPECT_THROW(waiter.join(), coroutine_cancelled);
    });
}

TEST_P(SyncCancel, NoCancelWaitsOn) {
    run([] {
        binary_semaphore s(0);
        weft::mutex m;
        weft::condition_variable c;
        bool ready = false;
        auto waiter = spawn([&] {
            const no_cancel deaf;
            s.acquire();
            std::unique_lock lock(m);
            c.wait(lock, [&] { return ready; });
            m.unlock();
            m.lock_or_cancel();
            return 5;
        });
        waiter.request_stop();
        for (int i = 0; i != 5; ++i) yield();
        s.release();
        {
            const std::lock_guard hold(m);
            ready = true;
            c.notify_all();
        }
        EXPECT_EQ(waiter.join(), 5);
    });
}

TEST_P(SyncCancel, ATimeoutOfAnEnclosingScopeEndsThem) {
    run([] {
        binary_semaphore s(0);
        EXPECT_THROW(with_timeout(1ms, [&] { s.acquire(); }), timed_out);
        weft::mutex m;
        const std::lock_guard hold(m);
        EXPECT_THROW(spawn([&] { with_timeout(1ms, [&] { m.lock_or_cancel(); }); }).join(),
                     timed_out);
        latch l(1);
        EXPECT_THROW(with_timeout(1ms, [&] { l.wait(); }), timed_out);
    });
}

class SyncCancelSimulated : public plain_runtime {};

// A permit that was handed over before the request is kept; the next point throws.
TEST_F(SyncCancelSimulated, WhatHasBeenHandedOverWins) {
    for (std::uint64_t seed = 1; seed <= 200 / slowdown; ++seed) {
        simulate(seed, [] {
            binary_semaphore s(0);
            bool got = false;
            auto waiter = spawn([&] {
                s.acquire();
                got = true;
                s.acquire();
            });
            for (int i = 0; i != 20; ++i) yield();
            s.release();
            waiter.request_stop();
            EXPECT_THROW(waiter.join(), coroutine_cancelled);
            EXPECT_NE(got, s.try_acquire()) << "the permit is with one of the two";
        });
    }
}

}  // namespace
}  // namespace weft::test
