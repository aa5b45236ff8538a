// What one coroutine does to its thread never stops the others: long loops with and without safepoints, locks of the
// system's, calls that block without saying so. Most of it is hardest with one processor.
#include "support/child.hpp"
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Preemption : public with_runtime {};
WEFT_TEST_PROCESSORS(Preemption);

TEST_P(Preemption, ALoopOfCheckpointsLetsOthersRun) {
    run([] {
        std::atomic<bool> ran{false};
        go([&] { ran = true; });
        while (!ran) checkpoint();
        if (processors() == 1) {
            EXPECT_GE(stats().preemptions, 1u);
        }
    });
}

TEST_P(Preemption, ALoopThatOnlySpawnsLetsOthersRun) {
    run([] {
        std::atomic<bool> ran{false};
        go([&] { ran = true; });
        while (!ran) go([] {});
    });
}

TEST_P(Preemption, ASleeperWakesBesideLoopsOfCheckpoints) {
    run([] {
        std::atomic<bool> done{false};
        scope s;
        for (int i = 0; i != 16; ++i) {
            s.go([&] {
                while (!done) checkpoint();
            });
        }
        for (int i = 0; i != 5; ++i) sleep_for(1ms);
        done = true;
        s.join();
    });
}

TEST_P(Preemption, NoPreemptHoldsItOff) {
    run([] {
        std::atomic<bool> ran{false};
        go([&] { ran = true; });
        const auto until = weft::clock::now() + 30ms;
        {
            const no_preempt stay;
            const std::uint64_t before = stats().preemptions;
            while (weft::clock::now() < until) checkpoint();
            if (processors() == 1) {
                EXPECT_EQ(stats().preemptions, before);
            }
        }
        while (!ran) checkpoint();
    });
}

TEST_P(Preemption, ALoopWithoutAnyCallLetsOthersRun) {
    run([] {
        std::atomic<bool> ran{false};
        go([&] { ran = true; });
        while (!ran.load(std::memory_order_relaxed)) {}
        if (processors() == 1) {
            EXPECT_GE(stats().compensations, 1u);
        }
    });
}

TEST_P(Preemption, ASleepOfTheSystemsLetsOthersRun) {
    run([] {
        std::atomic<bool> ran{false};
        go([&] { ran = true; });
        while (!ran) ::usleep(1000);
    });
}

TEST_P(Preemption, APairThatSharesAStdMutexEnds) {
    run([] {
        std::mutex lock;
        std::atomic<bool> held{false};
        auto holder = spawn([&] {
            const std::lock_guard hold(lock);
            held = true;
            for (int i = 0; i != 3; ++i) yield();
            sleep_for(1ms);
        });
        wait_until([&] { return held.load(); });
        lock.lock();  // Its holder needs a processor to unlock it.
        lock.unlock();
        holder.join();
    });
}

TEST_P(Preemption, APairThatSharesASpinLockEnds) {
    run([] {
        std::atomic_flag lock;
        std::atomic<bool> held{false};
        auto holder = spawn([&] {
            while (lock.test_and_set()) {}
            held = true;
            sleep_for(1ms);
            lock.clear();
        });
        wait_until([&] { return held.load(); });
        while (lock.test_and_set()) {}
        lock.clear();
        holder.join();
    });
}

TEST_P(Preemption, ManyBlockedInReadsOfTheSystemsRecover) {
    const int readers = 1000;
    run([&] {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        std::atomic<unsigned> begun{0};
        std::atomic<int> read{0};
        // A thread writes, once every processor is blocked: coroutines, main too, may all be behind more readers than
        // there can be processors.
        std::thread writer([&] {
            while (begun.load() < GetParam()) std::this_thread::yield();
            for (int i = 0; i != readers; ++i) {
                const char c = 'x';
                ASSERT_EQ(::write(ends[1], &c, 1), 1);
            }
        });
        scope s;
        for (int i = 0; i != readers; ++i) {
            s.go([&] {
                char c;
                ++begun;
                if (::read(ends[0], &c, 1) == 1) ++read;
            });
        }
        s.join();
        writer.join();
        EXPECT_EQ(read, readers);
        ::close(ends[0]);
        ::close(ends[1]);
    });
}

TEST_P(Preemption, AddedProcessorsGoWhenTheyAreNotNeededAnyMore) {
    run([] {
        const unsigned configured = processors();
        for (int round = 0; round != 3; ++round) {
            std::atomic<bool> ran{false};
            auto waker = spawn([&] {
                sleep_for(1ms);
                ran = true;
            });
            scope s;
            for (unsigned i = 0; i != configured; ++i) {
                s.go([&] {
                    while (!ran.load(std::memory_order_relaxed)) {}
                });
            }
            s.join();
            waker.join();
            wait_until([&] { return processors() == configured; });
        }
    });
}

TEST_P(Preemption, WhoBlocksTheThreadIsNoticedHoweverLongASliceIs) {
    run(
        [] {
            std::atomic<bool> ran{false};
            go([&] { ran = true; });
            while (!ran) ::usleep(1'000'000);
        },
        {.preempt_after = std::chrono::nanoseconds::max()});
}

TEST_P(Preemption, NoProcessorIsAddedWhereNoneMayBe) {
    run(
        [] {
            std::atomic<bool> ran{false};
            if (processors() > 1) {
                go([&] { ran = true; });
            }
            const auto until = weft::clock::now() + 40ms;
            while (weft::clock::now() < until) {}
            EXPECT_EQ(stats().compensations, 0u);
        },
        {.max_compensation = 0});
}

