// Type-stable pools whose slabs go back when nobody names what is in them.
#include "mem/shrinking_pool.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <set>
#include <vector>

namespace weft::detail {
namespace {

struct thing {
    static inline int alive = 0;

    thing() noexcept { ++alive; }
    ~thing() { --alive; }
    [[nodiscard]] bool is_named() const noexcept { return named; }

    thing* link = nullptr;
    bool named = false;
    int content = 0;
    std::array<std::byte, 96> rest{};
};

class ShrinkingPool : public ::testing::Test {
protected:
    std::vector<thing*> take(std::size_t count) {
        std::vector<thing*> taken;
        for (std::size_t i = 0; i != count; ++i) taken.push_back(pool.take());
        return taken;
    }
    void give(const std::vector<thing*>& things) {
        for (thing* const t : things) pool.give(*t);
    }
    ~ShrinkingPool() override { pool.release(); }

    shrinking_pool<thing, &thing::link> pool{"test"};
    static constexpr std::size_t many = 10'000;
    static constexpr std::size_t all = 1000;  // Slabs; more than many things take.
};

TEST_F(ShrinkingPool, GivesOutDifferentThingsThatKeepTheirContent) {
    std::vector<thing*> things = take(many);
    EXPECT_EQ(std::set<thing*>(things.begin(), things.end()).size(), many);
    for (thing* const t : things) t->content = 7;
    give(things);
    things = take(many);
    for (const thing* const t : things) ASSERT_EQ(t->content, 7);
    give(things);
}

TEST_F(ShrinkingPool, GivesBackAllSlabsButOneOnceEverythingIsHome) {
    const auto things = take(many);
    const std::size_t slabs = pool.slabs();
    EXPECT_EQ(pool.cool(all), 0u) << "all is in use";
    give(things);
    EXPECT_EQ(pool.slabs(), slabs) << "not before it is asked to";
    EXPECT_EQ(pool.cool(3), 3 * pool.slab_size) << "no more than it may";
    EXPECT_EQ(pool.cool(all), (slabs - 4) * pool.slab_size);
    EXPECT_EQ(pool.slabs(), 1u);
    give(take(many));
    EXPECT_EQ(pool.slabs(), slabs);
}

TEST_F(ShrinkingPool, KeepsASlabOfWhichOneIsInUseOrNamed) {
    auto things = take(many);
    thing* const used = things.back();
    things.pop_back();
    thing* const named = things.front();
    named->named = true;
    named->content = 5;
    give(things);
    pool.cool(all);
    EXPECT_EQ(pool.slabs(), 2u);
    EXPECT_EQ(named->content, 5) << "it still is there to be read";
    named->named = false;
    pool.give(*used);
    pool.cool(all);
    EXPECT_EQ(pool.slabs(), 1u);
}

TEST_F(ShrinkingPool, TakesFromSlabsInUseFirst) {
    auto things = take(many);
    thing* const used = things.front();
    things.erase(things.begin());
    give(things);
    pool.cool(all);
    ASSERT_EQ(pool.slabs(), 1u);
    const auto few = take(10);
    EXPECT_EQ(pool.slabs(), 1u);
    give(few);
    pool.give(*used);
}

TEST_F(ShrinkingPool, ReleaseDestroysEverythingThatIsHome) {
    give(take(many));
    pool.release();
    EXPECT_EQ(thing::alive, 0);
    EXPECT_EQ(pool.slabs(), 0u);
}

}  // namespace
}  // namespace weft::detail
