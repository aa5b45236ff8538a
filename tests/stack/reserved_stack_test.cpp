// Reserved stacks: what they cost before they are used, who gets which, and what notices an overflow.
#include "stack/reserved_stack.hpp"

#include "base/config.hpp"
#include "support/resident.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace weft::detail {
namespace {

constexpr unsigned log2_usual = 18;  // 256 KiB
constexpr unsigned log2_small = stack_store::log2_min;

// As in reserved_stack.cpp: free slots beyond this many give their pages back.
constexpr std::size_t free_resident_max = tiny_limits ? 4 : 16 * 1024;

std::uint64_t& word_at_top(stack_ref s) {
    return *reinterpret_cast<std::uint64_t*>(s.base() + s.size() - 8);
}

class StackStore : public ::testing::Test {
protected:
    ~StackStore() override {
        store.release([](void*) noexcept {});
    }
    stack_ref take(unsigned log2 = log2_usual) {
        const stack_ref s = store.take(log2);
        EXPECT_TRUE(s);
        return s;
    }
    stack_store store;
};

TEST(StackRef, KnowsItsPlaceAndSize) {
    EXPECT_FALSE(stack_ref());
    const stack_ref s(std::uintptr_t{1} << 30, 16);
    EXPECT_TRUE(s);
    EXPECT_EQ(s.log2_size(), 16u);
    EXPECT_EQ(s.size(), std::size_t{64} * 1024);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(s.base()), std::uintptr_t{1} << 30);
    EXPECT_EQ(s, stack_ref(std::uintptr_t{1} << 30, 16));
}

TEST_F(StackStore, AStackIsAlignedToItsSizeAndWritableAboveItsGuard) {
    for (const unsigned log2 : {log2_small, 16u, log2_usual, 23u}) {
        const stack_ref s = take(log2);
        EXPECT_EQ(s.size(), std::size_t{1} << log2);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(s.base()) % s.size(), 0u);
        std::byte* const lowest = s.base() + stack_store::guard_size(log2);
        *lowest = std::byte{1};
        s.base()[s.size() - 1] = std::byte{1};
        store.give(s);
    }
}

TEST_F(StackStore, TheGuardIsASixteenthWithinBounds) {
    EXPECT_EQ(stack_store::guard_size(14), page_size);
    EXPECT_EQ(stack_store::guard_size(17), 2 * page_size);
    EXPECT_EQ(stack_store::guard_size(18), 4 * page_size);
    EXPECT_EQ(stack_store::guard_size(20), 16 * page_size);
    EXPECT_EQ(stack_store::guard_size(30), 16 * page_size);
}

TEST_F(StackStore, ReservingTheArenaCostsAlmostNoMemory) {
    const std::size_t before = test::resident_bytes();
    const stack_ref s = take();
    EXPECT_LT(test::resident_bytes(), before + (std::size_t{1} << 20));
    EXPECT_EQ(store.bytes_in_use(), s.size());
    store.give(s);
    EXPECT_EQ(store.bytes_in_use(), 0u);
}

TEST_F(StackStore, TenThousandUntouchedStacksCostAlmostNoMemory) {
    const std::size_t before = test::resident_bytes();
    std::vector<stack_ref> all;
    std::set<std::byte*> bases;
    for (int i = 0; i != 10'000; ++i) {
        all.push_back(take());
        ASSERT_TRUE(bases.insert(all.back().base()).second);
    }
    if constexpr (!asan_build && !tsan_build) {
        EXPECT_LT(test::resident_bytes(), before + (std::size_t{8} << 20));
    }
    EXPECT_EQ(store.bytes_in_use(), all.size() << log2_usual);
    for (const stack_ref s : all) store.give(s);
}

TEST_F(StackStore, TheStackGivenLastIsTakenFirst) {
    const stack_ref a = take();
    const stack_ref b = take();
    store.give(a);
    store.give(b);
    EXPECT_EQ(take(), b);
    EXPECT_EQ(take(), a);
}

TEST_F(StackStore, SizesAreKeptApart) {
    const stack_ref small = take(log2_small);
    store.give(small);
    const stack_ref usual = take();
    EXPECT_EQ(usual.log2_size(), log2_usual);
    EXPECT_EQ(take(log2_small), small);
}

TEST_F(StackStore, NeighboursStartAtDifferentOffsetsOfTheirPages) {
    std::set<std::size_t> colours;
    for (int i = 0; i != 32; ++i) {
        const stack_ref s = take();
        const auto below_end = static_cast<std::size_t>(s.base() + s.size() - s.top());
        EXPECT_EQ(below_end % 64, 0u) << "a whole cache line, and aligned for the ABI";
        EXPECT_LT(below_end, std::size_t{32} * 64);
        colours.insert(below_end);
    }
    EXPECT_EQ(colours.size(), 32u);
}

