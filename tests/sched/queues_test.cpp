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
        out.resize(queue.take(out, processors, turn));
        std::vector<std::uint64_t> ids;
        for (const coroutine* one : out) ids.push_back(one->id);
        return ids;
    }
    // As what a run queue spills.
    void spill(coroutine& one) { queue.spill(std::array<coroutine*, 1>{&one}, turn); }
    std::array<coroutine, 10> c;
    global_queue queue;
    std::uint64_t turn = 0;
};

TEST_F(GlobalQueue, IsFirstInFirstOut) {
    EXPECT_TRUE(queue.empty());
    spill(c[0]);
    const std::array<coroutine*, 2> batch{&c[1], &c[2]};
    queue.spill(batch, turn);
    EXPECT_EQ(queue.size(), 3u);
    EXPECT_EQ(take(8, 1), (std::vector<std::uint64_t>{0, 1, 2}));
    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(take(8, 1).empty());
}

TEST_F(GlobalQueue, ThoseThatHaveNeverRunAreLastInFirstOut) {
    for (std::size_t i = 2; i != 6; ++i) c[i].state.store(co_state::runnable);
    queue.spill(std::array<coroutine*, 3>{&c[0], &c[2], &c[3]}, turn);
    queue.spill(std::array<coroutine*, 3>{&c[4], &c[5], &c[1]}, turn);
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
    queue.spill(batch, turn);
    spill(c[1]);
    spill(c[2]);
    const auto seen = take(40, 1);
    EXPECT_EQ(seen[15], 1u);
    EXPECT_EQ(seen[31], 2u);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 100u), 38);
    EXPECT_EQ(take(40, 1).size(), 2u);
}

TEST_F(GlobalQueue, AFairnessTurnTakesTheOldestOfEither) {
    for (std::size_t i = 4; i != 8; ++i) c[i].state.store(co_state::runnable);
    queue.spill(std::array<coroutine*, 4>{&c[4], &c[5], &c[0], &c[1]}, turn);
    queue.spill(std::array<coroutine*, 2>{&c[6], &c[7]}, turn);
    std::vector<std::uint64_t> seen;
    for (std::array<coroutine*, 1> out; queue.take_fairly(out, 1) != 0;) {
        seen.push_back(out[0]->id);
    }
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{5, 0, 4, 1, 7, 6}));
}

