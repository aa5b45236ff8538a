// mutex, timed_mutex, recursive_mutex, recursive_timed_mutex, shared_mutex, call_once.
#include "support/runtime_fixture.hpp"
#include "sync_clocks.hpp"

#include <weft/sync.hpp>
#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

static_assert(sizeof(weft::mutex) == 16 && sizeof(timed_mutex) == 16);
static_assert(!std::is_copy_constructible_v<weft::mutex> &&
              !std::is_move_constructible_v<weft::mutex>);

// Globals, made before anything runs.
constinit weft::mutex global_mutex;
constinit timed_mutex global_timed;
constinit recursive_mutex global_recursive;
constinit recursive_timed_mutex global_recursive_timed;
constinit shared_mutex global_shared;
constinit once_flag global_once;

class SyncMutex : public with_runtime {};
WEFT_TEST_PROCESSORS(SyncMutex);
class SyncMutexAnywhere : public plain_runtime {};

template <class Mutex>
void excludes(Mutex& mutex) {
    int inside = 0;
    long total = 0;
    scope s;
    for (int i = 0; i != 20; ++i) {
        s.go([&] {
            for (int k = 0; k != 50; ++k) {
                const std::lock_guard hold(mutex);
                EXPECT_EQ(++inside, 1);
                if (k % 10 == 0) yield();
                ++total;
                --inside;
            }
        });
    }
    s.join();
    EXPECT_EQ(total, 1000);
}

TEST_P(SyncMutex, ExcludesWhoeverHoldsItAcrossAWait) {
    run([] {
        weft::mutex a;
        excludes(a);
        timed_mutex b;
        excludes(b);
        recursive_mutex c;
        excludes(c);
        recursive_timed_mutex d;
        excludes(d);
        shared_mutex e;
        excludes(e);
        excludes(global_mutex);
    });
}

template <class Mutex>
void excludes_threads_and_coroutines(Mutex& mutex) {
    long total = 0;
    int inside = 0;
    const auto work = [&] {
        for (int k = 0; k != 500; ++k) {
            const std::lock_guard hold(mutex);
            EXPECT_EQ(++inside, 1);
            ++total;
            if (k % 50 == 0) yield();
            --inside;
        }
    };
    std::vector<std::thread> threads;
    scope s;
    for (int i = 0; i != 3; ++i) {
        threads.emplace_back(work);
        s.go(work);
    }
    s.join();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(total, 3000);
}

TEST_P(SyncMutex, ThreadsAndCoroutinesShareOne) {
    run([] {
        weft::mutex a;
        excludes_threads_and_coroutines(a);
        recursive_timed_mutex b;
        excludes_threads_and_coroutines(b);
        shared_mutex c;
        excludes_threads_and_coroutines(c);
    });
}

TEST_F(SyncMutexAnywhere, WorksAmongThreadsWithoutARuntime) {
    long total = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k != 2000; ++k) {
                const std::scoped_lock hold(global_mutex, global_timed, global_recursive,
                                            global_recursive_timed, global_shared);
                ++total;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(total, 8000);
}

TEST_P(SyncMutex, TheAdaptorsOfStdWork) {
    run([] {
        weft::mutex a;
        weft::mutex b;
        {
            const std::scoped_lock hold(a, b);
            EXPECT_FALSE(spawn([&] { return a.try_lock(); }).join());
            EXPECT_FALSE(spawn([&] { return b.try_lock(); }).join());
        }
        std::unique_lock lock(a, std::try_to_lock);
        EXPECT_TRUE(lock.owns_lock());
        std::unique_lock other(std::move(lock));
        other.unlock();
        other.lock();
        other.unlock();
        timed_mutex t;
        std::unique_lock timed(t, 1ms);
        EXPECT_TRUE(timed);
        shared_mutex s;
        {
            std::shared_lock first(s);
            std::shared_lock second(s, std::try_to_lock);
            EXPECT_TRUE(second);
            std::unique_lock writer(s, std::try_to_lock);
            EXPECT_FALSE(writer);
        }
        EXPECT_EQ(std::try_lock(a, b), -1);
        a.unlock();
        b.unlock();
    });
}

