// condition_variable: std's, with std's members for stop tokens.
#include "support/runtime_fixture.hpp"
#include "sync_clocks.hpp"

#include <weft/sync.hpp>
#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

static_assert(sizeof(condition_variable) == 16);

constinit weft::mutex global_mutex;
constinit weft::condition_variable global_condition;

class SyncCondition : public with_runtime {};
WEFT_TEST_PROCESSORS(SyncCondition);
class SyncConditionAnywhere : public plain_runtime {};

// A queue of numbers between anybody and anybody.
template <class Mutex>
struct mailbox {
    Mutex mutex;
    weft::condition_variable changed;
    std::deque<int> letters;

    void put(int letter, bool inside) {
        std::unique_lock lock(mutex);
        letters.push_back(letter);
        if (!inside) lock.unlock();
        changed.notify_one();
    }
    int take() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return !letters.empty(); });
        const int letter = letters.front();
        letters.pop_front();
        return letter;
    }
};

template <class Mutex>
void letters_arrive() {
    mailbox<Mutex> box;
    constexpr int each = 200;
    std::atomic<long> sum{0};
    const auto writer = [&] {
        for (int i = 1; i <= each; ++i) box.put(i, i % 2 == 0);
    };
    const auto reader = [&] {
        for (int i = 1; i <= each; ++i) sum += box.take();
    };
    std::thread writing_thread(writer);
    std::thread reading_thread(reader);
    scope s;
    for (int i = 0; i != 3; ++i) {
        s.go(reader);
        s.go(writer);
    }
    s.join();
    writing_thread.join();
    reading_thread.join();
    EXPECT_EQ(sum, 4L * each * (each + 1) / 2);
}

TEST_P(SyncCondition, LettersArriveWithEveryKindOfLock) {
    run([] {
        letters_arrive<weft::mutex>();
        letters_arrive<timed_mutex>();
        letters_arrive<recursive_mutex>();
        letters_arrive<shared_mutex>();
        letters_arrive<std::mutex>();
    });
}

TEST_P(SyncCondition, NotifyAllWakesEverybodyAndEachHoldsTheLock) {
    run([] {
        weft::mutex m;
        weft::condition_variable c;
        bool go_on = false;
        int waiting = 0;
        int inside = 0;
        int woken = 0;
        scope s;
        for (int i = 0; i != 50; ++i) {
            s.go([&] {
                std::unique_lock lock(m);
                ++waiting;
                while (!go_on) c.wait(lock);
                EXPECT_EQ(++inside, 1);
                yield();
                --inside;
                ++woken;
            });
        }
        wait_until([&] {
            const std::lock_guard hold(m);
            return waiting == 50;
        });
        {
            const std::lock_guard hold(m);
            go_on = true;
            c.notify_all();
        }
        s.join();
        EXPECT_EQ(woken, 50);
    });
}

TEST_P(SyncCondition, NotifyOneWakesOne) {
    run([] {
        weft::mutex m;
        weft::condition_variable c;
        int waiting = 0;
        int woken = 0;
        scope s;
        for (int i = 0; i != 3; ++i) {
            s.go([&] {
                std::unique_lock lock(m);
                ++waiting;
                c.wait(lock);
                ++woken;
            });
        }
        const auto all_wait = [&](int count) {
            wait_until([&] {
                const std::lock_guard hold(m);
                return waiting == count;
            });
        };
        all_wait(3);
        for (int i = 1; i <= 3; ++i) {
            c.notify_one();
            wait_until([&] {
                const std::lock_guard hold(m);
                return woken == i;
            });
            for (int k = 0; k != 5; ++k) yield();
            const std::lock_guard hold(m);
            EXPECT_EQ(woken, i);
        }
        s.join();
        c.notify_one();
        c.notify_all();
    });
}

TEST_P(SyncCondition, TimedWaitsEndInTimeWithTheLockHeld) {
    run([] {
        timed_mutex other;
        weft::mutex m;
        weft::condition_variable c;
        const auto times_out = [&](auto& mutex, auto&& wait) {
            std::unique_lock lock(mutex);
            const auto before = weft::clock::now();
            while (wait(lock) == std::cv_status::no_timeout) {}
            EXPECT_GE(weft::clock::now() - before, 2ms);
            EXPECT_TRUE(lock.owns_lock());
            EXPECT_FALSE(spawn([&] { return mutex.try_lock(); }).join());
        };
        times_out(m, [&](auto& lock) { return c.wait_for(lock, 2ms); });
        times_out(other, [&](auto& lock) { return c.wait_for(lock, 2ms); });
        times_out(m, [&, until = std::chrono::steady_clock::now() + 3ms](auto& lock) {
            return c.wait_until(lock, until);
        });
        times_out(m, [&, until = manual_clock::now() + 3ms](auto& lock) {
            return c.wait_until(lock, until);
        });
        std::unique_lock lock(m);
        EXPECT_EQ(c.wait_until(lock, std::chrono::system_clock::time_point::min()),
                  std::cv_status::timeout);
        EXPECT_FALSE(c.wait_for(lock, 1ms, [] { return false; }));
        EXPECT_TRUE(c.wait_for(lock, -1h, [] { return true; }));
        EXPECT_FALSE(
            c.wait_until(lock, std::chrono::system_clock::now() + 1ms, [] { return false; }));
        EXPECT_TRUE(c.wait_until(lock, manual_clock::time_point::max(), [] { return true; }));
    });
}