TEST_F(GlobalQueue, ThoseThatHaveNeverRunComeInOrderWhileTheOldestIsOld) {
    queue.judge_probe(true);
    for (coroutine& one : c) one.state.store(co_state::runnable);
    for (std::size_t i = 0; i != 5; ++i) spill(c[i]);
    turn = 31;
    spill(c[5]);
    EXPECT_EQ(take(1, 1), (std::vector<std::uint64_t>{5})) << "all are young";
    turn = 32;
    spill(c[6]);
    spill(c[7]);
    EXPECT_EQ(take(5, 1), (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(take(2, 1), (std::vector<std::uint64_t>{7, 6})) << "the old ones are gone";
}

TEST_F(GlobalQueue, ArrivalsAreApartAndInOrder) {
    spill(c[0]);
    queue.push_arrival(c[1]);
    queue.push_arrivals(std::array<coroutine*, 2>{&c[2], &c[3]});
    EXPECT_TRUE(queue.has_arrivals());
    EXPECT_EQ(queue.size(), 4u);
    std::array<coroutine*, 2> out;
    ASSERT_EQ(queue.take_arrivals(out, 2), 2u) << "3 / 2 + 1";
    EXPECT_EQ(out[0], &c[1]);
    EXPECT_EQ(out[1], &c[2]);
    ASSERT_EQ(queue.take_arrivals(out, 2), 1u);
    EXPECT_FALSE(queue.has_arrivals());
    EXPECT_EQ(take(8, 1), (std::vector<std::uint64_t>{0}));
}

TEST_F(GlobalQueue, ExpiredOnesAreTakenOneAtATimeAndNotAmongTheOthers) {
    queue.push_expired(c[0], 7);
    queue.push_expired(c[1], 7);
    EXPECT_FALSE(queue.empty());
    EXPECT_TRUE(take(8, 1).empty());
    EXPECT_EQ(queue.take_expired(), &c[0]);
    EXPECT_EQ(queue.take_expired(), &c[1]);
    EXPECT_EQ(queue.take_expired(), nullptr);
    EXPECT_TRUE(queue.empty());
}

TEST_F(GlobalQueue, WhoHasWaitedForSeveralTurnsIsOverdue) {
    for (std::size_t i = 4; i != 8; ++i) c[i].state.store(co_state::runnable);
    queue.judge_probe(true);
    turn = 10;
    for (std::size_t i = 0; i != 8; ++i) spill(c[i]);
    queue.push_expired(c[8], turn);
    queue.push_expired(c[9], turn + 1);
    const auto overdue = [&] {
        std::vector<std::uint64_t> ids;
        while (coroutine* const one = queue.take_overdue(turn)) ids.push_back(one->id);
        EXPECT_FALSE(queue.has_overdue(turn));
        return ids;
    };
    turn = 11;
    EXPECT_TRUE(overdue().empty());
    turn = 12;
    EXPECT_EQ(overdue(), (std::vector<std::uint64_t>{4, 0, 8, 1, 2, 3}))
        << "after two turns, if they have run; and one as a probe";
    turn = 14;
    EXPECT_EQ(overdue(), (std::vector<std::uint64_t>{9, 5}));
    turn = 42;
    EXPECT_EQ(overdue(), (std::vector<std::uint64_t>{6, 7})) << "after 32, if they start others";
    EXPECT_TRUE(queue.empty());
}

TEST_F(GlobalQueue, WhatTheOldestDoesSaysHowSoonNewOnesAreServedInOrder) {
    for (coroutine& one : c) one.state.store(co_state::runnable);
    turn = 10;
    for (coroutine& one : c) spill(one);
    turn = 11;
    EXPECT_FALSE(queue.has_overdue(turn));
    turn = 12;
    EXPECT_EQ(take(1, 1), (std::vector<std::uint64_t>{9})) << "nothing is known yet";
    EXPECT_EQ(queue.take_overdue(turn), &c[0]) << "the probe";
    queue.judge_probe(false);
    EXPECT_EQ(take(2, 1), (std::vector<std::uint64_t>{1, 2})) << "it has started none";
    EXPECT_EQ(queue.take_overdue(turn), &c[3]);
    queue.judge_probe(true);
    queue.judge_probe(true);
    EXPECT_FALSE(queue.has_overdue(turn));
    EXPECT_EQ(take(2, 1), (std::vector<std::uint64_t>{8, 7})) << "more have";
    EXPECT_TRUE(queue.has_overdue(13)) << "a probe a turn";
    turn = 42;
    EXPECT_EQ(take(3, 1), (std::vector<std::uint64_t>{4, 5, 6}));
}

TEST_F(GlobalQueue, WhoYieldsComesBehindAsManyAsWaited) {
    for (std::size_t i = 0; i != 4; ++i) c[i].state.store(co_state::runnable);
    for (std::size_t i = 0; i != 4; ++i) spill(c[i]);
    queue.push_yielded(c[8], turn);
    spill(c[4]);
    queue.push_yielded(c[9], turn);
    EXPECT_EQ(queue.size(), 7u);
    EXPECT_EQ(take(3, 1), (std::vector<std::uint64_t>{3, 2, 1})) << "new ones first";
    EXPECT_EQ(take(8, 1), (std::vector<std::uint64_t>{0, 4})) << "none of the two before these";
    EXPECT_EQ(take(8, 1), (std::vector<std::uint64_t>{8, 9}));
    EXPECT_TRUE(queue.empty());
    // From then on its age counts.
    turn = 10;
    spill(c[5]);
    queue.push_yielded(c[8], turn);
    turn = 12;
    EXPECT_EQ(queue.take_overdue(turn), &c[5]);
    EXPECT_FALSE(queue.has_overdue(13));
    EXPECT_TRUE(queue.has_overdue(14));
    turn = 14;
    EXPECT_EQ(queue.take_overdue(turn), &c[8]);
    // Others that come meanwhile do not put them off.
    spill(c[5]);
    queue.push_yielded(c[8], turn);
    c[6].state.store(co_state::runnable);
    spill(c[6]);
    EXPECT_EQ(take(1, 1), (std::vector<std::uint64_t>{6}));
    EXPECT_EQ(take(8, 1), (std::vector<std::uint64_t>{5, 8}));
}

TEST_F(GlobalQueue, LeavesAShareForTheOtherProcessors) {
    for (coroutine& one : c) spill(one);
    EXPECT_EQ(take(8, 4), (std::vector<std::uint64_t>{0, 1, 2})) << "10 / 4 + 1";
    EXPECT_EQ(queue.size(), 7u);
}

TEST_F(GlobalQueue, GivesNoMoreThanThereIsRoomFor) {
    for (coroutine& one : c) spill(one);
    EXPECT_EQ(take(2, 1).size(), 2u);
    EXPECT_EQ(queue.size(), 8u);
}

TEST_F(GlobalQueue, AlwaysGivesAtLeastOneWhenThereIsOne) {
    spill(c[0]);
    EXPECT_EQ(take(8, 1000).size(), 1u);
}

}  // namespace
}  // namespace weft::detail
