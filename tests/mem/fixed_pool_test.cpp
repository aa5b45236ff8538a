// Type-stable pools: one at a time, and for_each() while others take.
#include "mem/fixed_pool.hpp"

#include "base/config.hpp"
#include "base/random.hpp"
#include "base/stress.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

constexpr std::uint64_t alive = 0x600d;

// As large as a descriptor. Counts its constructions and destructions, and knows whether it is there.
struct thing {
    static inline std::atomic<int> constructed{0};
    static inline std::atomic<int> destroyed{0};

    thing() noexcept { constructed.fetch_add(1); }
    ~thing() {
        mark.store(0);
        destroyed.fetch_add(1);
    }
    thing* link = nullptr;
    std::atomic<std::uint64_t> mark{alive};
    std::uint64_t content = 0;
    std::array<std::byte, 160> rest{};
};

using pool_type = fixed_pool<thing, &thing::link>;

class FixedPool : public ::testing::Test {
protected:
    FixedPool() {
        thing::constructed = 0;
        thing::destroyed = 0;
    }
    pool_type pool{"test"};
};

TEST_F(FixedPool, GivesOutDifferentThings) {
    std::set<thing*> seen;
    for (int i = 0; i != 1000; ++i) {
        thing* const t = pool.take();
        ASSERT_NE(t, nullptr);
        EXPECT_EQ(t->mark.load(), alive);
        EXPECT_TRUE(seen.insert(t).second);
    }
    EXPECT_EQ(pool.constructed(), 1000u);
    for (thing* t : seen) pool.give(*t);
    pool.release();
}

TEST_F(FixedPool, AThingKeepsItsContentBetweenItsUsers) {
    thing* const first = pool.take();
    first->content = 42;
    pool.give(*first);
    thing* const again = pool.take();
    EXPECT_EQ(again, first) << "last in, first out: it is still in the cache";
    EXPECT_EQ(again->content, 42u);
    EXPECT_EQ(thing::constructed.load(), 1);
    pool.give(*again);
    pool.release();
}

TEST_F(FixedPool, TakesAndGivesManyAtOnce) {
    std::array<thing*, 100> some{};
    EXPECT_EQ(pool.take(some.data(), some.size()), some.size());
    pool.give(some.data(), some.size());
    std::array<thing*, 100> again{};
    EXPECT_EQ(pool.take(again.data(), again.size()), again.size());
    std::sort(some.begin(), some.end());
    std::sort(again.begin(), again.end());
    EXPECT_EQ(some, again);
    EXPECT_EQ(pool.constructed(), 100u);
    pool.give(again.data(), again.size());
    pool.release();
}

TEST_F(FixedPool, ForEachVisitsEveryoneWhetherInUseOrNot) {
    std::set<thing*> expected;
    for (int i = 0; i != 2000; ++i) expected.insert(pool.take());
    int n = 0;
    for (thing* t : expected) {
        if (++n % 2 == 0) pool.give(*t);
    }
    std::set<thing*> seen;
    pool.for_each([&](thing& t) { EXPECT_TRUE(seen.insert(&t).second); });
    EXPECT_EQ(seen, expected);
    n = 0;
    for (thing* t : expected) {
        if (++n % 2 != 0) pool.give(*t);
    }
    pool.release();
}

TEST_F(FixedPool, ReleaseDestroysOnlyWhenEveryoneIsHome) {
    thing* const out = pool.take();
    thing* const home = pool.take();
    pool.give(*home);
    pool.release();
    EXPECT_EQ(thing::destroyed.load(), 0);
    EXPECT_EQ(out->mark.load(), alive);
    EXPECT_EQ(pool.constructed(), 2u);

    pool.give(*out);
    pool.release();
    EXPECT_EQ(thing::destroyed.load(), 2);
    EXPECT_EQ(pool.constructed(), 0u);
    int visited = 0;
    pool.for_each([&](thing&) { ++visited; });
    EXPECT_EQ(visited, 0);
}

TEST_F(FixedPool, CanBeUsedAgainAfterRelease) {
    pool.give(*pool.take());
    pool.release();
    thing* const t = pool.take();
    ASSERT_NE(t, nullptr);
    EXPECT_EQ(t->content, 0u);
    pool.give(*t);
    pool.release();
}

TEST_F(FixedPool, AStalePointerReadsAThingWhateverHasBecomeOfIt) {
    thing* const stale = pool.take();
    pool.give(*stale);
    std::array<thing*, 10> users{};
    pool.take(users.data(), users.size());
    EXPECT_EQ(stale->mark.load(), alive);
    pool.give(users.data(), users.size());
    pool.release();
}

// Edge *publish slab*: for_each never meets raw memory.
TEST(FixedPoolStress, ForEachSeesOnlyWholeThingsWhileOthersTake) {
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog(stress_seconds());
    for (std::uint64_t round = 0; round != stress_rounds(10); ++round) {
        pool_type pool("test");
        std::atomic<int> taking{2};
        std::vector<std::thread> takers;
        for (std::uint64_t t = 0; t != 2; ++t) {
            takers.emplace_back([&, t] {
                random_source random(seed + round + t);
                std::vector<thing*> mine;
                for (int i = 0; i != 20'000; ++i) {
                    if (random.below(4) != 0 || mine.empty()) {
                        mine.push_back(pool.take());
                    } else {
                        pool.give(*mine.back());
                        mine.pop_back();
                    }
                }
                pool.give(mine.data(), mine.size());
                taking.fetch_sub(1);
            });
        }
        std::size_t before = 0;
        while (taking.load() != 0) {
            std::size_t n = 0;
            pool.for_each([&](thing& t) {
                ASSERT_EQ(t.mark.load(std::memory_order_relaxed), alive);
                ++n;
            });
            ASSERT_GE(n, before) << "nobody leaves before release()";
            before = n;
        }
        for (auto& taker : takers) taker.join();
        pool.release();
        ASSERT_EQ(pool.constructed(), 0u);
    }
}

}  // namespace
}  // namespace weft::detail