TEST_P(SyncCondition, ANotificationBeforeTheTimeIsUpIsNoTimeout) {
    run([] {
        weft::mutex m;
        weft::condition_variable c;
        bool ready = false;
        auto waiter = spawn([&] {
            std::unique_lock lock(m);
            return c.wait_for(lock, std::chrono::hours::max(), [&] { return ready; });
        });
        yield();
        {
            const std::lock_guard hold(m);
            ready = true;
        }
        c.notify_all();
        EXPECT_TRUE(waiter.join());
    });
}

TEST_P(SyncCondition, AStopTokenEndsEveryKindOfWait) {
    run([] {
        weft::mutex m;
        shared_mutex other;
        weft::condition_variable c;
        for (int kind = 0; kind != 4; ++kind) {
            std::stop_source source;
            const auto wait = [&, kind] {
                if (kind == 3) {
                    std::shared_lock lock(other);
                    EXPECT_FALSE(c.wait(lock, source.get_token(), [] { return false; }));
                    EXPECT_TRUE(lock.owns_lock());
                    return;
                }
                std::unique_lock lock(m);
                const auto never = [] { return false; };
                if (kind == 0) {
                    EXPECT_FALSE(c.wait(lock, source.get_token(), never));
                } else if (kind == 1) {
                    EXPECT_FALSE(c.wait_for(lock, source.get_token(), 1h, never));
                } else {
                    const auto until = std::chrono::system_clock::now() + 1h;
                    EXPECT_FALSE(c.wait_until(lock, source.get_token(), until, never));
                }
                EXPECT_TRUE(lock.owns_lock());
            };
            scope s;
            for (int i = 0; i != 5; ++i) s.go(wait);
            std::thread thread(wait);
            for (int i = 0; i != 10; ++i) yield();
            source.request_stop();
            s.join();
            thread.join();
            wait();  // With one that is stopped already.
        }
    });
}

TEST_P(SyncCondition, WithAStopTokenNotificationsAndTimesWorkAsWithout) {
    run([] {
        weft::mutex m;
        weft::condition_variable c;
        std::stop_source source;
        bool ready = false;
        auto waiter = spawn([&] {
            std::unique_lock lock(m);
            return c.wait(lock, source.get_token(), [&] { return ready; });
        });
        yield();
        {
            const std::lock_guard hold(m);
            ready = true;
            c.notify_one();
        }
        EXPECT_TRUE(waiter.join());
        std::unique_lock lock(m);
        EXPECT_FALSE(c.wait_for(lock, source.get_token(), 1ms, [] { return false; }));
        EXPECT_TRUE(c.wait(lock, std::stop_token(), [] { return true; }));
        source.request_stop();
        EXPECT_TRUE(c.wait(lock, source.get_token(), [] { return true; }));
    });
}

TEST_P(SyncCondition, TheCoroutinesOwnTokenServesToo) {
    run([] {
        weft::mutex m;
        weft::condition_variable c;
        std::atomic<bool> waits{false};
        auto waiter = spawn([&] {
            const no_cancel deaf;
            std::unique_lock lock(m);
            waits = true;
            return c.wait(lock, get_stop_token(), [] { return false; });
        });
        wait_until([&] { return waits.load(); });
        waiter.request_stop();
        EXPECT_FALSE(waiter.join());
    });
}

// Everybody has been notified, though some of them run later, or were just about to give up.
TEST_P(SyncCondition, MayBeDestroyedOnceEverybodyHasBeenNotified) {
    run([] {
        for (int round = 0; round != 200 / static_cast<int>(slowdown); ++round) {
            weft::mutex m;
            auto c = std::make_unique<weft::condition_variable>();
            int waiting = 0;
            scope s;
            for (int i = 0; i != 4; ++i) {
                s.go([&, i] {
                    std::unique_lock lock(m);
                    ++waiting;
                    if (i % 2 == 0) {
                        c->wait(lock);
                    } else {
                        (void)c->wait_for(lock, std::chrono::microseconds(20 * i));
                    }
                });
            }
            wait_until([&] {
                const std::lock_guard hold(m);
                return waiting == 4;
            });
            c->notify_all();
            c.reset();
            s.join();
        }
    });
}

TEST_F(SyncConditionAnywhere, WorksAmongThreadsWithoutARuntime) {
    int turn = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i) {
        threads.emplace_back([&, i] {
            for (int k = 0; k != 200; ++k) {
                std::unique_lock lock(global_mutex);
                global_condition.wait(lock, [&] { return turn % 4 == i; });
                ++turn;
                global_condition.notify_all();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(turn, 800);
}

}  // namespace
}  // namespace weft::test