// Two that lock two mutexes in different orders.
TEST_P(SyncMutex, ScopedLockOverTwoDoesNotDeadlock) {
    run([] {
        weft::mutex a;
        weft::mutex b;
        int both = 0;
        scope s;
        for (int i = 0; i != 10; ++i) {
            s.go([&, i] {
                for (int k = 0; k != 100; ++k) {
                    std::scoped_lock hold(i % 2 == 0 ? a : b, i % 2 == 0 ? b : a);
                    ++both;
                    if (k % 10 == 0) yield();
                }
            });
        }
        s.join();
        EXPECT_EQ(both, 1000);
    });
}

TEST_P(SyncMutex, ARecursiveOneIsLockedAsOftenAsItsOwnerLikes) {
    run([] {
        recursive_timed_mutex m;
        m.lock();
        m.lock_or_cancel();
        EXPECT_TRUE(m.try_lock());
        EXPECT_TRUE(m.try_lock_for(1h));
        const auto others = [&] { return spawn([&] { return m.try_lock(); }).join(); };
        for (int i = 0; i != 3; ++i) {
            m.unlock();
            EXPECT_FALSE(others());
        }
        m.unlock();
        EXPECT_TRUE(others());
    });
}

TEST_P(SyncMutex, TryLockForWaitsAsLongAsItSays) {
    run([] {
        timed_mutex m;
        m.lock();
        const auto waits = [&](auto&& attempt) {
            const auto before = weft::clock::now();
            EXPECT_FALSE(spawn([&] { return attempt(); }).join());
            EXPECT_GE(weft::clock::now() - before, 2ms);
        };
        waits([&] { return m.try_lock_for(2ms); });
        waits([&] { return m.try_lock_until(std::chrono::steady_clock::now() + 2ms); });
        waits([&] { return m.try_lock_until(manual_clock::now() + 2ms); });
        std::thread([&] { waits([&] { return m.try_lock_for(2ms); }); }).join();
        EXPECT_FALSE(spawn([&] { return m.try_lock_for(-1h); }).join());
        EXPECT_FALSE(
            spawn([&] { return m.try_lock_until(std::chrono::system_clock::now() + 2ms); }).join());
        m.unlock();
        EXPECT_TRUE(m.try_lock_for(-1h)) << "free is free";
        m.unlock();
        EXPECT_TRUE(m.try_lock_until(std::chrono::system_clock::time_point::max()));
        m.unlock();
    });
}

TEST_P(SyncMutex, TryLockForGetsWhatIsUnlockedInTime) {
    run([] {
        timed_mutex m;
        shared_mutex s;
        m.lock();
        s.lock();
        scope waiters;
        std::atomic<int> got{0};
        for (int i = 0; i != 5; ++i) {
            waiters.go([&] {
                if (m.try_lock_for(1h)) {
                    ++got;
                    m.unlock();
                }
                if (s.try_lock_shared_for(1h)) {
                    ++got;
                    s.unlock_shared();
                }
                if (s.try_lock_until(std::chrono::system_clock::now() + 1h)) {
                    ++got;
                    s.unlock();
                }
            });
        }
        yield();
        m.unlock();
        sleep_for(1ms);
        s.unlock();
        waiters.join();
        EXPECT_EQ(got, 15);
    });
}

TEST_P(SyncMutex, NobodyStarvesBesideOneThatNeverStops) {
    run([] {
        weft::mutex m;
        std::atomic<bool> enough{false};
        scope s;
        for (int i = 0; i != 2; ++i) {
            s.go([&] {
                while (!enough) {
                    const std::lock_guard hold(m);
                    yield();  // So that whoever was woken finds it locked again.
                }
            });
        }
        for (int i = 0; i != 50; ++i) {
            const std::lock_guard hold(m);
            yield();
        }
        enough = true;
        s.join();
    });
}

TEST_P(SyncMutex, OneThatLocksInALoopIsPreempted) {
    options quick;
    quick.preempt_after = 1ms;
    run(
        [] {
            std::atomic<bool> enough{false};
            scope s;
            for (unsigned i = 0; i != 2 * processors(); ++i) {
                s.go([&] {
                    weft::mutex own;
                    while (!enough) const std::lock_guard hold(own);
                });
            }
            for (int i = 0; i != 5; ++i) yield();
            enough = true;
            s.join();
        },
        quick);
}