TEST_F(StackStore, FreeStacksBeyondTheLimitGiveTheirPagesBack) {
    constexpr std::size_t beyond = 8;
    std::vector<stack_ref> all;
    for (std::size_t i = 0; i != free_resident_max + beyond; ++i) {
        all.push_back(take(log2_small));
        word_at_top(all.back()) = i + 1;
    }
    for (const stack_ref s : all) store.give(s);
    // Those that still have theirs come first.
    for (std::size_t i = 0; i != free_resident_max; ++i) {
        ASSERT_NE(word_at_top(take(log2_small)), 0u) << "stack " << i;
    }
    for (std::size_t i = 0; i != beyond; ++i) ASSERT_EQ(word_at_top(take(log2_small)), 0u);
}

TEST_F(StackStore, StacksThatLieFreeForLongGiveTheirPagesBack) {
    std::vector<stack_ref> all;
    for (int i = 0; i != 3; ++i) {
        all.push_back(take(log2_small));
        word_at_top(all.back()) = 1;
    }
    for (const stack_ref s : all) store.give(s);
    EXPECT_EQ(store.cool(), 0u) << "they have just been used";
    const stack_ref used = take(log2_small);
    EXPECT_EQ(word_at_top(used), 1u);
    store.give(used);
    EXPECT_EQ(store.cool(), 2 * used.size()) << "at most one was in use meanwhile";
    std::size_t with_pages = 0;
    for (int i = 0; i != 3; ++i) with_pages += word_at_top(take(log2_small));
    EXPECT_EQ(with_pages, 1u);
}

// Stacks of 64 page tables, used and given back, and then left alone until they are cold.
class StackStoreTables : public StackStore {
protected:
    static constexpr std::size_t groups = 64;
    static constexpr std::size_t count = groups * cold_slots::group_bytes(log2_usual) >> log2_usual;

    void use_and_give() {
        for (std::size_t i = 0; i != count; ++i) {
            all.push_back(take());
            word_at_top(all.back()) = 1;
        }
        for (const stack_ref s : all) store.give(s);
    }
    void let_cool() {
        while (store.cool() != 0 || store.cool() != 0) {}
    }

    std::vector<stack_ref> all;
};

TEST_F(StackStoreTables, AreShedOnceAllOfTheirStacksAreCold) {
    use_and_give();
    EXPECT_EQ(store.shed_tables(2 * groups), 0u) << "they still have their pages, or had just now";
    let_cool();
    EXPECT_EQ(store.shed_tables(10), 10u) << "so many at a time";
    EXPECT_EQ(store.shed_tables(2 * groups), groups - 10);
    EXPECT_EQ(store.shed_tables(2 * groups), 0u);
}

TEST_F(StackStoreTables, StayWhileOneOfTheirStacksIsInUse) {
    use_and_give();
    const stack_ref used = take();
    let_cool();
    EXPECT_EQ(store.shed_tables(2 * groups), groups - 1);
    word_at_top(used) = 2;
    EXPECT_EQ(word_at_top(used), 2u);
    store.give(used);
}

TEST_F(StackStoreTables, TheSameStacksServeAgainEmptyAndGuarded) {
    use_and_give();
    const bool guarded = store.guarded(all.front());
    let_cool();
    store.shed_tables(groups);
    std::set<std::byte*> before;
    for (const stack_ref s : all) before.insert(s.base());
    for (std::size_t i = 0; i != count; ++i) {
        const stack_ref s = take();
        ASSERT_EQ(before.erase(s.base()), 1u);
        ASSERT_EQ(word_at_top(s), 0u);
        ASSERT_EQ(store.guarded(s), guarded);
        ASSERT_TRUE(store.canary_intact(s));
        word_at_top(s) = 3;
    }
}

TEST_F(StackStoreTables, GoBackToTheKernel) {
    if (asan_build || tsan_build) GTEST_SKIP() << "a sanitizer has tables of its own";
    if (!test::kernel_takes_page_tables_back()) GTEST_SKIP() << "this kernel never does that";
    use_and_give();
    let_cool();
    const std::size_t before = test::page_table_bytes();
    store.shed_tables(groups);
    EXPECT_LE(test::page_table_bytes(), before - (groups - 2) * page_size);
}

TEST_F(StackStoreTables, WithoutGuardsTheyAreShedAsWell) {
    store.configure(true, log2_usual);
    use_and_give();
    let_cool();
    EXPECT_EQ(store.shed_tables(groups), groups);
    const stack_ref s = take();
    EXPECT_FALSE(store.guarded(s));
    EXPECT_TRUE(store.canary_intact(s));
    store.give(s);
}

TEST_F(StackStore, ANoteStaysWithAStackInUse) {
    const stack_ref s = take();
    const bool guarded = store.guarded(s);
    store.set_note(s, stack_store::note_limit - 1);
    EXPECT_EQ(store.note(s), stack_store::note_limit - 1);
    EXPECT_EQ(store.guarded(s), guarded);
    store.give(s);
    EXPECT_EQ(take(), s);
}

