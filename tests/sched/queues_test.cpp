// The small queues: next slot, inbox, global queue. One thread at a time; contention is in queues_stress.cpp.
#include "sched/global_queue.hpp"
#include "sched/inbox.hpp"
#include "sched/next_slot.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace weft::detail {
namespace {

class NextSlot : public ::testing::TestWithParam<bool> {
protected:
    bias owner_bias{GetParam()};
    next_slot slot;
    std::array<coroutine, 2> c;
};

TEST_P(NextSlot, StartsEmpty) {
    EXPECT_EQ(slot.peek(), nullptr);
    EXPECT_EQ(slot.take(owner_bias), nullptr);
}

TEST_P(NextSlot, GivesBackWhoWasPutLastAndKicksOutWhoWasThere) {
    EXPECT_EQ(slot.put(&c[0], owner_bias), nullptr);
    EXPECT_EQ(slot.put(&c[1], owner_bias), &c[0]);
    EXPECT_EQ(slot.peek(), &c[1]);
    EXPECT_EQ(slot.take(owner_bias), &c[1]);
    EXPECT_EQ(slot.take(owner_bias), nullptr);
}

TEST_P(NextSlot, IsStolenOnlyByWhoNamesWhoIsThere) {
    owner_bias.revoke();
    EXPECT_EQ(slot.put(&c[0], owner_bias), nullptr);
    EXPECT_FALSE(slot.steal(&c[1]));
    EXPECT_TRUE(slot.steal(&c[0]));
    EXPECT_FALSE(slot.steal(&c[0]));
    EXPECT_EQ(slot.take(owner_bias), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Bias, NextSlot, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "Shared" : "Biased"; });

TEST(Inbox, DeliversInTheOrderOfArrivalAndEverythingAtOnce) {
    inbox box;
    std::array<coroutine, 3> c;
    EXPECT_TRUE(box.empty());
    EXPECT_EQ(box.take_all(), nullptr);

    for (coroutine& one : c) box.push(one);
    EXPECT_FALSE(box.empty());
    coroutine* at = box.take_all();
    for (coroutine& one : c) {
        ASSERT_EQ(at, &one);
        at = at->link;
    }
    EXPECT_EQ(at, nullptr);
    EXPECT_TRUE(box.empty());
}

class GlobalQueue : public ::testing::Test {
protected:
    GlobalQueue() {
        for (std::size_t i = 0; i != c.size(); ++i) c[i].id = i;
    }
    ~GlobalQueue() override { queue.release(); }
    std::vector<std::uint64_t> take(std::size_t most, std::size_t processors) {
        std::vector<coroutine*> out(most);
        out.resize(queue.take(out, processors));
        std::vector<std::uint64_t> ids;
        for (const coroutine* one : out) ids.push_back(one->id);
        return ids;
    }
    std::array<coroutine, 10> c;
    global_queue queue;
};

TEST_F(GlobalQueue, IsFirstInFirstOut) {
    EXPECT_TRUE(queue.empty());
    queue.push(c[0]);
    const std::array<coroutine*, 2> batch{&c[1], &c[2]};
    queue.push(batch);
    EXPECT_EQ(queue.size(), 3u);
    EXPECT_EQ(take(8, 1), (std::vector<std::uint64_t>{0, 1, 2}));
    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(take(8, 1).empty());
}

TEST_F(GlobalQueue, ThoseThatHaveNeverRunAreLastInFirstOut) {
    for (std::size_t i = 2; i != 6; ++i) c[i].state.store(co_state::runnable);
    queue.push(std::array<coroutine*, 3>{&c[0], &c[2], &c[3]});
    queue.push(std::array<coroutine*, 3>{&c[4], &c[5], &c[1]});
    EXPECT_EQ(queue.size(), 6u);
    // The last batch of them comes first; then those that have run, in order.
    EXPECT_EQ(take(8, 1), (std::vector<std::uint64_t>{4, 5, 2, 3, 0, 1}));
    EXPECT_TRUE(queue.empty());
}

TEST_F(GlobalQueue, ThoseThatHaveRunHaveAShareBesideThem) {
    std::array<coroutine, 40> fresh;
    std::vector<coroutine*> batch;
    for (coroutine& one : fresh) {
        one.id = 100;
        one.state.store(co_state::runnable);
        batch.push_back(&one);
    }
    queue.push(batch);
    queue.push(c[1]);
    queue.push(c[2]);
    const auto seen = take(40, 1);
    EXPECT_EQ(seen[15], 1u);
    EXPECT_EQ(seen[31], 2u);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 100u), 38);
    EXPECT_EQ(take(40, 1).size(), 2u);
}

TEST_F(GlobalQueue, AFairnessTurnTakesTheOldestOfEither) {
    for (std::size_t i = 4; i != 8; ++i) c[i].state.store(co_state::runnable);
    queue.push(std::array<coroutine*, 4>{&c[4], &c[5], &c[0], &c[1]});
    queue.push(std::array<coroutine*, 2>{&c[6], &c[7]});
    std::vector<std::uint64_t> seen;
    for (std::array<coroutine*, 1> out; queue.take_fairly(out, 1) != 0;) {
        seen.push_back(out[0]->id);
    }
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{5, 0, 4, 1, 7, 6}));
}

TEST_F(GlobalQueue, LeavesAShareForTheOtherProcessors) {
    for (coroutine& one : c) queue.push(one);
    EXPECT_EQ(take(8, 4), (std::vector<std::uint64_t>{0, 1, 2})) << "10 / 4 + 1";
    EXPECT_EQ(queue.size(), 7u);
}

TEST_F(GlobalQueue, GivesNoMoreThanThereIsRoomFor) {
    for (coroutine& one : c) queue.push(one);
    EXPECT_EQ(take(2, 1).size(), 2u);
    EXPECT_EQ(queue.size(), 8u);
}

TEST_F(GlobalQueue, AlwaysGivesAtLeastOneWhenThereIsOne) {
    queue.push(c[0]);
    EXPECT_EQ(take(8, 1000).size(), 1u);
}

}  // namespace
}  // namespace weft::detail
