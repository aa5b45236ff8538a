// counting_semaphore, latch, wait_group, barrier.
#include "support/runtime_fixture.hpp"
#include "sync_clocks.hpp"

#include <weft/sync.hpp>
#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

static_assert(sizeof(binary_semaphore) == 16 && sizeof(latch) == 16 && sizeof(wait_group) == 16);
static_assert(binary_semaphore::max() == 1 && counting_semaphore<5>::max() == 5);

constinit counting_semaphore<> global_semaphore(2);
constinit latch global_latch(3);
constinit wait_group global_group;
constinit barrier<> global_barrier(4);

class SyncCounting : public with_runtime {};
WEFT_TEST_PROCESSORS(SyncCounting);
class SyncCountingAnywhere : public plain_runtime {};

TEST_P(SyncCounting, ASemaphoreLetsThroughAsManyAsItHasPermits) {
    run([] {
        counting_semaphore<> permits(3);
        std::atomic<int> inside{0};
        std::atomic<int> most{0};
        const auto work = [&] {
            for (int k = 0; k != 50; ++k) {
                permits.acquire();
                const int now = ++inside;
                EXPECT_LE(now, 3);
                if (now > most) most = now;
                yield();
                --inside;
                permits.release();
            }
        };
        std::vector<std::thread> threads;
        scope s;
        for (int i = 0; i != 10; ++i) s.go(work);
        for (int i = 0; i != 2; ++i) threads.emplace_back(work);
        s.join();
        for (auto& thread : threads) thread.join();
        EXPECT_GT(most, 0);
        for (int i = 0; i != 3; ++i) EXPECT_TRUE(permits.try_acquire());
        EXPECT_FALSE(permits.try_acquire());
    });
}

TEST_P(SyncCounting, ManyPermitsAtOnceWakeMany) {
    run([] {
        counting_semaphore<100> permits(0);
        scope s;
        for (int i = 0; i != 10; ++i) s.go([&] { permits.acquire(); });
        for (int i = 0; i != 3; ++i) yield();
        permits.release(15);
        s.join();
        for (int i = 0; i != 5; ++i) EXPECT_TRUE(permits.try_acquire());
        EXPECT_FALSE(permits.try_acquire());
        permits.release(0);
        EXPECT_FALSE(permits.try_acquire());
    });
}

TEST_P(SyncCounting, ASemaphoreIsWaitedForAsLongAsSaid) {
    run([] {
        binary_semaphore s(0);
        const auto waits = [&](auto&& attempt) {
            const auto before = weft::clock::now();
            EXPECT_FALSE(attempt());
            EXPECT_GE(weft::clock::now() - before, 2ms);
        };
        waits([&] { return s.try_acquire_for(2ms); });
        waits([&] { return s.try_acquire_until(std::chrono::steady_clock::now() + 2ms); });
        waits([&] { return s.try_acquire_until(manual_clock::now() + 2ms); });
        std::thread([&] { waits([&] { return s.try_acquire_for(2ms); }); }).join();
        EXPECT_FALSE(s.try_acquire_until(std::chrono::system_clock::now() + 1ms));
        EXPECT_FALSE(s.try_acquire_for(-1h));
        s.release();
        EXPECT_TRUE(s.try_acquire_for(-1h));
        auto waiter = spawn([&] { return s.try_acquire_for(1h); });
        yield();
        s.release();
        EXPECT_TRUE(waiter.join());
        EXPECT_FALSE(s.try_acquire());
    });
}

TEST_P(SyncCounting, ALatchOpensOnceAllHaveCountedDown) {
    run([] {
        latch open(5);
        std::atomic<int> arrived{0};
        const auto participant = [&] {
            ++arrived;
            open.arrive_and_wait();
            EXPECT_EQ(arrived, 4);
        };
        scope s;
        for (int i = 0; i != 3; ++i) s.go(participant);
        std::thread thread(participant);
        wait_until([&] { return arrived == 4; });
        EXPECT_FALSE(open.try_wait());
        open.count_down();
        open.wait();
        EXPECT_TRUE(open.try_wait());
        s.join();
        thread.join();
        const latch none(0);
        none.wait();
        latch two(2);
        two.count_down(0);
        two.count_down(2);
        two.wait();
        latch three(3);
        three.arrive_and_wait(3);
    });
}

TEST_P(SyncCounting, AWaitGroupWaitsForWhatWasAdded) {
    run([] {
        wait_group group;
        group.wait();
        std::atomic<int> done{0};
        for (int round = 1; round <= 3; ++round) {
            group.add(10);
            for (int i = 0; i != 9; ++i) {
                go([&] {
                    yield();
                    ++done;
                    group.done();
                });
            }
            std::thread thread([&] {
                ++done;
                group.done();
            });
            scope waiters;
            for (int i = 0; i != 3; ++i) {
                waiters.go([&] {
                    group.wait();
                    EXPECT_EQ(done, 10 * round);
                });
            }
            group.wait();
            waiters.join();
            thread.join();
        }
        group.add(2);
        group.add(-2);
        group.wait();
        wait_group with(1);
        EXPECT_FALSE(with.try_wait());
        with.done();
        with.wait();
    });
}

