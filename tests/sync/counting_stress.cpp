// Semaphores, latches, wait groups and barriers. Their memory is given back as soon as the last waiter has returned, so
// that the address sanitizer sees who touches it later.
#include "crowd.hpp"

#include <weft/sync.hpp>

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

namespace weft::detail {
namespace {

class CountingStress : public crowd_stress {};
WEFT_STRESS_CROWDS(CountingStress);

TEST_P(CountingStress, PermitsAreNeitherLostNorDoubled) {
    constexpr int most = 3;
    counting_semaphore<most> permits(most);
    std::atomic<int> held{0};
    const auto use = [&](random_source& random) {
        const no_cancel deaf;
        ASSERT_LE(held.fetch_add(1) + 1, most);
        perhaps_yield(random);
        held.fetch_sub(1);
        permits.release();
    };
    everybody(stress_rounds(80'000), [&](random_source& random) {
        switch (random.below(5)) {
        case 0:
            if (permits.try_acquire_for(a_moment(random))) use(random);
            break;
        case 1:
            if (permits.try_acquire()) use(random);
            break;
        case 2: {
            random_source his = random;
            called_off(random, [&, his]() mutable {
                permits.acquire();
                use(his);
            });
            break;
        }
        default:
            permits.acquire();
            use(random);
        }
    });
    for (int i = 0; i != most; ++i) EXPECT_TRUE(permits.try_acquire());
    EXPECT_FALSE(permits.try_acquire());
}

// A semaphore as a mutex, around plain data.
TEST_P(CountingStress, ABinaryOneOrdersWhatItGuards) {
    binary_semaphore s(1);
    std::uint64_t guarded = 0;
    std::atomic<std::uint64_t> times{0};
    everybody(stress_rounds(100'000), [&](random_source& random) {
        s.acquire();
        ++guarded;
        perhaps_yield(random);
        s.release();
        times.fetch_add(1, std::memory_order_relaxed);
    });
    EXPECT_EQ(guarded, times);
}

template <class Object, class Wait, class Release>
void the_last_destroys(random_source& random, int count, Wait wait, Release release) {
    auto object = std::make_unique<Object>(count);
    std::array<std::uint64_t, 3> results{};
    scope s;
    for (int i = 0; i != count; ++i) {
        s.go([&, &o = *object, i, steps = random.below(300)] {
            for (std::uint32_t k = steps; k != 0; --k)
                std::atomic_signal_fence(std::memory_order_seq_cst);
            results[static_cast<std::size_t>(i)] = steps + 1;
            release(o);
        });
    }
    for (std::uint32_t k = random.below(600); k != 0; --k)
        std::atomic_signal_fence(std::memory_order_seq_cst);
    wait(*object);
    object.reset();
    for (int i = 0; i != count; ++i) ASSERT_NE(results[static_cast<std::size_t>(i)], 0u);
    s.join();
}

TEST_P(CountingStress, TheLastToReturnDestroysAWaitGroup) {
    everybody(stress_rounds(40'000), [&](random_source& random) {
        the_last_destroys<wait_group>(
            random, 1 + static_cast<int>(random.below(3)), [](auto& g) { g.wait(); },
            [](auto& g) { g.done(); });
    });
}

TEST_P(CountingStress, TheLastToReturnDestroysALatch) {
    everybody(stress_rounds(40'000), [&](random_source& random) {
        const bool polls = random.below(2) == 0;
        the_last_destroys<latch>(
            random, 1 + static_cast<int>(random.below(3)),
            [&](auto& l) {
                while (polls && !l.try_wait()) yield();
                l.wait();
            },
            [](auto& l) { l.count_down(); });
    });
}

struct permits_of {
    explicit permits_of(int n) : count(n) {}
    counting_semaphore<> permits{0};
    const int count;
};

TEST_P(CountingStress, TheLastToReturnDestroysASemaphore) {
    everybody(stress_rounds(40'000), [&](random_source& random) {
        const bool polls = random.below(2) == 0;
        the_last_destroys<permits_of>(
            random, 1 + static_cast<int>(random.below(3)),
            [&](auto& p) {
                for (int i = 0; i != p.count; ++i) {
                    if (polls) {
                        while (!p.permits.try_acquire()) yield();
                    } else {
                        p.permits.acquire();
                    }
                }
            },
            [](auto& p) { p.permits.release(); });
    });
}

// Waiters that are called off while the count comes to 0.
TEST_P(CountingStress, SomeOfThoseWhoWaitAreCalledOff) {
    everybody(stress_rounds(20'000), [&](random_source& random) {
        auto group = std::make_unique<wait_group>(1);
        auto open = std::make_unique<latch>(2);
        auto waiter = spawn([&] { group->wait(); });
        auto arriver = spawn([&] { open->arrive_and_wait(); });
        auto doer = spawn([&, steps = random.below(600)] {
            for (std::uint32_t k = steps; k != 0; --k)
                std::atomic_signal_fence(std::memory_order_seq_cst);
            group->done();
            open->count_down();
        });
        for (std::uint32_t k = random.below(600); k != 0; --k)
            std::atomic_signal_fence(std::memory_order_seq_cst);
        waiter.request_stop();
        arriver.request_stop();
        const auto returned = [](auto& handle) {
            try {
                handle.join();
                return true;
            } catch (const coroutine_cancelled&) {
                return false;
            }
        };
        (void)returned(waiter);
        const bool arrived = returned(arriver);
        doer.join();
        ASSERT_TRUE(group->try_wait());
        ASSERT_EQ(open->try_wait(), arrived) << "who was called off has not arrived";
    });
}

TEST_P(CountingStress, ABarrierKeepsPhasesApart) {
    const std::uint64_t phases = stress_rounds(60'000) / size() + 1;
    std::uint64_t completed = 0;
    std::atomic<std::uint64_t> arrived{0};
    const auto complete = [&]() noexcept {
        ++completed;
        if (arrived.load() != completed * size()) std::abort();
    };
    barrier gate(static_cast<std::ptrdiff_t>(size()), complete);
    everybody(phases * size(), [&](random_source& random) {
        const std::uint64_t before = completed;
        arrived.fetch_add(1);
        if (random.below(2) == 0) {
            gate.arrive_and_wait();
        } else {
            auto token = gate.arrive();
            perhaps_yield(random);
            gate.wait(std::move(token));
        }
        ASSERT_EQ(completed, before + 1);
        // Nobody arrives for the next phase before all have looked.
        arrived.fetch_add(1);
        gate.arrive_and_wait();
    });
    EXPECT_EQ(completed, 2 * (phases + 1));
}

// Participants that are called off and come back: an arrival that is taken back does not count, one that is not does.
TEST_P(CountingStress, ArrivalsAreTakenBackOrCount) {
    const std::uint64_t phases = stress_rounds(20'000) / size() + 1;
    std::uint64_t completed = 0;
    barrier gate(static_cast<std::ptrdiff_t>(size()), [&]() noexcept { ++completed; });
    everybody(phases * size(), [&](random_source& random) {
        while (random.below(2) == 0) {
            if (called_off(random, [&] { gate.arrive_and_wait(); })) return;
        }
        gate.arrive_and_wait();
    });
    EXPECT_EQ(completed, phases + 1);
}

}  // namespace
}  // namespace weft::detail
