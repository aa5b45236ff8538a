// spin_lock: one holder at a time, who sees what the last one wrote, and who may destroy the lock.
#include <weft/detail/spin_lock.hpp>

#include "base/stress.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

TEST(SpinLockStress, HoldersComeOneAfterTheOtherAndSeeWhatTheLastOneWrote) {
    const std::uint64_t rounds = stress_rounds(300'000);
    const test::watchdog dog(stress_seconds());
    spin_lock lock;
    std::uint64_t plain = 0;  // Not atomic: the lock alone orders it.
    std::atomic<int> inside{0};
    std::atomic<bool> crowded{false};

    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t) {
        threads.emplace_back([&] {
            for (std::uint64_t n = 0; n != rounds; ++n) {
                const std::lock_guard hold(lock);
                if (inside.fetch_add(1, std::memory_order_relaxed) != 0) {
                    crowded.store(true, std::memory_order_relaxed);
                }
                ++plain;
                inside.fetch_sub(1, std::memory_order_relaxed);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_FALSE(crowded.load());
    EXPECT_EQ(plain, 4 * rounds);
}

// As the scope does: the last one out lets the other destroy the lock, before it has left unlock().
TEST(SpinLockStress, WhoTakesItNextMayDestroyIt) {
    const std::uint64_t rounds = stress_rounds(3'000);
    const test::watchdog dog(stress_seconds());
    struct shared {
        spin_lock lock;
        bool done = false;
    };
    std::atomic<shared*> handed{nullptr};
    std::thread child([&] {
        for (std::uint64_t n = 0; n != rounds; ++n) {
            shared* s = nullptr;
            while ((s = handed.exchange(nullptr)) == nullptr) std::this_thread::yield();
            s->lock.lock();
            s->done = true;
            s->lock.unlock();
        }
    });
    for (std::uint64_t n = 0; n != rounds; ++n) {
        auto s = std::make_unique<shared>();
        handed.store(s.get());
        for (bool done = false; !done;) {
            const std::lock_guard hold(s->lock);
            done = s->done;
        }
    }
    child.join();
}

}  // namespace
}  // namespace weft::detail
