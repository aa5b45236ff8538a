// The run queue, one thread at a time: order, bounds, and what spill and steal move. All of it twice: with the
// owner's plain accesses and with its claims. Its behaviour under contention is in run_queue_stress.cpp.
#include "sched/run_queue.hpp"

#include "sched/coroutine.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

namespace weft::detail {
namespace {

constexpr auto capacity = run_queue::capacity;
constexpr auto half = run_queue::half;

// The parameter: shared from the start.
class RunQueue : public ::testing::TestWithParam<bool> {
protected:
    RunQueue() {
        for (std::size_t i = 0; i != coroutines.size(); ++i) coroutines[i].id = i;
    }

    // Pushes coroutines with the ids [first, last).
    void push(run_queue& to, std::size_t first, std::size_t last) {
        for (; first != last; ++first) ASSERT_TRUE(to.push(coroutines[first])) << first;
    }

    // Pops until empty and returns the ids in the order they came.
    static std::vector<std::uint64_t> drain(run_queue& from) {
        std::vector<std::uint64_t> result;
        while (const coroutine* c = from.pop()) result.push_back(c->id);
        return result;
    }

    static std::vector<std::uint64_t> ids(std::uint64_t first, std::uint64_t last) {
        std::vector<std::uint64_t> result;
        for (; first != last; ++first) result.push_back(first);
        return result;
    }

    std::array<coroutine, 4 * capacity> coroutines;
    bias queue_bias{GetParam()};
    bias other_bias{GetParam()};
    run_queue queue{queue_bias};
    run_queue other{other_bias};
};

TEST_P(RunQueue, StartsEmpty) {
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.size(), 0u);
    EXPECT_EQ(queue.pop(), nullptr);
}

TEST_P(RunQueue, PopsInTheOrderOfPushes) {
    push(queue, 0, 3);
    EXPECT_EQ(queue.size(), 3u);
    EXPECT_EQ(drain(queue), ids(0, 3));
    EXPECT_TRUE(queue.empty());
}

TEST_P(RunQueue, KeepsOrderAcrossTheEndOfTheRing) {
    for (std::size_t round = 0; round != 3 * capacity; ++round) {
        const std::size_t first = round % capacity;
        push(queue, first, first + half + 1);
        ASSERT_EQ(drain(queue), ids(first, first + half + 1)) << "round " << round;
    }
}

TEST_P(RunQueue, RefusesAPushWhenFullAndNotBefore) {
    push(queue, 0, capacity);
    EXPECT_FALSE(queue.push(coroutines[capacity]));
    EXPECT_EQ(queue.size(), capacity);

    EXPECT_EQ(queue.pop(), &coroutines[0]);
    EXPECT_TRUE(queue.push(coroutines[capacity]));
    EXPECT_EQ(drain(queue), ids(1, capacity + 1));
}

TEST_P(RunQueue, SpillsTheOlderHalfOnlyWhenFull) {
    std::array<coroutine*, half> out{};
    push(queue, 0, capacity - 1);
    EXPECT_EQ(queue.spill(out), 0u) << "one slot is still vacant";
    EXPECT_EQ(queue.size(), capacity - 1);

    push(queue, capacity - 1, capacity);
    ASSERT_EQ(queue.spill(out), half);
    for (std::size_t i = 0; i != half; ++i) EXPECT_EQ(out[i], &coroutines[i]);
    EXPECT_EQ(drain(queue), ids(half, capacity));
}

TEST_P(RunQueue, StealsTheOlderHalfRoundedUp) {
    for (std::size_t n = 1; n <= capacity; ++n) {
        SCOPED_TRACE(n);
        const std::size_t loot = n - n / 2;
        push(queue, 0, n);
        ASSERT_EQ(other.steal_from(queue), loot);
        ASSERT_EQ(drain(other), ids(0, loot));
        ASSERT_EQ(drain(queue), ids(loot, n));
    }
}

TEST_P(RunQueue, StealsNothingFromAnEmptyQueue) {
    push(other, 0, 1);
    EXPECT_EQ(other.steal_from(queue), 0u);
    EXPECT_EQ(drain(other), ids(0, 1));
}

TEST_P(RunQueue, PutsLootBehindWhatTheThiefHas) {
    push(other, 0, half);
    push(queue, half, half + 2);
    ASSERT_EQ(other.steal_from(queue), 1u);
    EXPECT_EQ(drain(other), ids(0, half + 1));
}

TEST_P(RunQueue, DoesNotStealIntoAQueueThatMightOverflow) {
    push(queue, 0, capacity);
    push(other, capacity, capacity + half + 1);
    EXPECT_EQ(other.steal_from(queue), 0u);
    EXPECT_EQ(queue.size(), capacity);
    EXPECT_EQ(other.size(), half + 1);
}

TEST_P(RunQueue, KeepsOrderWhenTheBiasIsRevokedBetweenPops) {
    push(queue, 0, 3);
    EXPECT_EQ(queue.pop(), &coroutines[0]);
    queue_bias.revoke();
    EXPECT_EQ(queue.pop(), &coroutines[1]);
    EXPECT_EQ(other.steal_from(queue), 1u);
    EXPECT_EQ(other.pop(), &coroutines[2]);
}

TEST_P(RunQueue, HeadAndTailAreOnDifferentCacheLines) {
    EXPECT_EQ(alignof(run_queue) % cache_line, 0u);
    EXPECT_GE(sizeof(run_queue), 3 * cache_line);
}

INSTANTIATE_TEST_SUITE_P(Bias, RunQueue, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "Shared" : "Biased"; });

using RunQueueDeathTest = RunQueue;

TEST_P(RunQueueDeathTest, AQueueCannotStealFromItself) {
    if constexpr (!assertions) GTEST_SKIP() << "needs WEFT_ASSERTIONS";
    EXPECT_DEATH(static_cast<void>(queue.steal_from(queue)),
                 "run_queue.cpp:[0-9]+: weft: check failed");
}

INSTANTIATE_TEST_SUITE_P(Bias, RunQueueDeathTest, ::testing::Values(true));

}  // namespace
}  // namespace weft::detail
