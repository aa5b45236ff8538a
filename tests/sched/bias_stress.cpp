// Edge *bias*: once revoke() has returned, no plain access of the owner is or will be in progress.
//
// In every round a fresh bias guards a value. The owner changes it by a plain load and store while it is inside,
// by a read-modify-write otherwise; a thief revokes at a random moment and then changes it too. A plain
// access that overlaps the thief's loses one of the changes. And a variable that is not atomic passes from the
// owner to the thief, for ThreadSanitizer: the thief may touch it behind revoke(), and the owner no more. At last the thief
// restores the bias (edge *restore*), and the variable is the owner's again.
#include "sched/bias.hpp"

#include "base/random.hpp"
#include "base/stress.hpp"
#include "os/fence.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

struct alignas(64) round_state {
    bias owner_bias{false};
    alignas(64) std::atomic<std::uint64_t> value{0};
    std::uint64_t owners_own = 0;   // Plain: the owner's while it is inside, then the thief's.
    std::uint64_t owner_added = 0;  // Read when both are done.
    std::uint64_t thief_added = 0;
    std::atomic<bool> owner_started{false};
    std::atomic<bool> owner_done{false};
    std::atomic<bool> thief_done{false};
};

void wait_for(const std::atomic<bool>& flag) {
    for (int spin = 0; !flag.load(); ++spin) {
        if (spin > 100) std::this_thread::yield();
    }
}

void linger(std::uint32_t steps) {
    for (; steps != 0; --steps) std::atomic_signal_fence(std::memory_order_seq_cst);
}

void own(std::vector<round_state>& rounds, std::uint64_t seed) {
    random_source random(seed);
    for (round_state& r : rounds) {
        r.owner_started.store(true);
        std::uint64_t added = 0;
        for (bool inside = true; inside || !r.thief_done.load(std::memory_order_relaxed);) {
            inside = r.owner_bias.enter();
            if (inside) {
                ++r.owners_own;
                const std::uint64_t before = r.value.load(std::memory_order_relaxed);
                linger(random.below(8) == 0 ? random.below(64) : 0);
                r.value.store(before + 1, std::memory_order_relaxed);
                r.owner_bias.leave();
            } else {
                r.value.fetch_add(1, std::memory_order_relaxed);
            }
            ++added;
        }
        r.owner_added = added;
        r.owner_done.store(true);
        while (!r.owner_bias.enter()) std::this_thread::yield();
        ++r.owners_own;
        r.value.store(r.value.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        r.owner_bias.leave();
    }
}

void steal(std::vector<round_state>& rounds, std::uint64_t seed) {
    random_source random(seed);
    for (round_state& r : rounds) {
        wait_for(r.owner_started);
        linger(random.below(500));
        r.owner_bias.revoke();
        r.owners_own += 1'000'000;
        for (r.thief_added = 0; r.thief_added != 200; ++r.thief_added) {
            r.value.fetch_add(1, std::memory_order_relaxed);
        }
        r.thief_done.store(true, std::memory_order_relaxed);  // No edge but the bias's own.
        while (!r.owner_done.load(std::memory_order_relaxed)) std::this_thread::yield();
        r.owners_own += 1'000'000;
        r.value.fetch_add(1, std::memory_order_relaxed);
        r.owner_bias.restore();
    }
}

TEST(BiasStress, NoPlainAccessOverlapsWhatComesAfterRevoke) {
    if (!prepare_fences()) GTEST_SKIP() << "without free fences there is no bias";
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog(stress_seconds());
    // Each of them waits for the other's thread three times, which takes milliseconds on a machine that has other work.
    std::vector<round_state> rounds(stress_rounds(2'000));

    std::thread owner([&] { own(rounds, seed); });
    std::thread thief([&] { steal(rounds, seed + 1); });
    owner.join();
    thief.join();

    for (std::size_t i = 0; i != rounds.size(); ++i) {
        const round_state& r = rounds[i];
        ASSERT_EQ(r.value.load(), r.owner_added + r.thief_added + 2) << "round " << i;
        ASSERT_GE(r.owners_own, 2'000'001u) << "round " << i;
    }
}

TEST(Bias, IsHeldByTheOwnerUntilRevokedAndThenNoMore) {
    if (!prepare_fences()) GTEST_SKIP() << "without free fences there is no bias";
    bias b(false);
    EXPECT_TRUE(b.enter());
    b.leave();
    EXPECT_TRUE(b.enter());
    b.leave();
    b.revoke();
    EXPECT_FALSE(b.enter());
    b.revoke();
    EXPECT_FALSE(b.enter());
    b.restore();
    EXPECT_TRUE(b.enter());
    b.leave();
    b.revoke();
    EXPECT_FALSE(b.enter());
}

TEST(Bias, CanBeSharedFromTheStart) {
    bias b(true);
    EXPECT_FALSE(b.enter());
    b.revoke();
    EXPECT_FALSE(b.enter());
    b.restore();
    EXPECT_FALSE(b.enter()) << "there is nothing to restore";
}

}  // namespace
}  // namespace weft::detail
