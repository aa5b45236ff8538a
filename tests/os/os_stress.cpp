// ranked_lock under contention, and the asymmetric fences as a litmus test.
#include "os/fence.hpp"
#include "os/ranked_lock.hpp"

#include "base/random.hpp"
#include "base/stress.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

// More threads than CPUs, and holders that give their CPU away: so that others sleep in the kernel, and a wake
// that is forgotten leaves one there.
TEST(RankedLockStress, HoldersComeOneAfterTheOtherAndNobodySleepsOn) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(40'000);
    const test::watchdog dog(stress_seconds());
    ranked_lock lock(lock_rank::pool);
    std::uint64_t plain = 0;  // Not atomic: the lock alone orders it.

    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t != 6; ++t) {
        threads.emplace_back([&, t] {
            random_source random(seed + t);
            for (std::uint64_t n = 0; n != rounds; ++n) {
                const std::lock_guard hold(lock);
                ++plain;
                if (random.below(64) == 0) std::this_thread::yield();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(plain, 6 * rounds);
}

struct alignas(64) round_state {
    alignas(64) std::atomic<int> x{0};
    alignas(64) std::atomic<int> y{0};
    alignas(64) int frequent_saw = -1;
    int rare_saw = -1;
    std::atomic<int> arrived{0};
};

void meet(std::atomic<int>& arrived) {
    arrived.fetch_add(1);
    for (int spin = 0; arrived.load(std::memory_order_relaxed) != 2; ++spin) {
        if (spin > 2000) std::this_thread::yield();
    }
}

TEST(FenceStress, OneOfTheTwoSidesSeesTheOther) {
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog(stress_seconds());
    prepare_fences();
    std::vector<round_state> rounds(stress_rounds(20'000));

    std::thread frequent([&] {
        random_source random(seed);
        for (round_state& r : rounds) {
            meet(r.arrived);
            for (std::uint32_t n = random.below(8); n != 0; --n)
                std::atomic_signal_fence(std::memory_order_seq_cst);
            r.x.store(1, std::memory_order_relaxed);
            light_fence();
            r.frequent_saw = r.y.load(std::memory_order_relaxed);
        }
    });
    random_source random(seed + 1);
    for (round_state& r : rounds) {
        meet(r.arrived);
        for (std::uint32_t n = random.below(8); n != 0; --n)
            std::atomic_signal_fence(std::memory_order_seq_cst);
        r.y.store(1, std::memory_order_relaxed);
        heavy_fence();
        r.rare_saw = r.x.load(std::memory_order_relaxed);
    }
    frequent.join();
    for (std::size_t i = 0; i != rounds.size(); ++i) {
        ASSERT_TRUE(rounds[i].frequent_saw == 1 || rounds[i].rare_saw == 1) << "round " << i;
    }
}

}  // namespace
}  // namespace weft::detail