TEST_P(SyncCounting, ABarrierKeepsPhasesApart) {
    run([] {
        constexpr int participants = 5;
        constexpr int phases = 100;
        std::array<int, participants> at{};
        int completions = 0;
        const auto complete = [&]() noexcept {
            for (const int phase : at) EXPECT_EQ(phase, completions + 1);
            ++completions;
        };
        barrier meet(participants, complete);
        barrier<> every(
            participants);  // So that nobody is in the next phase while others still look.
        scope s;
        for (std::size_t i = 0; i != participants; ++i) {
            s.go([&, i] {
                for (int k = 1; k <= phases; ++k) {
                    at[i] = k;
                    if (i % 2 == 0) {
                        meet.arrive_and_wait();
                    } else {
                        auto token = meet.arrive();
                        yield();
                        meet.wait(std::move(token));
                    }
                    EXPECT_EQ(completions, k);
                    every.arrive_and_wait();
                }
            });
        }
        s.join();
        EXPECT_EQ(completions, phases);
    });
}

TEST_P(SyncCounting, ThreadsAndCoroutinesMeetAtABarrier) {
    run([] {
        std::atomic<int> arrived{0};
        barrier meet(4);
        const auto participant = [&] {
            for (int k = 1; k <= 50; ++k) {
                ++arrived;
                meet.arrive_and_wait();
                EXPECT_GE(arrived, 4 * k);
                meet.arrive_and_wait();
            }
        };
        std::vector<std::thread> threads;
        scope s;
        for (int i = 0; i != 2; ++i) {
            threads.emplace_back(participant);
            s.go(participant);
        }
        s.join();
        for (auto& thread : threads) thread.join();
    });
}

TEST_P(SyncCounting, WhoDropsOutIsNotExpectedAnyMore) {
    run([] {
        int completions = 0;
        barrier meet(3, [&]() noexcept { ++completions; });
        scope s;
        s.go([&] { meet.arrive_and_drop(); });
        s.go([&] {
            meet.arrive_and_wait();
            meet.arrive_and_drop();
        });
        for (int i = 0; i != 5; ++i) meet.arrive_and_wait();
        s.join();
        EXPECT_EQ(completions, 5);
    });
}

TEST_P(SyncCounting, ACompletionMayWait) {
    run([] {
        weft::mutex m;
        barrier meet(3, [&]() noexcept {
            const std::lock_guard hold(m);
            yield();
        });
        scope s;
        for (int i = 0; i != 3; ++i) {
            s.go([&] {
                for (int k = 0; k != 20; ++k) {
                    meet.arrive_and_wait();
                    const std::lock_guard hold(m);
                }
            });
        }
        s.join();
    });
}

// The last to return destroys the object, which lies in memory that is overwritten at once.
template <class Object, class Wait, class Release, class... Args>
void is_destroyed_by_the_last(Wait wait, Release release, Args... args) {
    for (int round = 0; round != 60 / static_cast<int>(slowdown) + 4; ++round) {
        auto object = std::make_unique<Object>(args...);
        Object& o = *object;
        scope s;
        std::optional<std::thread> thread;
        if (round % 2 == 0) {
            s.go([&] { release(o); });
        } else {
            thread.emplace([&] { release(o); });
        }
        wait(o);
        object.reset();
        s.join();
        if (thread) thread->join();
    }
}

TEST_P(SyncCounting, MayBeDestroyedByTheLastToReturn) {
    run([] {
        is_destroyed_by_the_last<wait_group>([](auto& g) { g.wait(); }, [](auto& g) { g.done(); },
                                             1);
        is_destroyed_by_the_last<latch>([](auto& l) { l.wait(); }, [](auto& l) { l.count_down(); },
                                        1);
        is_destroyed_by_the_last<latch>([](auto& l) { wait_until([&] { return l.try_wait(); }); },
                                        [](auto& l) { l.count_down(); }, 1);
        is_destroyed_by_the_last<binary_semaphore>([](auto& s) { s.acquire(); },
                                                   [](auto& s) { s.release(); }, 0);
        is_destroyed_by_the_last<binary_semaphore>(
            [](auto& s) { wait_until([&] { return s.try_acquire(); }); },
            [](auto& s) { s.release(); }, 0);
        is_destroyed_by_the_last<barrier<>>([](auto& b) { b.arrive_and_wait(); },
                                            [](auto& b) { (void)b.arrive(); }, 2);
    });
}

// As with std::mutex: unlock() is over for an object before it has returned.
TEST_P(SyncCounting, AMutexMayLieInWhatItCountsTheUsersOf) {
    struct counted {
        weft::mutex mutex;
        int users = 4;
        static void leave(counted* c) {
            std::unique_lock lock(c->mutex);
            const bool last = --c->users == 0;
            lock.unlock();
            if (last) delete c;
        }
    };
    run([] {
        for (int round = 0; round != 60 / static_cast<int>(slowdown) + 4; ++round) {
            auto* const shared = new counted;
            std::thread thread([&] { counted::leave(shared); });
            scope s;
            for (int i = 0; i != 3; ++i) s.go([&] { counted::leave(shared); });
            s.join();
            thread.join();
        }
    });
}

TEST_F(SyncCountingAnywhere, TheyWorkAmongThreadsWithoutARuntime) {
    std::atomic<int> inside{0};
    std::vector<std::thread> threads;
    global_group.add(3);
    for (int i = 0; i != 3; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k != 100; ++k) {
                global_semaphore.acquire();
                EXPECT_LE(++inside, 2);
                --inside;
                global_semaphore.release();
                global_barrier.arrive_and_wait();
            }
            global_latch.count_down();
            global_group.done();
        });
    }
    for (int k = 0; k != 100; ++k) global_barrier.arrive_and_wait();
    global_latch.wait();
    global_group.wait();
    for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace weft::test
