// condition_variable: a notification that is lost leaves somebody waiting, which the watchdog ends.
#include "crowd.hpp"

#include <weft/sync.hpp>

#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>

namespace weft::detail {
namespace {

class ConditionStress : public crowd_stress {};
WEFT_STRESS_CROWDS(ConditionStress);

// A bounded queue, both ends waiting for each other. Whoever takes part puts one in and takes one out.
template <class Mutex>
struct bounded {
    Mutex mutex;
    weft::condition_variable not_full;
    weft::condition_variable not_empty;
    std::deque<std::uint64_t> items;
    std::uint64_t in = 0;
    std::uint64_t out = 0;

    static constexpr std::size_t capacity = 3;

    [[nodiscard]] bool has_room() const { return items.size() < capacity; }
    [[nodiscard]] bool has_items() const { return !items.empty(); }

    // With the lock.
    void put() {
        items.push_back(++in);
        not_empty.notify_one();
    }
    void take() {
        ++out;
        ASSERT_EQ(items.front(), out);
        items.pop_front();
        not_full.notify_one();
    }
};

template <class Mutex>
void use(bounded<Mutex>& queue, random_source& random) {
    {
        std::unique_lock lock(queue.mutex);
        queue.not_full.wait(lock, [&] { return queue.has_room(); });
        queue.put();
    }
    if (random.below(4) == 0) yield();
    {
        std::unique_lock lock(queue.mutex);
        queue.not_empty.wait(lock, [&] { return queue.has_items(); });
        queue.take();
    }
}

// Fewer places than members, but each puts before it takes: there is always one who can go on.
TEST_P(ConditionStress, ItemsGoThroughABoundedQueue) {
    bounded<weft::mutex> queue;
    everybody(stress_rounds(100'000), [&](random_source& random) { use(queue, random); });
    EXPECT_EQ(queue.in, queue.out);
}

TEST_P(ConditionStress, ItemsGoThroughABoundedQueueWithAnotherLock) {
    bounded<shared_mutex> queue;
    everybody(stress_rounds(50'000), [&](random_source& random) { use(queue, random); });
    EXPECT_EQ(queue.in, queue.out);
}

// Waits that end by time, by a request to stop and by a stop token, beside those that must not be missed.
template <class Mutex>
void some_go_without(bounded<Mutex>& queue, random_source& random, std::chrono::microseconds d) {
    const auto put_if = [&](bool there) {
        if (there) {
            queue.put();
        } else {
            queue.not_full.notify_one();  // It may have been meant for us.
        }
        return there;
    };
    bool put = false;
    std::unique_lock lock(queue.mutex);
    const auto room = [&] { return queue.has_room(); };
    if (random.below(2) == 0) {
        put = put_if(queue.not_full.wait_for(lock, d, room));
    } else {
        std::stop_source source;
        lock.unlock();
        auto stopper = spawn([&] { source.request_stop(); });
        lock.lock();
        put = put_if(queue.not_full.wait(lock, source.get_token(), room));
        lock.unlock();
        {
            const no_cancel deaf;
            stopper.join();
        }
        lock.lock();
    }
    if (!put) return;
    const no_cancel deaf;
    queue.not_empty.wait(lock, [&] { return queue.has_items(); });
    queue.take();
}

TEST_P(ConditionStress, SomeGoWithout) {
    bounded<weft::mutex> queue;
    everybody(stress_rounds(30'000), [&](random_source& random) {
        if (random.below(3) == 0) {
            use(queue, random);
        } else {
            some_go_without(queue, random, a_moment(random));
        }
    });
    EXPECT_EQ(queue.in, queue.out);
}

TEST_P(ConditionStress, SomeGoWithoutWithAnotherLock) {
    bounded<timed_mutex> queue;
    everybody(stress_rounds(30'000), [&](random_source& random) {
        if (random.below(3) == 0) {
            use(queue, random);
        } else {
            some_go_without(queue, random, a_moment(random));
        }
    });
    EXPECT_EQ(queue.in, queue.out);
}

template <class Mutex>
void some_are_called_off(bounded<Mutex>& queue) {
    std::unique_lock lock(queue.mutex);
    try {
        queue.not_full.wait(lock, [&] { return queue.has_room(); });
    } catch (const cancelled&) {
        if (!lock.owns_lock()) std::abort();
        queue.not_full.notify_one();
        throw;
    }
    const no_cancel deaf;
    queue.put();
    queue.not_empty.wait(lock, [&] { return queue.has_items(); });
    queue.take();
}

TEST_P(ConditionStress, SomeAreCalledOff) {
    bounded<weft::mutex> queue;
    bounded<recursive_mutex> other;
    everybody(stress_rounds(30'000), [&](random_source& random) {
        switch (random.below(3)) {
        case 0:
            called_off(random, [&] { some_are_called_off(queue); });
            break;
        case 1:
            called_off(random, [&] { some_are_called_off(other); });
            break;
        default:
            use(queue, random);
            use(other, random);
        }
    });
    EXPECT_EQ(queue.in, queue.out);
    EXPECT_EQ(other.in, other.out);
}

// Everybody at once, round after round; and whoever opens a round destroys the old gate as soon as all are notified.
TEST_P(ConditionStress, AGateIsDestroyedOnceEverybodyIsNotified) {
    weft::mutex m;
    auto gate = std::make_unique<weft::condition_variable>();
    unsigned arrived = 0;
    std::uint64_t round = 0;
    everybody(stress_rounds(40'000), [&](random_source& random) {
        std::unique_lock lock(m);
        const std::uint64_t now = round;
        if (++arrived == size()) {
            arrived = 0;
            ++round;
            gate->notify_all();
            gate = std::make_unique<weft::condition_variable>();
            return;
        }
        while (round == now) {
            // Of a gate of this round; a timed wait ends at about the moment when the gate goes.
            weft::condition_variable& mine = *gate;
            if (random.below(2) == 0) {
                mine.wait(lock);
            } else {
                (void)mine.wait_for(lock, a_moment(random));
            }
        }
    });
}

}  // namespace
}  // namespace weft::detail