TEST_F(StackStore, ALargeStackGivesItsPagesBackAtOnce) {
    const stack_ref s = take(21);
    word_at_top(s) = 1;
    store.give(s);
    ASSERT_EQ(take(21), s);
    EXPECT_EQ(word_at_top(s), 0u);
}

TEST_F(StackStore, FindsTheStackOfAnAddress) {
    const stack_ref a = take();
    const stack_ref b = take();
    const auto base = reinterpret_cast<std::uintptr_t>(a.base());
    const std::size_t guard = stack_store::guard_size(log2_usual);

    EXPECT_EQ(store.find(base).stack, a);
    EXPECT_TRUE(store.find(base).in_guard);
    EXPECT_TRUE(store.find(base + guard - 1).in_guard);
    EXPECT_FALSE(store.find(base + guard).in_guard);
    EXPECT_EQ(store.find(base + a.size() - 1).stack, a);
    EXPECT_EQ(store.find(reinterpret_cast<std::uintptr_t>(b.base())).stack, b);
}

TEST_F(StackStore, FindsNothingElsewhere) {
    int local = 0;
    EXPECT_FALSE(store.find(reinterpret_cast<std::uintptr_t>(&local)).stack);
    const stack_ref s = take();
    EXPECT_FALSE(store.find(reinterpret_cast<std::uintptr_t>(&local)).stack);
    const std::size_t gap = cold_slots::group_bytes(log2_usual);
    EXPECT_FALSE(store.find(reinterpret_cast<std::uintptr_t>(s.base()) - gap - 1).stack);
    EXPECT_FALSE(store.find(0).stack);
}

TEST_F(StackStore, TheGapBelowTheArenaCountsAsTheGuardOfItsFirstSlot) {
    const stack_ref first = take();
    const auto base = reinterpret_cast<std::uintptr_t>(first.base());
    EXPECT_EQ(store.find(base - 1).stack, first);
    EXPECT_TRUE(store.find(base - 1).in_guard);
    EXPECT_TRUE(store.find(base - cold_slots::group_bytes(log2_usual)).in_guard);
}

TEST_F(StackStore, CanBeUsedAgainAfterRelease) {
    word_at_top(take()) = 1;
    store.release([](void*) noexcept {});
    const stack_ref s = take();
    EXPECT_EQ(word_at_top(s), 0u);
}

TEST_F(StackStore, NothingIsInUseAfterReleaseAlsoWhatWasNotGivenBack) {
    static_cast<void>(take());
    static_cast<void>(take(log2_small));
    store.release([](void*) noexcept {});
    EXPECT_EQ(store.bytes_in_use(), 0u);
}

TEST_F(StackStore, WithoutGuardsTheLowestWordTells) {
    store.configure(true, stack_store::log2_min);
    const stack_ref s = take();
    EXPECT_TRUE(store.canary_intact(s));
    *reinterpret_cast<std::uint64_t*>(s.base()) = 1;  // Without a guard this goes through.
    EXPECT_FALSE(store.canary_intact(s));
    *reinterpret_cast<std::uint64_t*>(s.base()) = 0;
    store.give(s);
}

using StackStoreDeathTest = StackStore;

TEST_F(StackStoreDeathTest, TouchingTheGuardFaults) {
    const stack_ref s = take();
    if (!store.guarded(s)) GTEST_SKIP() << "the kernel has no light guards";
    EXPECT_TRUE(store.canary_intact(s));
    volatile std::byte* const base = s.base();
    const std::size_t guard = stack_store::guard_size(log2_usual);
    EXPECT_DEATH(base[guard - 1] = std::byte{1}, "");
    EXPECT_DEATH(base[0] = std::byte{1}, "");
    base[guard] = std::byte{1};
}

TEST_F(StackStoreDeathTest, TheGuardIsStillThereOnReuse) {
    const stack_ref s = take(21);
    if (!store.guarded(s)) GTEST_SKIP() << "the kernel has no light guards";
    store.give(s);  // Its pages are discarded.
    ASSERT_EQ(take(21), s);
    volatile std::byte* const base = s.base();
    EXPECT_DEATH(base[0] = std::byte{1}, "");
}

TEST_F(StackStoreDeathTest, TheGuardIsThereAgainAfterThePageTableWasShed) {
    const stack_ref s = take(21);
    if (!store.guarded(s)) GTEST_SKIP() << "the kernel has no light guards";
    store.give(s);
    store.cool();
    ASSERT_EQ(store.shed_tables(1), 0u) << "not for a whole round yet";
    store.cool();
    ASSERT_EQ(store.shed_tables(1), 1u);
    ASSERT_EQ(take(21), s);
    volatile std::byte* const base = s.base();
    EXPECT_DEATH(base[0] = std::byte{1}, "");
    EXPECT_TRUE(base[s.size() - 1] == std::byte{0});
}

}  // namespace
}  // namespace weft::detail
