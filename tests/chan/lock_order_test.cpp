// How many comparisons it takes to put the channels of a select into the order in which they are locked.
#include "chan/lock_order.hpp"

#include "base/random.hpp"
#include "base/stress.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace weft::detail {
namespace {

// Compares as the real one does, and counts.
struct counted {
    std::size_t* count;
    bool operator()(channel_core* a, channel_core* b) const {
        ++*count;
        return std::less<>()(a, b);
    }
};

class LockOrder : public ::testing::Test {
protected:
    // Addresses of nothing: they are compared, never followed. Some are the same, some null.
    void make(std::size_t count) {
        cases = std::vector<select_case>(count);
        for (select_case& one : cases) {
            const std::uintptr_t at = random.below(static_cast<std::uint32_t>(2 * count));
            one.channel = reinterpret_cast<channel_core*>(at * 64);
        }
    }
    [[nodiscard]] bool in_order() const {
        std::vector<channel_core*> channels;
        std::vector<channel_core*> locks;
        for (const select_case& one : cases) {
            channels.push_back(one.channel);
            locks.push_back(one.lock_order);
        }
        std::ranges::sort(channels, std::less<>());
        return locks == channels;
    }
    std::size_t sort() {
        std::size_t n = 0;
        sort_locks(std::span(cases), counted{&n});
        return n;
    }
    std::size_t order() {
        std::size_t n = 0;
        order_locks(std::span(cases), kept, counted{&n});
        return n;
    }

    random_source random{stress_seed()};
    std::vector<select_case> cases;
    std::vector<std::uint32_t> kept;
};

TEST_F(LockOrder, IsByAddressHoweverManyThereAre) {
    for (const std::size_t count : {0u, 1u, 2u, 3u, 15u, 16u, 17u, 18u, 100u, 1000u}) {
        make(count);
        sort();
        EXPECT_TRUE(in_order()) << count;
        kept.clear();
        for (select_case& one : cases) one.lock_order = nullptr;
        order();
        EXPECT_TRUE(in_order()) << count << ", kept";
    }
}

TEST_F(LockOrder, OfFourTimesAsManyCostsLessThanSixTimesAsMuch) {
    make(1000);
    const std::size_t one = sort();
    make(4000);
    EXPECT_LT(sort(), 6 * one);
}

TEST_F(LockOrder, IsKeptForTheNextWait) {
    make(1000);
    EXPECT_GT(order(), 5000u);
    EXPECT_LT(order(), 1000u);
    EXPECT_TRUE(in_order());
}

// A case that was sent once and for all has no channel any more.
TEST_F(LockOrder, IsMadeAgainWhenAChannelHasGone) {
    make(1000);
    order();
    cases[700].channel = nullptr;
    order();
    EXPECT_TRUE(in_order());
    EXPECT_LT(order(), 1000u);
}

}  // namespace
}  // namespace weft::detail
