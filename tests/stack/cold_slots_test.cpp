// Cold slots: which are taken first, and when the group of a page table is stripped.
#include "stack/cold_slots.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace weft::detail {
namespace {

constexpr unsigned log2_usual = 18;  // Eight in a group.
constexpr std::uint32_t in_group = 8;

class ColdSlots : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(slots.reserve(10 * in_group, log2_usual)); }
    ~ColdSlots() override { slots.release(); }

    void put(std::uint32_t from, std::uint32_t count) {
        for (std::uint32_t i = 0; i != count; ++i) slots.put(from + i);
    }
    // All there are; those that need a guard in `bare`.
    std::set<std::uint32_t> take_all() {
        std::set<std::uint32_t> taken;
        while (const auto one = slots.take()) {
            EXPECT_TRUE(taken.insert(one->number).second) << one->number;
            if (one->bare) bare.insert(one->number);
        }
        return taken;
    }
    void two_rounds() {
        slots.begin_round();
        slots.begin_round();
    }
    std::size_t strip_all(bool guards_have_gone = true) {
        std::size_t n = 0;
        for (; cold_slots::group* const g = slots.take_full(); ++n) {
            slots.stripped(*g, guards_have_gone);
        }
        return n;
    }

    cold_slots slots;
    std::set<std::uint32_t> bare;
};

TEST_F(ColdSlots, AreTakenOnceEach) {
    put(3, 20);
    const std::set<std::uint32_t> taken = take_all();
    EXPECT_EQ(taken.size(), 20u);
    EXPECT_EQ(*taken.begin(), 3u);
    EXPECT_EQ(*taken.rbegin(), 22u);
    EXPECT_TRUE(bare.empty());
    EXPECT_FALSE(slots.take());
}

TEST_F(ColdSlots, ThoseOfPartlyColdGroupsAreTakenFirst) {
    put(0, in_group);
    put(5 * in_group, 2);
    put(8 * in_group, in_group);
    EXPECT_EQ(slots.take()->number / in_group, 5u);
    EXPECT_EQ(slots.take()->number / in_group, 5u);
    EXPECT_EQ(slots.take()->number / in_group, 8u) << "of full ones the last";
    slots.put(0 + 5 * in_group);
    EXPECT_EQ(take_all().size(), 2 * in_group);
}

TEST_F(ColdSlots, AGroupIsStrippedWhenItWasFullForARound) {
    put(0, in_group);
    put(in_group, in_group - 1);
    EXPECT_EQ(slots.take_full(), nullptr) << "it may be wanted again at once";
    slots.begin_round();
    EXPECT_EQ(slots.take_full(), nullptr) << "not for a whole round yet";
    slots.begin_round();
    cold_slots::group* const g = slots.take_full();
    ASSERT_NE(g, nullptr);
    EXPECT_EQ(slots.offset_of(*g), 0u);
    EXPECT_EQ(slots.take_full(), nullptr) << "the other one is not full";
    EXPECT_EQ(take_all().size(), in_group - 1) << "nobody takes from what is being stripped";
    slots.stripped(*g, true);
    EXPECT_EQ(slots.take_full(), nullptr) << "once is enough";
    EXPECT_EQ(take_all().size(), in_group);
    EXPECT_EQ(bare.size(), in_group);
}

TEST_F(ColdSlots, AreBareUntilTheyAreTaken) {
    put(0, in_group);
    two_rounds();
    EXPECT_EQ(strip_all(), 1u);
    const auto one = slots.take();
    EXPECT_TRUE(one->bare);
    slots.put(one->number);  // With a guard.
    EXPECT_EQ(take_all().size(), in_group);
    EXPECT_EQ(bare.size(), in_group - 1);
    EXPECT_FALSE(bare.contains(one->number));
}

TEST_F(ColdSlots, KeepTheirGuardsWhereTheKernelKeepsThem) {
    put(0, in_group);
    two_rounds();
    EXPECT_EQ(strip_all(false), 1u);
    EXPECT_EQ(take_all().size(), in_group);
    EXPECT_TRUE(bare.empty());
}

TEST_F(ColdSlots, BareGroupsComeLast) {
    put(0, 2 * in_group);
    two_rounds();
    EXPECT_EQ(strip_all(), 2u);
    put(5 * in_group, in_group);
    for (std::uint32_t i = 0; i != in_group; ++i) EXPECT_EQ(slots.take()->number / in_group, 5u);
    EXPECT_EQ(take_all().size(), 2 * in_group);
}

TEST_F(ColdSlots, AGroupThatWasUsedAgainIsStrippedAgain) {
    for (int round = 0; round != 3; ++round) {
        put(0, in_group);
        two_rounds();
        EXPECT_EQ(strip_all(), 1u);
        EXPECT_EQ(take_all().size(), in_group);
    }
}

TEST(ColdSlotsOfOtherSizes, GroupsAreWhatOnePageTableSpans) {
    for (const auto& [log2, count] : {std::pair{14u, 128u}, {20u, 2u}, {21u, 1u}, {23u, 1u}}) {
        cold_slots slots;
        ASSERT_TRUE(slots.reserve(3 * count, log2));
        for (std::uint32_t i = 0; i != 3 * count; ++i) slots.put(i);
        slots.begin_round();
        slots.begin_round();
        std::set<std::size_t> offsets;
        while (cold_slots::group* const g = slots.take_full()) {
            offsets.insert(slots.offset_of(*g));
            slots.stripped(*g, true);
        }
        const std::size_t bytes = cold_slots::group_bytes(log2);
        EXPECT_EQ(bytes, std::size_t{count} << log2);
        EXPECT_EQ(offsets, (std::set<std::size_t>{0, bytes, 2 * bytes}));
        std::set<std::uint32_t> taken;
        while (const auto one = slots.take()) taken.insert(one->number);
        EXPECT_EQ(taken.size(), 3 * count);
        slots.release();
    }
}

}  // namespace
}  // namespace weft::detail
