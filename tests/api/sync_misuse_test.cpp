// What a program can get wrong about synchronisation objects.
#include "support/child.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/sync.hpp>
#include <weft/weft.hpp>

#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>

namespace weft::test {
namespace {

class SyncMisuse : public plain_runtime {
protected:
    static std::string complaint(const std::function<void()>& f) {
        try {
            f();
        } catch (const std::logic_error& e) {
            return e.what();
        }
        ADD_FAILURE() << "no std::logic_error";
        return {};
    }
    static bool mentions(const std::string& text, std::string_view part) {
        return text.find(part) != std::string::npos;
    }
    // In a coroutine and on a thread.
    static void everywhere(const std::function<void()>& f) {
        f();
        weft::run(f);
    }
};

TEST_F(SyncMisuse, LockingTwiceIsALogicError) {
    everywhere([] {
        weft::mutex m;
        m.lock();
        EXPECT_PRED2(mentions, complaint([&] { m.lock(); }), "recursive_mutex");
        EXPECT_PRED2(mentions, complaint([&] { m.lock_or_cancel(); }), "recursive_mutex");
        EXPECT_FALSE(m.try_lock());
        m.unlock();
        timed_mutex t;
        t.lock();
        EXPECT_PRED2(mentions, complaint([&] { (void)t.try_lock_for(std::chrono::hours(1)); }),
                     "recursive");
        t.unlock();
        shared_mutex s;
        s.lock();
        EXPECT_PRED2(mentions, complaint([&] { s.lock(); }), "exclusively");
        EXPECT_PRED2(mentions, complaint([&] { s.lock_shared(); }), "exclusively");
        s.unlock();
        s.lock();
        s.unlock();
    });
}

TEST_F(SyncMisuse, CallOnceOutOfItselfIsALogicError) {
    everywhere([] {
        once_flag flag;
        EXPECT_PRED2(mentions, complaint([&] { call_once(flag, [&] { call_once(flag, [] {}); }); }),
                     "call_once");
        int calls = 0;
        call_once(flag, [&] { ++calls; });
        EXPECT_EQ(calls, 1) << "the call that threw does not count";
    });
}

TEST_F(SyncMisuse, ANegativeWaitGroupIsALogicErrorAndAsItWas) {
    everywhere([] {
        wait_group g(1);
        EXPECT_PRED2(mentions, complaint([&] { g.add(-2); }), "wait_group");
        g.done();
        EXPECT_PRED2(mentions, complaint([&] { g.done(); }), "wait_group");
        g.wait();
        EXPECT_NE(complaint([&] { g.add(std::numeric_limits<std::ptrdiff_t>::max()); }), "");
        EXPECT_NE(complaint([&] { g.add(std::numeric_limits<std::ptrdiff_t>::min()); }), "");
        EXPECT_NE(complaint([] { wait_group negative(-1); }), "");
    });
}

TEST_F(SyncMisuse, ALatchCountsNoFurtherThanZero) {
    everywhere([] {
        latch l(2);
        EXPECT_PRED2(mentions, complaint([&] { l.count_down(3); }), "latch");
        EXPECT_NE(complaint([&] { l.count_down(-1); }), "");
        EXPECT_PRED2(mentions, complaint([&] { l.arrive_and_wait(3); }), "latch");
        l.count_down(2);
        EXPECT_PRED2(mentions, complaint([&] { l.count_down(); }), "latch");
        EXPECT_NE(complaint([&] { l.arrive_and_wait(); }), "");
        l.wait();
        EXPECT_NE(complaint([] { latch negative(-1); }), "");
    });
}

TEST_F(SyncMisuse, ASemaphoreHoldsNoMoreThanItsMaximum) {
    everywhere([] {
        binary_semaphore s(1);
        EXPECT_PRED2(mentions, complaint([&] { s.release(); }), "max()");
        EXPECT_NE(complaint([&] { s.release(-1); }), "");
        s.acquire();
        EXPECT_PRED2(mentions, complaint([&] { s.release(2); }), "max()");
        EXPECT_FALSE(s.try_acquire()) << "nothing was released";
        EXPECT_NE(complaint([] { binary_semaphore two(2); }), "");
        EXPECT_NE(complaint([] { counting_semaphore<> negative(-1); }), "");
    });
}

TEST_F(SyncMisuse, ABarrierTakesNoMoreThanItExpects) {
    everywhere([] {
        barrier meet(2);
        EXPECT_PRED2(mentions, complaint([&] { (void)meet.arrive(3); }), "barrier");
        EXPECT_NE(complaint([&] { (void)meet.arrive(0); }), "");
        (void)meet.arrive(2);
        meet.arrive_and_drop();
        meet.arrive_and_drop();
        EXPECT_NE(complaint([&] { meet.arrive_and_wait(); }), "");
        EXPECT_NE(complaint([] { barrier negative(-1); }), "");
    });
}

TEST_F(SyncMisuse, WaitingWithoutTheLockIsALogicError) {
    everywhere([] {
        weft::mutex m;
        weft::condition_variable c;
        std::unique_lock lock(m, std::defer_lock);
        EXPECT_NE(complaint([&] { c.wait(lock); }), "");
        EXPECT_NE(complaint([&] { c.wait(m); }), "");
        m.lock();
        EXPECT_EQ(c.wait_for(m, std::chrono::milliseconds(1)), std::cv_status::timeout);
        m.unlock();
    });
}

TEST_F(SyncMisuse, ThreadsAreKeptOutOfASimulation) {
    weft::testing::simulate(1, [] {
        weft::mutex m;
        binary_semaphore s(0);
        wait_group g(1);
        weft::condition_variable c;
        shared_mutex rw;
        latch l(1);
        barrier meet(2);
        auto waiter = spawn([&] { s.acquire(); });
        yield();
        std::thread([&] {
            EXPECT_THROW(m.lock(), std::logic_error);
            EXPECT_THROW((void)m.try_lock(), std::logic_error);
            EXPECT_THROW(s.release(), std::logic_error);
            EXPECT_THROW(s.acquire(), std::logic_error);
            EXPECT_THROW(g.done(), std::logic_error);
            EXPECT_THROW(g.wait(), std::logic_error);
            EXPECT_THROW(rw.lock_shared(), std::logic_error);
            EXPECT_THROW(l.count_down(), std::logic_error);
            EXPECT_THROW((void)meet.arrive(), std::logic_error);
            c.notify_all();
        }).join();
        s.release();
        waiter.join();
        EXPECT_TRUE(m.try_lock());
        m.unlock();
    });
}

// Two that wait for each other: the report says for what.
TEST_F(SyncMisuse, ADeadlockIsReportedWithWhatIsWaitedFor) {
    const child_result child = run_child([] {
        return weft::run(
            [] {
                weft::mutex a;
                weft::mutex b;
                scope s;
                s.go({.name = "first"}, [&] {
                    const std::lock_guard hold(a);
                    yield();
                    yield();
                    const std::lock_guard more(b);
                });
                s.go({.name = "second"}, [&] {
                    const std::lock_guard hold(b);
                    yield();
                    yield();
                    const std::lock_guard more(a);
                });
                const no_cancel deaf;
                s.join();
            },
            {.processors = 1});
    });
    EXPECT_EQ(child.exit_status, 2) << child.err;
    EXPECT_EQ(child.lines_with(" [mutex 0x").size(), 2u) << child.err;
}

}  // namespace
}  // namespace weft::test
