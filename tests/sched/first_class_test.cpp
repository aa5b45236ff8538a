#include "sched/first_class.hpp"

#include <weft/detail/task.hpp>

#include <gtest/gtest.h>

namespace weft::detail {
namespace {

constexpr task_type a_type{};

TEST(FirstClasses, AreTheSmallestAtFirst) {
    const first_classes known;
    EXPECT_EQ(known.of(a_type), 0u);
    EXPECT_TRUE(known.learns(a_type, 0));
    EXPECT_FALSE(known.learns(a_type, 1));
}

TEST(FirstClasses, AreOneMoreAfterOneHasGrown) {
    first_classes known;
    known.learn(a_type, 0);
    EXPECT_EQ(known.of(a_type), 1u);
    EXPECT_TRUE(known.learns(a_type, 1));
    EXPECT_FALSE(known.learns(a_type, 0));
    known.learn(a_type, 0);  // One that had started before.
    EXPECT_EQ(known.of(a_type), 1u);
}

TEST(FirstClasses, AreTheSmallestForGoodWhenThatDoesNotHelp) {
    first_classes known;
    known.learn(a_type, 0);
    known.learn(a_type, 1);
    EXPECT_EQ(known.of(a_type), 0u);
    EXPECT_FALSE(known.learns(a_type, 0));
    known.learn(a_type, 0);
    EXPECT_EQ(known.of(a_type), 0u);
}

TEST(FirstClasses, OfLargerOnesNothingIsLearned) {
    const first_classes known;
    for (unsigned c = 2; c <= class_large; ++c) EXPECT_FALSE(known.learns(a_type, c));
}

}  // namespace
}  // namespace weft::detail
