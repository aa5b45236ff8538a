// Synchronisation objects under hundreds of schedules: whatever the order, these must hold.
#include "support/runtime_fixture.hpp"

#include <weft/sync.hpp>
#include <weft/weft.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using weft::testing::explore;
using weft::testing::simulate;

constexpr unsigned runs = 400 / slowdown;

void must(bool condition, const char* what) {
    if (!condition) throw std::runtime_error(what);
}

class SyncExplore : public plain_runtime {};

TEST_F(SyncExplore, AMutexExcludesAndEverybodyGetsIt) {
    explore(runs, [] {
        weft::mutex m;
        int inside = 0;
        int total = 0;
        scope s;
        for (int i = 0; i != 5; ++i) {
            s.go([&] {
                for (int k = 0; k != 4; ++k) {
                    const std::lock_guard hold(m);
                    must(++inside == 1, "two inside");
                    yield();
                    ++total;
                    --inside;
                }
            });
        }
        s.join();
        must(total == 20, "somebody is missing");
        must(m.try_lock(), "it is free");
        m.unlock();
    });
}

// Those that give up meet those that are served.
TEST_F(SyncExplore, WhoGivesUpAMutexLeavesNoTrace) {
    explore(runs, [] {
        timed_mutex m;
        int inside = 0;
        int got = 0;
        int without = 0;
        scope s;
        const auto use = [&] {
            const no_cancel deaf;
            must(++inside == 1, "two inside");
            sleep_for(1ms);
            --inside;
            m.unlock();
            ++got;
        };
        for (int i = 0; i != 4; ++i) {
            s.go([&, i] {
                if (m.try_lock_for(std::chrono::microseconds(900 * i))) {
                    use();
                } else {
                    ++without;
                }
            });
            s.go([&] {
                try {
                    m.lock_or_cancel();
                } catch (const cancelled&) {
                    ++without;
                    throw;
                }
                const no_cancel deaf;
                use();
            });
            s.go([&] {
                const no_cancel deaf;
                m.lock();
                use();
            });
        }
        yield();
        sleep_for(2500us);
        s.cancel();
        s.join();
        must(got + without == 12, "somebody is missing");
        must(m.try_lock(), "it is free");
        m.unlock();
    });
}

TEST_F(SyncExplore, ReadersAndWritersExclude) {
    explore(runs, [] {
        shared_mutex m;
        int readers = 0;
        int writers = 0;
        int served = 0;
        scope s;
        for (int i = 0; i != 6; ++i) {
            s.go([&, i] {
                for (int k = 0; k != 3; ++k) {
                    if ((i + k) % 3 == 0) {
                        if (!m.try_lock_for(i == 0 ? 1ms : 1h)) continue;
                        must(++writers == 1 && readers == 0, "a writer is not alone");
                        sleep_for(300us);
                        --writers;
                        m.unlock();
                    } else {
                        if (!m.try_lock_shared_for(i == 1 ? 1ms : 1h)) continue;
                        ++readers;
                        must(writers == 0, "a reader beside a writer");
                        sleep_for(300us);
                        --readers;
                        m.unlock_shared();
                    }
                    ++served;
                }
            });
        }
        s.join();
        must(served >= 12, "who has time is served");
        must(m.try_lock(), "it is free");
        m.unlock();
    });
}

TEST_F(SyncExplore, NoLetterIsLost) {
    explore(runs, [] {
        weft::mutex m;
        weft::condition_variable changed;
        std::deque<int> letters;
        int sum = 0;
        scope s;
        for (int i = 0; i != 3; ++i) {
            s.go([&] {
                for (int k = 1; k <= 4; ++k) {
                    {
                        const std::lock_guard hold(m);
                        letters.push_back(k);
                        if (k % 2 == 0) changed.notify_one();
                    }
                    if (k % 2 != 0) changed.notify_one();
                }
            });
            s.go([&] {
                for (int k = 1; k <= 4; ++k) {
                    std::unique_lock lock(m);
                    changed.wait(lock, [&] { return !letters.empty(); });
                    sum += letters.front();
                    letters.pop_front();
                }
            });
        }
        s.join();
        must(sum == 30, "a letter is lost");
    });
}