TEST_P(SyncMutex, ReadersShare) {
    run([] {
        shared_mutex m;
        std::atomic<int> readers{0};
        scope s;
        for (int i = 0; i != 20; ++i) {
            s.go([&] {
                const std::shared_lock hold(m);
                ++readers;
                // Nobody lets it go before all have it.
                wait_until([&] { return readers == 20; });
            });
        }
        s.join();
    });
}

TEST_P(SyncMutex, ReadersAndWritersExclude) {
    run([] {
        shared_mutex m;
        latch all(20);  // Otherwise one may end before the next begins.
        std::atomic<int> readers{0};
        int writers = 0;
        scope s;
        for (int i = 0; i != 20; ++i) {
            s.go([&, i] {
                all.arrive_and_wait();
                for (int k = 0; k != 50; ++k) {
                    if ((i + k) % 5 == 0) {
                        const std::lock_guard hold(m);
                        EXPECT_EQ(++writers, 1);
                        EXPECT_EQ(readers, 0);
                        yield();
                        --writers;
                    } else {
                        const std::shared_lock hold(m);
                        ++readers;
                        EXPECT_EQ(writers, 0);
                        yield();
                        --readers;
                    }
                }
            });
        }
        s.join();
    });
}

TEST_P(SyncMutex, AWriterThatGivesUpLetsTheReadersBehindItIn) {
    run([] {
        shared_mutex m;
        m.lock_shared();
        auto writer = spawn([&] { m.lock_or_cancel(); });
        // Once a writer waits no reader gets past it.
        wait_until([&] {
            if (m.try_lock_shared()) {
                m.unlock_shared();
                return false;
            }
            return true;
        });
        auto reader = spawn([&] {
            m.lock_shared();
            m.unlock_shared();
        });
        yield();
        writer.request_stop();
        reader.join();
        EXPECT_THROW(writer.join(), coroutine_cancelled);
        m.unlock_shared();
        EXPECT_TRUE(m.try_lock());
        m.unlock();
    });
}

TEST_P(SyncMutex, CallOnceCallsOnceAndEverybodySeesIt) {
    run([] {
        once_flag flag;
        int calls = 0;
        std::string made;
        const auto make = [&](const std::string& text) {
            yield();
            ++calls;
            made = text;
        };
        std::vector<std::thread> threads;
        scope s;
        for (int i = 0; i != 10; ++i) {
            const auto use = [&] {
                call_once(flag, make, "made");
                EXPECT_EQ(made, "made");
            };
            s.go(use);
            if (i < 3) threads.emplace_back(use);
        }
        s.join();
        for (auto& thread : threads) thread.join();
        EXPECT_EQ(calls, 1);
    });
}

TEST_P(SyncMutex, CallOnceGoesOnToTheNextWhenOneThrows) {
    run([] {
        once_flag flag;
        std::atomic<int> thrown{0};
        int calls = 0;
        scope s;
        for (int i = 0; i != 10; ++i) {
            s.go([&] {
                try {
                    call_once(flag, [&] {
                        yield();
                        if (++calls < 4) throw std::domain_error("not yet");
                    });
                } catch (const std::domain_error&) {
                    ++thrown;
                }
            });
        }
        s.join();
        EXPECT_EQ(calls, 4);
        EXPECT_EQ(thrown, 3);
    });
}

TEST_P(SyncMutex, CallOnceTakesMembersAndMoveOnlyArguments) {
    run([] {
        struct holder {
            std::unique_ptr<int> value;
            void set(std::unique_ptr<int> v) { value = std::move(v); }
        } h;
        once_flag flag;
        call_once(flag, &holder::set, h, std::make_unique<int>(7));
        EXPECT_EQ(*h.value, 7);
        call_once(global_once, [] {});
        call_once(global_once, [] { ADD_FAILURE(); });
    });
}

}  // namespace
}  // namespace weft::test
