// mutex and shared_mutex: what they guard is plain data, so the thread sanitizer judges the edges; a lost wake-up
// leaves somebody waiting, which the watchdog ends; a waiter that is left behind is met by the next one to unlock.
#include "crowd.hpp"

#include <weft/sync.hpp>

#include <memory>
#include <mutex>
#include <shared_mutex>

namespace weft::detail {
namespace {

class MutexStress : public crowd_stress {
protected:
    // What is guarded, beyond a word of the machine's.
    std::uint64_t first = 0;
    std::uint64_t second = 0;

    void touch(random_source& random) {
        ASSERT_EQ(first, second);
        ++first;
        perhaps_yield(random);
        ++second;
        ASSERT_EQ(first, second);
    }
};
WEFT_STRESS_CROWDS(MutexStress);

TEST_P(MutexStress, EverybodyLocks) {
    weft::mutex m;
    std::atomic<std::uint64_t> times{0};
    everybody(stress_rounds(400'000), [&](random_source& random) {
        const std::lock_guard hold(m);
        touch(random);
        times.fetch_add(1, std::memory_order_relaxed);
    });
    EXPECT_EQ(first, times);
}

// Nothing but the lock: the fast paths, and those who are woken and too late.
TEST_P(MutexStress, EverybodyLocksInATightLoop) {
    weft::mutex m;
    std::atomic<std::uint64_t> times{0};
    everybody(stress_rounds(40'000), [&](random_source&) {
        for (int i = 0; i != 100; ++i) {
            const std::lock_guard hold(m);
            ++first;
        }
        times.fetch_add(100, std::memory_order_relaxed);
    });
    EXPECT_EQ(first, times);
}

TEST_P(MutexStress, SomeGiveUpAndSomeAreCalledOff) {
    recursive_timed_mutex m;
    std::atomic<std::uint64_t> times{0};
    const auto use = [&](random_source& random) {
        const std::lock_guard again(m);
        const no_cancel deaf;
        touch(random);
        times.fetch_add(1, std::memory_order_relaxed);
    };
    everybody(stress_rounds(60'000), [&](random_source& random) {
        switch (random.below(5)) {
        case 0: {
            random_source his = random;
            called_off(random, [&m, &use, his]() mutable {
                m.lock_or_cancel();
                const std::lock_guard hold(m, std::adopt_lock);
                use(his);
            });
            break;
        }
        case 1:
            if (m.try_lock_for(a_moment(random))) {
                const std::lock_guard hold(m, std::adopt_lock);
                use(random);
            }
            break;
        case 2:
            if (m.try_lock()) {
                const std::lock_guard hold(m, std::adopt_lock);
                use(random);
            }
            break;
        default: {
            const std::lock_guard hold(m);
            use(random);
        }
        }
    });
    EXPECT_EQ(first, times);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

TEST_P(MutexStress, TwoMutexesInEitherOrder) {
    weft::mutex a;
    timed_mutex b;
    everybody(stress_rounds(60'000), [&](random_source& random) {
        if (random.below(2) == 0) {
            const std::scoped_lock hold(a, b);
            touch(random);
        } else {
            const std::scoped_lock hold(b, a);
            touch(random);
        }
    });
}

TEST_P(MutexStress, ReadersAndWriters) {
    shared_mutex m;
    std::atomic<std::uint64_t> written{0};
    const auto write = [&](random_source& random) {
        const no_cancel deaf;
        touch(random);
        written.fetch_add(1, std::memory_order_relaxed);
        m.unlock();
    };
    const auto read = [&](random_source& random) {
        const no_cancel deaf;
        const std::uint64_t seen = first;
        perhaps_yield(random);
        ASSERT_EQ(second, seen);
        m.unlock_shared();
    };
    everybody(stress_rounds(60'000), [&](random_source& random) {
        switch (random.below(8)) {
        case 0:
            m.lock();
            return write(random);
        case 1:
            if (m.try_lock_for(a_moment(random))) write(random);
            return;
        case 2:
            if (m.try_lock_shared_for(a_moment(random))) read(random);
            return;
        case 3: {
            random_source his = random;
            called_off(random, [&, his]() mutable {
                m.lock_or_cancel();
                write(his);
            });
            return;
        }
        case 4: {
            random_source his = random;
            called_off(random, [&, his]() mutable {
                m.lock_shared_or_cancel();
                read(his);
            });
            return;
        }
        default:
            m.lock_shared();
            return read(random);
        }
    });
    EXPECT_EQ(first, written);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

// The last to unlock destroys it: unlock() must not touch it any more.
TEST_P(MutexStress, WhoCountsItselfOutLastDestroysIt) {
    struct counted {
        weft::mutex mutex;
        unsigned users;
        explicit counted(unsigned n) : users(n) {}
    };
    const std::uint64_t rounds = stress_rounds(4'000);
    weft::mutex turn;
    weft::condition_variable changed;
    std::uint64_t round = 0;
    unsigned arrived = 0;
    auto current = std::make_unique<counted>(size());
    everybody(rounds * size(), [&](random_source&) {
        counted* mine = nullptr;
        {
            // Everybody takes part in every round.
            std::unique_lock lock(turn);
            const std::uint64_t now = round;
            mine = current.get();
            if (++arrived == size()) {
                arrived = 0;
                ++round;
                (void)current.release();
                current = std::make_unique<counted>(size());
                changed.notify_all();
            } else {
                changed.wait(lock, [&] { return round != now; });
            }
        }
        std::unique_lock lock(mine->mutex);
        const bool last = --mine->users == 0;
        lock.unlock();
        if (last) delete mine;
    });
}

TEST_P(MutexStress, OnceIsOnce) {
    const std::uint64_t rounds = stress_rounds(200);
    for (std::uint64_t n = 0; n != rounds; ++n) {
        once_flag flag;
        everybody(size(), [&](random_source& random) {
            for (;;) {
                try {
                    call_once(flag, [&] {
                        if (random.below(2) == 0) throw 1;
                        ++first;
                    });
                    break;
                } catch (int) {}
            }
            ASSERT_EQ(first, n + 1);
        });
    }
}

}  // namespace
}  // namespace weft::detail