// Waits that end in every way there is at about the same time; who was notified must not have thrown.
TEST_F(SyncExplore, ANotificationReachesSomebodyWhoTakesIt) {
    explore(runs, [] {
        weft::mutex m;
        weft::condition_variable c;
        int tokens = 0;
        int taken = 0;
        int given_up = 0;
        std::stop_source stop;
        scope s;
        std::vector<join_handle<void>> handles;
        for (int i = 0; i != 4; ++i) {
            handles.push_back(s.spawn([&, i] {
                std::unique_lock lock(m);
                bool got = false;
                const auto there = [&] { return tokens != 0; };
                try {
                    if (i == 0) {
                        got = c.wait_for(lock, 1ms, there);
                    } else if (i == 1) {
                        got = c.wait(lock, stop.get_token(), there);
                    } else {
                        c.wait(lock, there);
                        got = true;
                    }
                } catch (const cancelled&) {
                    must(lock.owns_lock(), "thrown without the lock");
                    ++given_up;
                    // A notification that it may have swallowed would be somebody else's.
                    c.notify_one();
                    throw;
                }
                if (got) {
                    --tokens;
                    ++taken;
                } else {
                    ++given_up;
                    c.notify_one();
                }
            }));
        }
        sleep_for(1ms);
        s.go([&] { handles[2].request_stop(); });
        s.go([&] { stop.request_stop(); });
        for (int i = 0; i != 4; ++i) {
            const std::lock_guard hold(m);
            ++tokens;
            c.notify_one();
        }
        for (auto& handle : handles) {
            try {
                handle.join();
            } catch (const coroutine_cancelled&) {}
        }
        s.join();
        must(taken + given_up == 4 && tokens == 4 - taken, "the sum is wrong");
    });
}

TEST_F(SyncExplore, EveryKindOfLockKeepsItsNotifications) {
    explore(runs, [] {
        shared_mutex m;
        weft::condition_variable c;
        int turn = 0;
        scope s;
        for (int i = 0; i != 3; ++i) {
            s.go([&, i] {
                for (int k = 0; k != 3; ++k) {
                    std::unique_lock lock(m);
                    c.wait(lock, [&] { return turn % 3 == i; });
                    ++turn;
                    c.notify_all();
                }
            });
        }
        s.join();
        must(turn == 9, "a turn is lost");
    });
}

TEST_F(SyncExplore, PermitsAreNeitherLostNorDoubled) {
    explore(runs, [] {
        counting_semaphore<3> permits(2);
        int held = 0;
        int got = 0;
        scope s;
        std::vector<join_handle<void>> handles;
        for (int i = 0; i != 6; ++i) {
            handles.push_back(s.spawn([&, i] {
                for (int k = 0; k != 3; ++k) {
                    if (i == 0) {
                        if (!permits.try_acquire_for(500us)) continue;
                    } else {
                        permits.acquire();
                    }
                    must(++held <= 2, "too many hold a permit");
                    ++got;
                    {
                        const no_cancel deaf;
                        sleep_for(300us);
                    }
                    --held;
                    permits.release();
                }
            }));
        }
        sleep_for(700us);
        handles[1].request_stop();
        handles[2].request_stop();
        for (auto& handle : handles) {
            try {
                handle.join();
            } catch (const coroutine_cancelled&) {}
        }
        s.join();
        must(permits.try_acquire() && permits.try_acquire() && !permits.try_acquire(),
             "two are left");
    });
}

