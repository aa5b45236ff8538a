// An array that grows and shrinks by pages, without copying.
#include "mem/page_array.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::detail {
namespace {

using entry = std::array<std::uint64_t, 3>;
constexpr std::size_t small = std::size_t{192} * 1024;  // What is never worth giving back.

entry entry_of(std::size_t i) { return {i, i * i, ~i}; }

TEST(PageArray, HoldsNothingAtFirst) {
    page_array<entry> a;
    EXPECT_TRUE(a.empty());
    EXPECT_EQ(a.reserved_bytes(), 0u);
}

TEST(PageArray, KeepsWhatItHoldsAsItGrowsAndShrinks) {
    page_array<entry> a;
    const std::size_t count = 200'000;
    for (std::size_t i = 0; i != count; ++i) a.push_back(entry_of(i));
    ASSERT_EQ(a.size(), count);
    for (std::size_t i = 0; i != count; ++i) ASSERT_EQ(a[i], entry_of(i));
    for (std::size_t i = count; i-- != 1000;) {
        ASSERT_EQ(a.back(), entry_of(i));
        a.pop_back();
    }
    for (std::size_t i = 0; i != 1000; ++i) ASSERT_EQ(a[i], entry_of(i));
}

TEST(PageArray, GivesBackInSmallPiecesDownToTwiceOfWhatItHolds) {
    page_array<entry> a;
    for (std::size_t i = 0; i != 200'000; ++i) a.push_back(entry_of(i));
    while (!a.empty()) {
        const std::size_t before = a.reserved_bytes();
        a.pop_back();
        ASSERT_LE(before - a.reserved_bytes(), std::size_t{64} * 1024) << "in one call";
        if (before != a.reserved_bytes()) {
            ASSERT_GE(a.reserved_bytes(), 2 * a.size() * sizeof(entry)) << "room to grow again";
        }
        ASSERT_LE(a.reserved_bytes(), 2 * a.size() * sizeof(entry) + small);
    }
    for (std::size_t i = 0; i != 200'000; ++i) a.push_back(entry_of(i));
    EXPECT_EQ(a.back(), entry_of(199'999));
}

TEST(PageArray, ComesAndGoesAtOneSizeWithoutAskingTheKernel) {
    page_array<entry> a;
    for (std::size_t i = 0; i != 100'000; ++i) a.push_back(entry_of(i));
    while (a.size() > 20'000) a.pop_back();
    const std::size_t reserved = a.reserved_bytes();
    for (int round = 0; round != 1000; ++round) {
        for (int i = 0; i != 100; ++i) a.push_back(entry_of(1));
        for (int i = 0; i != 100; ++i) a.pop_back();
    }
    EXPECT_EQ(a.reserved_bytes(), reserved);
}

}  // namespace
}  // namespace weft::detail
