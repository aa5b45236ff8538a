// Type-stable pools: one at a time, and for_each() while others take.
#include "mem/fixed_pool.hpp"

#include "base/config.hpp"
#include "base/random.hpp"
#include "base/stress.hpp"
#include "support/resident.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

constexpr std::uint64_t alive = 0x600d;

// It is as large as a descriptor, counts its constructions and destructions, knows whether it is there, and has a number that
// must not come twice.
struct thing {
    static inline std::atomic<int> constructed{0};
    static inline std::atomic<int> destroyed{0};

    thing() noexcept { constructed.fetch_add(1); }
    ~thing() {
        mark.store(0);
        destroyed.fetch_add(1);
    }
    std::uint64_t strip() noexcept { return number.load(); }
    void dress(std::uint64_t last) noexcept {
        number.store(last);
        mark.store(alive);
    }

    thing* link = nullptr;
    std::atomic<std::uint64_t> mark{alive};
    std::uint64_t content = 0;
    std::atomic<std::uint64_t> number{0};
    std::array<std::byte, 152> rest{};
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

// Pools of slabs that can be cooled.
class FixedPoolCool : public FixedPool {
protected:
    ~FixedPoolCool() override { pool.release(); }

    void take(std::size_t count) {
        for (std::size_t i = 0; i != count; ++i) out.push_back(pool.take());
    }
    void give_all() {
        for (thing* const t : out) pool.give(*t);
        out.clear();
    }
    // One round.
    std::size_t cool(std::size_t most = 1000) {
        pool.begin_round();
        return pool.cool(most);
    }
    std::size_t visited() {
        std::size_t n = 0;
        pool.for_each([&](thing&) { ++n; });
        return n;
    }

    static constexpr std::size_t slab_holds =
        (pool_type::slab_size - pool_type::first_offset()) / sizeof(thing);
    static constexpr std::size_t slab_bytes = pool_type::slab_size - page_size;
    std::vector<thing*> out;
};

TEST_F(FixedPoolCool, GivesBackWhatHasBeenHomeForAWholeRound) {
    constexpr std::size_t count = 28 * slab_holds;
    take(count);
    const std::set<thing*> addresses(out.begin(), out.end());
    const std::size_t there = visited();
    give_all();
    EXPECT_EQ(cool(), 0u) << "they may be wanted again at once";
    EXPECT_EQ(visited(), there);
    const std::size_t slabs = cool() / slab_bytes;
    EXPECT_EQ(slabs, 27u) << "one stays";
    EXPECT_LE(visited(), slab_holds);
    EXPECT_EQ(pool.constructed(), visited());
    // Nobody else gets the addresses, and they serve again.
    take(count);
    EXPECT_EQ(std::set<thing*>(out.begin(), out.end()), addresses);
    for (const thing* const t : out) ASSERT_EQ(t->mark.load(), alive);
    EXPECT_EQ(visited(), count);
    give_all();
}

TEST_F(FixedPoolCool, ReadsZeroesMeanwhile) {
    take(1000);
    thing* const first = out.front();
    first->content = 42;
    give_all();
    cool();
    cool();
    EXPECT_EQ(first->content, 0u);
    EXPECT_EQ(first->mark.load(), 0u);
}

TEST_F(FixedPoolCool, NumbersGoOnThoughTheirMemoryHasGone) {
    std::map<const thing*, std::uint64_t> last;
    for (int round = 0; round != 10; ++round) {
        take(1000);
        for (thing* const t : out) {
            const std::uint64_t number = t->number.fetch_add(1) + 1;
            ASSERT_GT(number, last[t]);
            last[t] = number;
        }
        give_all();
        cool();
        EXPECT_NE(cool(), 0u);
    }
}

TEST_F(FixedPoolCool, LeavesSlabsAloneThatHaveOneInUse) {
    take(10'000);
    thing* const stays = out[5'000];
    stays->content = 42;
    out.erase(out.begin() + 5'000);
    give_all();
    cool();
    EXPECT_GT(cool(), 0u);
    EXPECT_EQ(stays->content, 42u);
    EXPECT_EQ(stays->mark.load(), alive);
    pool.give(*stays);
}

TEST_F(FixedPoolCool, LooksAtSoManyAtATime) {
    take(10'000);
    give_all();
    cool();
    EXPECT_EQ(cool(3), 3 * slab_bytes);
    EXPECT_EQ(cool(2), 2 * slab_bytes) << "and goes on with the others";
}

TEST_F(FixedPoolCool, GivesTheMemoryBack) {
    take(100'000);
    give_all();
    const std::size_t before = test::resident_bytes();
    cool();
    const std::size_t bytes = cool();
    EXPECT_GT(bytes, std::size_t{16} << 20);
    if constexpr (!asan_build && !tsan_build) {
        EXPECT_LT(test::resident_bytes(), before - bytes + (std::size_t{1} << 20));
    }
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

// Takers whose number must only grow, beside two who cool, and one who looks at all.
TEST(FixedPoolStress, NothingIsLostOrComesTwiceWhileOthersCool) {
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog(stress_seconds());
    pool_type pool("test");
    std::atomic<int> taking{2};
    std::atomic<std::uint64_t> cooled{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t != 2; ++t) {
        threads.emplace_back([&, t] {
            random_source random(seed + t);
            std::map<thing*, std::uint64_t> last;
            std::vector<thing*> mine;
            for (std::uint64_t round = 0; round < stress_rounds(100) || cooled.load() == 0;
                 ++round) {
                for (std::uint32_t n = random.below(3'000); n != 0; --n) {
                    thing* const one = pool.take();
                    ASSERT_EQ(one->mark.load(), alive);
                    ASSERT_EQ(one->content, 0u) << "somebody else has it";
                    one->content = t + 1;
                    const std::uint64_t number = one->number.fetch_add(1) + 1;
                    ASSERT_GT(number, last[one]);
                    last[one] = number;
                    mine.push_back(one);
                }
                const std::uint32_t most = round % 8 == 0 ? UINT32_MAX : random.below(3'000);
                for (std::uint32_t n = most; n != 0 && !mine.empty(); --n) {
                    ASSERT_EQ(mine.back()->content, t + 1);
                    mine.back()->content = 0;
                    pool.give(*mine.back());
                    mine.pop_back();
                }
            }
            for (thing* const one : mine) one->content = 0;
            pool.give(mine.data(), mine.size());
            taking.fetch_sub(1);
        });
    }
    for (int i = 0; i != 2; ++i) {
        threads.emplace_back([&] {
            while (taking.load() != 0) {
                pool.begin_round();
                cooled.fetch_add(pool.cool(4));
            }
        });
    }
    while (taking.load() != 0) {
        pool.for_each([&](const thing& t) {
            const std::uint64_t mark = t.mark.load(std::memory_order_relaxed);
            ASSERT_TRUE(mark == alive || mark == 0);
        });
    }
    for (auto& thread : threads) thread.join();
    pool.release();
    ASSERT_EQ(pool.constructed(), 0u);
}

}  // namespace
}  // namespace weft::detail