TEST_F(SyncExplore, ABarrierIsPassedTogetherAlsoWhenSomebodyIsCalledOff) {
    explore(runs, [] {
        int phase = 0;
        barrier meet(3, [&]() noexcept { ++phase; });
        scope s;
        bool called_off = false;
        const auto participant = [&] {
            for (int k = 0; k != 3; ++k) {
                must(phase >= k, "too early");
                meet.arrive_and_wait();
                must(phase >= k + 1, "passed before everybody was there");
            }
        };
        s.go(participant);
        s.go(participant);
        auto victim = s.spawn([&] {
            try {
                for (int k = 0; k != 3; ++k) meet.arrive_and_wait();
            } catch (const cancelled&) {
                called_off = true;
                throw;
            }
        });
        yield();
        victim.request_stop();
        try {
            victim.join();
        } catch (const coroutine_cancelled&) {}
        if (called_off) {
            // It has not arrived, so somebody else can do so in its place.
            while (phase != 3) meet.arrive_and_wait();
        }
        s.join();
        must(phase == 3, "three phases");
    });
}

TEST_F(SyncExplore, AWaitGroupWaitsForAllAndALatchToo) {
    explore(runs, [] {
        wait_group group;
        latch open(4);
        int done = 0;
        for (int i = 0; i != 4; ++i) {
            group.add();
            go([&, i] {
                sleep_for(std::chrono::microseconds(i % 2));
                ++done;
                group.done();
                open.count_down();
            });
        }
        auto impatient = spawn([&] { group.wait(); });
        impatient.request_stop();
        group.wait();
        must(done == 4, "too early");
        open.wait();
        try {
            impatient.join();
        } catch (const coroutine_cancelled&) {}
    });
}

TEST_F(SyncExplore, OnceIsOnceWhoeverThrows) {
    explore(runs, [] {
        once_flag flag;
        int tries = 0;
        int made = 0;
        scope s;
        for (int i = 0; i != 5; ++i) {
            s.go([&] {
                try {
                    call_once(flag, [&] {
                        yield();
                        if (++tries < 3) throw std::domain_error("not yet");
                        ++made;
                    });
                    must(made == 1, "not made");
                } catch (const std::domain_error&) {}
            });
        }
        s.join();
        must(made == 1 && tries == 3, "once");
    });
}

// Locks are scheduling points also when nobody wants them: the two orders of a race are both met.
TEST_F(SyncExplore, UncontendedOperationsAreSchedulingPoints) {
    bool first_was_first = false;
    bool second_was_first = false;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        simulate(seed, [&] {
            weft::mutex a;
            weft::mutex b;
            int seen = 0;
            scope s;
            s.go([&] {
                { const std::lock_guard hold(a); }
                if (seen == 0) seen = 1;
            });
            s.go([&] {
                { const std::lock_guard hold(b); }
                if (seen == 0) seen = 2;
            });
            s.join();
            (seen == 1 ? first_was_first : second_was_first) = true;
        });
    }
    EXPECT_TRUE(first_was_first);
    EXPECT_TRUE(second_was_first);
}

TEST_F(SyncExplore, ADeadlockBetweenTwoMutexesIsFound) {
    const auto in_order = [](weft::mutex& first, weft::mutex& second) {
        const std::lock_guard hold(first);
        second.lock_or_cancel();  // So that it can be cancelled once the deadlock has been thrown.
        second.unlock();
    };
    EXPECT_THROW(explore(200,
                         [&] {
                             weft::mutex a;
                             weft::mutex b;
                             scope s;
                             s.go([&] { in_order(a, b); });
                             s.go([&] { in_order(b, a); });
                             s.join();
                         }),
                 weft::testing::failure);
}

TEST_F(SyncExplore, TheSameSeedMakesTheSameSchedule) {
    const auto trace = [](std::uint64_t seed) {
        std::string text;
        simulate(seed, [&] {
            weft::mutex m;
            weft::condition_variable c;
            int turns = 0;
            scope s;
            for (char name = 'a'; name != 'e'; ++name) {
                s.go([&, name] {
                    std::unique_lock lock(m);
                    text += name;
                    if (++turns == 4) {
                        c.notify_all();
                    } else {
                        c.wait(lock, [&] { return turns == 4; });
                    }
                    text += name;
                });
            }
            s.join();
        });
        return text;
    };
    for (std::uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(trace(seed), trace(seed));
}

}  // namespace
}  // namespace weft::test