// Where calls have been quick the call runs in place, and keeps its processor; here the last one is not.
TEST_P(Preemption, ABlockingCallThatIsSlowForOnceLosesItsProcessor) {
    run([] {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        const auto read_one = [&] {
            return blocking([&] {
                char c = 0;
                return ::read(ends[0], &c, 1) == 1 ? c : '?';
            });
        };
        const auto write_one = [&](char c) { ASSERT_EQ(::write(ends[1], &c, 1), 1); };
        for (int round = 0; round != 3; ++round) {
            for (int i = 0; i != 200; ++i) {
                write_one('a');
                ASSERT_EQ(read_one(), 'a');
            }
            std::atomic<bool> reading{false};
            auto writer = spawn([&] {
                wait_until([&] { return reading.load(); });
                write_one('b');
            });
            reading = true;
            ASSERT_EQ(read_one(), 'b');
            writer.join();
        }
        ::close(ends[0]);
        ::close(ends[1]);
    });
}

class Stall : public plain_runtime {};

TEST_F(Stall, OneThatBlocksItsThreadIsNamedWhenAskedFor) {
    const child_result child = run_child(
        [] { return run([] { spawn({.name = "sleepy"}, [] { ::usleep(300'000); }).join(); }); },
        {.environment = {{"WEFT_DEBUG", "stall=50ms"}}});
    EXPECT_EQ(child.exit_status, 0);
    const auto lines = child.lines_with("stall");
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_NE(lines[0].find("'sleepy'"), std::string::npos) << child.err;
    EXPECT_NE(lines[0].find("preemption_test.cpp:"), std::string::npos) << child.err;
    EXPECT_NE(lines[0].find("blocked its thread"), std::string::npos) << child.err;
}

extern "C" [[gnu::noinline]] void preemption_test_blocks() {
    ::usleep(300'000);
    asm volatile("");
}

TEST_F(Stall, OfManyAtOnePlaceTheFirstIsNamedWithItsStackAndARemedy) {
    const child_result child = run_child(
        [] {
            return run([] {
                scope s;
                for (int i = 0; i != 8; ++i) s.go(preemption_test_blocks);
                s.join();
            });
        },
        {.environment = {{"WEFT_DEBUG", "stall=50ms"}}});
    EXPECT_EQ(child.exit_status, 0);
    EXPECT_EQ(child.lines_with("stall: coroutine").size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with("see weft::sleep_for()").size(), 1u) << child.err;
#if WEFT_TEST_HAS_NAMES
    if (!address_sanitizer && !thread_sanitizer) {  // Whose own frames are in the way.
        EXPECT_GE(child.lines_with("preemption_test_blocks").size(), 1u) << child.err;
    }
#endif
}

TEST_F(Stall, TheHolderOfAStdMutexIsNamed) {
    const child_result child = run_child(
        [] {
            return run(
                [] {
                    std::mutex m;
                    latch locked(1);
                    auto holder = spawn({.name = "holder"}, [&] {
                        const std::lock_guard hold(m);
                        locked.count_down();
                        ::usleep(1'000'000);
                    });
                    locked.wait();
                    spawn({.name = "waiter"}, [&] { const std::lock_guard hold(m); }).join();
                    holder.join();
                },
                {.processors = 2});
        },
        {.environment = {{"WEFT_DEBUG", "stall=50ms"}}});
    EXPECT_EQ(child.exit_status, 0);
    const auto lines = child.lines_with("it waits for the std::mutex 0x");
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_NE(lines[0].find(" holds; there runs coroutine 2 'holder', created at "),
              std::string::npos)
        << child.err;
}

TEST_F(Stall, ThreadsThatMayHelpAreNamedOnce) {
    const child_result child = run_child(
        [] {
            return run([] {
                chan<int> from_outside(0);
                std::atomic<bool> named{false};
                std::thread outside([&] {
                    ::pthread_setname_np(::pthread_self(), "helper-of-ours");
                    named = true;
                    ::usleep(1'500'000);
                    from_outside.send(1);
                });
                while (!named) yield();
                (void)from_outside.recv();
                outside.join();
            });
        },
        {.environment = {{"WEFT_DEBUG", "stall=50ms"}}});
    EXPECT_EQ(child.exit_status, 0);
    const auto lines = child.lines_with("every coroutine waits");
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_NE(lines[0].find("'helper-of-ours'"), std::string::npos) << child.err;
}

TEST_F(Stall, OneThatRunsForASecondWithoutASafepointIsNamedWhenAskedFor) {
    const child_result child = run_child(
        [] {
            return run([] {
                spawn({.name = "busy"}, [] {
                    const no_preempt
                        stay;  // Else it would be preempted as it looks at the clock, where stacks are split.
                    const auto until = std::chrono::steady_clock::now() + 1500ms;
                    while (std::chrono::steady_clock::now() < until) {}
                }).join();
            });
        },
        {.environment = {{"WEFT_DEBUG", "stall=50ms"}}});
    EXPECT_EQ(child.exit_status, 0);
    const auto lines = child.lines_with("without a safepoint");
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_NE(lines[0].find("'busy'"), std::string::npos) << child.err;
}

TEST_F(Stall, NobodyIsNamedOtherwise) {
    const child_result child =
        run_child([] { return run([] { spawn([] { ::usleep(100'000); }).join(); }); });
    EXPECT_EQ(child.err, "");
}

}  // namespace
}  // namespace weft::test
