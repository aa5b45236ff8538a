// The collected heap, without the runtime: allocation, lookup, sweeping, and memory given back. A
// collection is done by hand.
#include "gc/heap/heap.hpp"

#include "base/config.hpp"
#include "base/random.hpp"
#include "gc/heap_driver.hpp"
#include "support/resident.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include <sys/resource.h>

namespace weft::detail {

struct gc_type {
    int number;
};

namespace {

using test::allocate;
using test::allocate_slot;
using test::exists;
using test::word_of;

constexpr gc_type some_type{1};

bool reads_zero(const void* memory, std::size_t bytes) {
    const auto* const first = static_cast<const unsigned char*>(memory);
    return std::all_of(first, first + bytes, [](unsigned char byte) { return byte == 0; });
}

class Heap : public ::testing::Test {
protected:
    Heap() {
        poison_free_slots = false;
        EXPECT_TRUE(open_heap());
        heap = make_local_heap();
        heaps.push_back(heap);
    }
    ~Heap() override {
        for (local_heap* const each : heaps) give_local_heap(*each);
        finish_sweep();
        close_heap();
        poison_free_slots = false;
    }

    local_heap& another() {
        heaps.push_back(make_local_heap());
        return *heaps.back();
    }
    void collect(const std::vector<void*>& reachable = {}) {
        std::vector<void*> copy = reachable;
        test::collect(mark, heaps, copy);
    }
    /// Also sweeps.
    void collect_all(const std::vector<void*>& reachable = {}) {
        collect(reachable);
        finish_sweep();
    }
    std::vector<void*> take(std::size_t count, std::size_t bytes, gc_kind kind = gc_kind::scanned) {
        std::vector<void*> objects(count);
        for (void*& object : objects) object = allocate(*heap, bytes, kind);
        return objects;
    }

    local_heap* heap;
    std::vector<local_heap*> heaps;
    marker mark;
};

TEST(GcLayouts, EachSizeGoesToTheSmallestSlotThatHoldsIt) {
    for (std::size_t bytes = 0; bytes <= gc_small_max; ++bytes) {
        const unsigned fits = gc_size_class(bytes);
        ASSERT_LT(fits, gc_size_classes);
        EXPECT_GE(gc_slot_sizes[fits], bytes);
        if (fits != 0) {
            EXPECT_LT(gc_slot_sizes[fits - 1], bytes);
        }
    }
}

TEST(GcLayouts, TheReciprocalDividesEachOffset) {
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        const layout_info& info = info_of(layout);
        EXPECT_EQ(info.slot_size, gc_slot_size(layout));
        EXPECT_LE(info.slots, span_slots_max);
        for (std::uint64_t offset = 0; offset <= info.span_size(); ++offset) {
            ASSERT_EQ((offset * info.reciprocal) >> 32, offset / info.slot_size);
        }
    }
}

TEST(GcLayouts, AThreadWithoutAHeapHasNoFreeSlot) {
    EXPECT_EQ(this_thread_block()->heap.load(), &gc_no_heap);
    for (const gc_run& run : gc_no_heap.runs) {
        EXPECT_EQ(run.cursor.load(), nullptr);
        EXPECT_EQ(run.end.load(), nullptr);
    }
}

TEST(GcArena, NoWordPointsIntoAHeapThatIsNotOpen) {
    object_ref found;
    for (const std::uintptr_t word :
         {std::uintptr_t{0}, std::uintptr_t{1} << 40, ~std::uintptr_t{0}}) {
        EXPECT_FALSE(in_arena(word));
        EXPECT_FALSE(find_object(word, found));
    }
}

TEST(GcArena, OpensAndClosesAnyNumberOfTimes) {
    for (int i = 0; i != 5; ++i) {
        ASSERT_TRUE(open_heap());
        ASSERT_TRUE(open_heap());
        local_heap* const heap = make_local_heap();
        void* const object = allocate(*heap, 100);
        EXPECT_TRUE(in_arena(word_of(object)));
        EXPECT_TRUE(reads_zero(object, 100));
        std::memset(object, 1, 100);
        EXPECT_NE(allocate(*heap, 100'000), nullptr);
        give_local_heap(*heap);
        close_heap();
        EXPECT_FALSE(in_arena(word_of(object)));
        EXPECT_EQ(mapped_bytes(), 0u);
        EXPECT_EQ(heap_bytes(), 0u);
    }
}

TEST_F(Heap, EachByteOfAnObjectLeadsToIt) {
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        for (int i = 0; i != 3; ++i) {
            auto* const object = static_cast<std::byte*>(allocate_slot(*heap, layout));
            object_ref found;
            for (std::size_t byte = 0; byte != gc_slot_size(layout); ++byte) {
                ASSERT_TRUE(find_object(word_of(object + byte), found));
                ASSERT_EQ(found.base, object);
                ASSERT_EQ(found.size, gc_slot_size(layout));
            }
            EXPECT_EQ(static_cast<unsigned>(found.kind()), layout % gc_kinds);
            EXPECT_EQ(found.entry - small_entry, layout);
            EXPECT_FALSE(found.is_large());
            EXPECT_TRUE(is_in_use(found));
            EXPECT_FALSE(is_marked(found));
            EXPECT_EQ(object_end(found), object + gc_slot_size(layout));
            EXPECT_EQ(reinterpret_cast<std::byte*>(&trailer_of(found)),
                      object + gc_slot_size(layout) - 16);
        }
    }
}

TEST_F(Heap, NothingLeadsToWhatIsLeftOfASpan) {
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        const layout_info& info = info_of(layout);
        void* const object = allocate_slot(*heap, layout);
        object_ref found;
        ASSERT_TRUE(find_object(word_of(object), found));
        const std::uintptr_t span = word_of(arena.address_of(found.page));
        std::size_t led = 0;
        for (std::size_t offset = 0; offset != info.span_size(); ++offset) {
            led += find_object(span + offset, found) ? 1 : 0;
        }
        EXPECT_EQ(led, std::size_t{info.slots} * info.slot_size);
    }
    object_ref found;
    EXPECT_FALSE(find_object(arena.base - 1, found));
    EXPECT_FALSE(find_object(arena.base + arena.size, found));
    EXPECT_FALSE(find_object(arena.base + arena.size - 1, found)) << "a page that was never used";
    EXPECT_FALSE(find_object(word_of(&found), found));
}

TEST_F(Heap, ObjectsAreAlignedAsTheirSizeAllows) {
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        const std::size_t size = gc_slot_size(layout);
        for (int i = 0; i != 10; ++i) {
            EXPECT_EQ(word_of(allocate_slot(*heap, layout)) % (size & -size), 0u);
        }
    }
}

TEST_F(Heap, NoSlotIsGivenTwice) {
    std::set<void*> seen;
    for (int round = 0; round != 50; ++round) {
        for (unsigned layout = 0; layout != gc_layouts; ++layout) {
            for (int i = 0; i != 20; ++i) {
                EXPECT_TRUE(seen.insert(allocate_slot(*heap, layout)).second);
            }
        }
    }
}

TEST_F(Heap, TheInlineAllocationTakesTheNextSlotOfTheRun) {
    thread_block* const block = this_thread_block();
    block->heap = heap;
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        auto* const first = static_cast<std::byte*>(refill(*heap, layout));
        const std::size_t size = gc_slot_size(layout);
        const gc_run& run = heap->runs[layout];
        ASSERT_EQ(run.cursor.load(), first + size);
        for (std::byte* next = first + size; next != run.end.load(); next += size) {
            ASSERT_EQ(gc_allocate(layout, size), next);
            ASSERT_EQ(run.cursor.load(), next + size);
        }
        // There the slow path would begin.
        EXPECT_EQ(run.cursor.load(), run.end.load());
    }
    block->heap = &gc_no_heap;
}

TEST_F(Heap, MemoryReadsZeroAlsoWhenItHasBeenUsed) {
    for (const bool poisoned : {false, true}) {
        poison_free_slots = poisoned;
        for (int round = 0; round != 4; ++round) {
            for (unsigned layout = 0; layout != gc_layouts; ++layout) {
                const std::size_t size = gc_slot_size(layout);
                std::vector<void*> kept;
                for (std::size_t i = 0; i != 100'000 / size + 5; ++i) {
                    void* const object = allocate_slot(*heap, layout);
                    ASSERT_TRUE(reads_zero(object, size));
                    std::memset(object, 0xff, size);
                    // Not so that it looks like a destructor.
                    std::memset(static_cast<std::byte*>(object) + size - 16, 0, 8);
                }
            }
            for (const std::size_t bytes : {8193u, 20'000u, 300'000u, 3'000'000u}) {
                void* const object = allocate(*heap, bytes, gc_kind::pointer_free);
                ASSERT_TRUE(reads_zero(object, bytes));
                std::memset(object, 0xff, bytes);
            }
            collect();
        }
    }
}

TEST_F(Heap, WhatIsReachableStaysAndTheRestIsFree) {
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        std::vector<void*> objects;
        for (int i = 0; i != 1000; ++i) objects.push_back(allocate_slot(*heap, layout));
        std::vector<void*> kept;
        for (std::size_t i = 0; i < objects.size(); i += 7) kept.push_back(objects[i]);
        collect_all(kept);
        for (std::size_t i = 0; i != objects.size(); ++i) {
            ASSERT_EQ(exists(objects[i]), i % 7 == 0) << layout << ' ' << i;
        }
        EXPECT_EQ(mark.objects(), kept.size());
        EXPECT_EQ(mark.bytes(), kept.size() * gc_slot_size(layout));
    }
}

TEST_F(Heap, FreeSlotsAreUsedAgain) {
    const auto objects = take(100'000, 64);
    const std::size_t before = mapped_bytes();
    for (int round = 0; round != 20; ++round) {
        collect();
        take(100'000, 64);
    }
    EXPECT_LE(mapped_bytes(), 2 * before + (std::size_t{4} << 20));
}

TEST_F(Heap, SlotsBetweenReachableOnesAreUsedAgain) {
    const auto objects = take(100'000, 64);
    std::vector<void*> kept;
    for (std::size_t i = 0; i < objects.size(); i += 2) kept.push_back(objects[i]);
    collect_all(kept);
    const std::size_t before = mapped_bytes();
    std::set<void*> seen(kept.begin(), kept.end());
    for (void* const object : take(40'000, 64)) EXPECT_TRUE(seen.insert(object).second);
    EXPECT_EQ(mapped_bytes(), before);
}

TEST_F(Heap, APointerIntoTheMiddleKeepsAnObject) {
    const auto objects = take(100, 256);
    std::vector<void*> inner;
    for (std::size_t i = 0; i != 50; ++i) {
        inner.push_back(static_cast<std::byte*>(objects[i]) + i * 5);
    }
    collect_all(inner);
    for (std::size_t i = 0; i != 100; ++i) EXPECT_EQ(exists(objects[i]), i < 50);
}

// ---------------------------------------------------------------- cycles, step by step

TEST_F(Heap, WhatIsAllocatedWhileMarkingStaysForThisCycle) {
    void* const before = allocate(*heap, 64);
    begin_black(*heap);
    const auto during = take(10'000, 64);
    mark.begin();
    EXPECT_FALSE(mark.drain(SIZE_MAX));
    for (void* const object : during) {
        object_ref found;
        ASSERT_TRUE(find_object(word_of(object), found));
        EXPECT_TRUE(is_marked(found));
    }
    test::end_marking(heaps);
    finish_sweep();
    EXPECT_FALSE(exists(before));
    for (void* const object : during) EXPECT_TRUE(exists(object));
    collect_all();
    for (void* const object : during) EXPECT_FALSE(exists(object));
}

TEST_F(Heap, ARunGoesOnThroughTheWholeCycle) {
    // One object per step: each comes from the same run, or the next, and none twice.
    std::set<void*> seen;
    const auto one = [&] {
        for (unsigned layout = 0; layout != gc_layouts; ++layout) {
            EXPECT_TRUE(seen.insert(allocate_slot(*heap, layout)).second);
        }
    };
    for (int cycle = 0; cycle != 5; ++cycle) {
        one();
        finish_sweep();
        one();
        begin_black(*heap);
        one();
        mark.begin();
        for (void* const object : seen) mark.grey(word_of(object));
        EXPECT_FALSE(mark.drain(SIZE_MAX));
        one();
        advance_epoch();
        one();
        end_cycle(*heap);
        one();
        start_sweep();
        one();
    }
    for (void* const object : seen) EXPECT_TRUE(exists(object));
}

TEST_F(Heap, AHeapThatAnswersLateGoesOnBlackAndItsObjectsStay) {
    local_heap& late = another();
    std::vector<void*> garbage = take(5000, 64);
    for (int i = 0; i != 5000; ++i) garbage.push_back(allocate(late, 64));
    finish_sweep();
    begin_black(*heap);
    begin_black(late);
    mark.begin();
    EXPECT_FALSE(mark.drain(SIZE_MAX));
    advance_epoch();
    end_cycle(*heap);
    std::vector<void*> early_objects;
    std::vector<void*> late_objects;
    for (int i = 0; i != 5000; ++i) {
        early_objects.push_back(allocate(*heap, 64));
        late_objects.push_back(allocate(late, 64));
    }
    late_objects.push_back(allocate(late, 50'000));
    early_objects.push_back(allocate(*heap, 50'000));
    end_cycle(late);
    start_sweep();
    finish_sweep();
    for (void* const object : late_objects) ASSERT_TRUE(exists(object));
    for (void* const object : early_objects) ASSERT_TRUE(exists(object));
    const std::set<void*> reused(early_objects.begin(), early_objects.end());
    for (void* const object : garbage) {
        if (!reused.contains(object)) {
            EXPECT_FALSE(exists(object));
        }
    }
    // No N bit has outlived the cycle: nothing is reachable now, so everything goes.
    collect_all();
    for (void* const object : late_objects) EXPECT_FALSE(exists(object));
    for (void* const object : early_objects) EXPECT_FALSE(exists(object));
}

TEST_F(Heap, ASpanTakenJustBeforeTheEpochMovesIsSweptByItsHeap) {
    auto objects = take(20'000, 64);
    std::vector<void*> kept;
    for (std::size_t i = 0; i < objects.size(); i += 2) kept.push_back(objects[i]);
    collect_all(kept);
    // The central list has spans with room now; the other heap takes one.
    local_heap& other = another();
    void* const mine = allocate(other, 64);
    finish_sweep();
    for (local_heap* const each : heaps) begin_black(*each);
    mark.begin();
    EXPECT_FALSE(mark.drain(SIZE_MAX));
    test::end_marking(heaps);
    finish_sweep();
    EXPECT_FALSE(exists(mine)) << "it was allocated white, and nothing points to it";
    for (void* const object : kept) EXPECT_FALSE(exists(object));
}

TEST_F(Heap, AHeapThatIsStillBlackTakesNoSpanOfTheNewEpoch) {
    local_heap* const brief = make_local_heap();
    finish_sweep();
    begin_black(*heap);
    begin_black(*brief);
    mark.begin();
    EXPECT_FALSE(mark.drain(SIZE_MAX));
    advance_epoch();
    end_cycle(*brief);
    void* const white = allocate(*brief, 64);
    give_local_heap(*brief);  // Its span has room, and is swept.
    std::vector<void*> black;
    object_ref theirs;
    ASSERT_TRUE(find_object(word_of(white), theirs));
    for (int i = 0; i != 2000; ++i) {
        black.push_back(allocate(*heap, 64));
        object_ref mine;
        ASSERT_TRUE(find_object(word_of(black.back()), mine));
        ASSERT_NE(mine.page, theirs.page);
    }
    end_cycle(*heap);
    start_sweep();
    finish_sweep();
    EXPECT_TRUE(exists(white));
    for (void* const object : black) ASSERT_TRUE(exists(object));
    collect_all();
    for (void* const object : black) ASSERT_FALSE(exists(object)) << "an N bit outlived the cycle";
}

TEST_F(Heap, ASpanGivenBackWithTheOldEpochIsNotTakenBeforeItIsSwept) {
    local_heap* const late = make_local_heap();
    finish_sweep();
    begin_black(*heap);
    begin_black(*late);
    void* const black = allocate(*late, 64);
    mark.begin();
    EXPECT_FALSE(mark.drain(SIZE_MAX));
    advance_epoch();
    end_cycle(*heap);
    give_local_heap(*late);
    object_ref theirs;
    ASSERT_TRUE(find_object(word_of(black), theirs));
    for (int i = 0; i != 2000; ++i) {
        object_ref mine;
        ASSERT_TRUE(find_object(word_of(allocate(*heap, 64)), mine));
        ASSERT_NE(mine.page, theirs.page);
    }
    start_sweep();
    finish_sweep();
    EXPECT_TRUE(exists(black));
}

TEST_F(Heap, EpochsGoRound) {
    std::vector<void*> kept = take(3000, 48);
    kept.push_back(allocate(*heap, 30'000));
    std::set<std::uint8_t> epochs;
    for (int cycle = 0; cycle != 600; ++cycle) {
        epochs.insert(present_epoch());
        void* const dead = allocate(*heap, 48);
        void* const large = allocate(*heap, 30'000);
        collect_all(kept);
        ASSERT_FALSE(exists(dead));
        ASSERT_FALSE(exists(large));
    }
    EXPECT_EQ(epochs.size(), 255u);
    EXPECT_FALSE(epochs.contains(sweep_busy));
    for (void* const object : kept) EXPECT_TRUE(exists(object));
}

TEST_F(Heap, AllocationSweepsAFewSpansAtATime) {
    const auto objects = take(200'000, 64);
    collect();
    // Each refill may sweep 16; so after a few there is still much to do.
    for (int i = 0; i != 3; ++i) {
        void* const slot = refill(*heap, gc_layout(64, gc_kind::scanned));
        ASSERT_NE(slot, nullptr);
    }
    std::size_t unswept = 0;
    for (void* const object : objects) {
        object_ref found;
        if (!find_object(word_of(object), found)) continue;
        unswept += arena.record_of(found.page).epoch.load() != present_epoch() ? 1 : 0;
    }
    EXPECT_GE(unswept, objects.size() - 4 * 16 * 512);
    EXPECT_GT(unswept, 0u);
}

TEST_F(Heap, SweepSomeKeepsToItsBudget) {
    const auto objects = take(20'000, 64);
    const std::set<void*> all(objects.begin(), objects.end());
    collect(objects);
    const auto due = [&] {
        std::set<page_number> pages;
        for (void* const object : objects) {
            object_ref found;
            if (find_object(word_of(object), found) &&
                arena.record_of(found.page).epoch.load() != present_epoch()) {
                pages.insert(found.page);
            }
        }
        return pages.size();
    };
    std::size_t left = due();
    while (left != 0) {
        const bool more = sweep_some(4);
        const std::size_t now = due();
        EXPECT_LE(left - now, 4u);
        ASSERT_TRUE(more || now == 0);
        left = now;
    }
    while (sweep_some(4)) {}
    EXPECT_FALSE(sweep_some(1000));
}

TEST_F(Heap, ManySweepTogetherAndEachSpanIsSweptOnce) {
    for (int round = 0; round != 3; ++round) {
        std::vector<void*> objects = take(tiny_limits || tsan_build ? 30'000 : 300'000, 64);
        for (int i = 0; i != 200; ++i) objects.push_back(allocate(*heap, 10'000));
        std::vector<void*> kept;
        for (std::size_t i = 0; i != objects.size(); ++i) {
            if (i % 3 == 0 && i % 100'000 < 50'000) kept.push_back(objects[i]);
        }
        const std::set<void*> live(kept.begin(), kept.end());
        collect(kept);
        std::vector<std::thread> sweepers;
        for (unsigned i = 0; i != 4; ++i) {
            sweepers.emplace_back([i] {
                while (sweep_some(i == 0 ? 4 : i == 1 ? 16 : 100)) {}
            });
        }
        for (auto& sweeper : sweepers) sweeper.join();
        finish_sweep();
        for (void* const object : objects) ASSERT_EQ(exists(object), live.contains(object));
        // Each free slot is found once: by number and by address.
        std::set<void*> seen = live;
        for (void* const object : take(objects.size(), 64)) {
            ASSERT_TRUE(seen.insert(object).second);
        }
        collect_all();
        EXPECT_LE(heap_bytes(), std::size_t{32} * 1024 * 2) << "all but the current spans";
    }
}

TEST_F(Heap, ASweepIsFinishedWhenEachSweeperIsDone) {
    // Filling it with poison takes a while.
    poison_free_slots = true;
    void* const large = allocate(*heap, std::size_t{48} << 20, gc_kind::pointer_free);
    object_ref object;
    ASSERT_TRUE(find_object(word_of(large), object));
    collect();
    std::thread sweeper([] {
        while (sweep_some(4)) {}
    });
    const std::atomic<std::uint8_t>& epoch = arena.record_of(object.page).epoch;
    while (epoch.load() != sweep_busy && epoch.load() != present_epoch()) {}
    finish_sweep();
    EXPECT_EQ(epoch.load(), present_epoch());
    EXPECT_FALSE(exists(large));
    sweeper.join();
}

// ---------------------------------------------------------------- several heaps

TEST_F(Heap, AnotherHeapUsesWhatOneHasFreed) {
    const auto objects = take(100'000, 64);
    std::vector<void*> kept;
    for (std::size_t i = 0; i < objects.size(); i += 2) kept.push_back(objects[i]);
    collect_all(kept);
    local_heap& other = another();
    const std::size_t before = mapped_bytes();
    std::set<void*> seen(kept.begin(), kept.end());
    for (int i = 0; i != 40'000; ++i) {
        ASSERT_TRUE(seen.insert(allocate(other, 64)).second);
    }
    EXPECT_EQ(mapped_bytes(), before);
}

TEST_F(Heap, AHeapThatIsGivenBackLeavesItsSlotsToOthers) {
    std::set<void*> seen;
    for (int round = 0; round != 1000; ++round) {
        local_heap* const brief = make_local_heap();
        for (unsigned layout = 0; layout < gc_layouts; layout += 5) {
            void* const object = allocate_slot(*brief, layout);
            ASSERT_TRUE(reads_zero(object, gc_slot_size(layout)));
            ASSERT_TRUE(seen.insert(object).second);
        }
        give_local_heap(*brief);
    }
    // 16 layouts, and most spans have room for many: a span each per thousand rounds would be 500
    // MB.
    EXPECT_LE(mapped_bytes(), std::size_t{64} << 20);
}

TEST_F(Heap, AHeapThatIsGivenBackWhileMarkingLeavesNothingBehind) {
    finish_sweep();
    local_heap* const brief = make_local_heap();
    begin_black(*heap);
    begin_black(*brief);
    std::set<void*> seen;
    for (int i = 0; i != 10; ++i) seen.insert(allocate(*brief, 64));
    give_local_heap(*brief);
    for (int i = 0; i != 10'000; ++i) {
        ASSERT_TRUE(seen.insert(allocate(*heap, 64)).second);
    }
    mark.begin();
    EXPECT_FALSE(mark.drain(SIZE_MAX));
    test::end_marking(heaps);
    finish_sweep();
    for (void* const object : seen) EXPECT_TRUE(exists(object));
    collect_all();
    for (void* const object : seen) EXPECT_FALSE(exists(object));
    EXPECT_LE(heap_bytes(), std::size_t{32} * 1024);
}

TEST_F(Heap, LocalHeapsAreUsedAgain) {
    std::set<local_heap*> seen;
    for (int i = 0; i != 100; ++i) {
        std::vector<local_heap*> some;
        for (int k = 0; k != 40; ++k) some.push_back(make_local_heap());
        for (local_heap* const each : some) {
            EXPECT_EQ(word_of(each) % cache_line, 0u);
            seen.insert(each);
            give_local_heap(*each);
        }
    }
    EXPECT_EQ(seen.size(), 40u);
}

// ---------------------------------------------------------------- large objects

TEST_F(Heap, EachByteOfALargeObjectLeadsToIt) {
    for (const std::size_t bytes :
         {8193u, 8200u, 16'384u, 16'385u, 100'000u, 262'144u, 262'145u, 1'000'000u, 5'000'000u}) {
        for (unsigned kind = 0; kind != gc_kinds; ++kind) {
            auto* const object =
                static_cast<std::byte*>(allocate(*heap, bytes, static_cast<gc_kind>(kind)));
            ASSERT_NE(object, nullptr);
            EXPECT_EQ(word_of(object) % 4096, 0u);
            object_ref found;
            for (std::size_t byte = 0; byte < bytes; byte += byte + 1 < bytes ? 1021 : 1) {
                ASSERT_TRUE(find_object(word_of(object + byte), found));
                ASSERT_EQ(found.base, object);
            }
            ASSERT_TRUE(find_object(word_of(object + bytes - 1), found));
            EXPECT_EQ(found.base, object);
            EXPECT_GE(found.size, bytes);
            EXPECT_LT(found.size, bytes + 16);
            EXPECT_EQ(found.size % 16, 0u);
            EXPECT_TRUE(found.is_large());
            EXPECT_EQ(static_cast<unsigned>(found.kind()), kind);
            EXPECT_TRUE(is_in_use(found));
        }
    }
}

TEST_F(Heap, LargeObjectsLieApartAndAreFreed) {
    random_source random(3);
    for (int round = 0; round != 5; ++round) {
        std::map<std::uintptr_t, std::size_t> extents;
        std::vector<void*> kept;
        for (int i = 0; i != 300; ++i) {
            const std::size_t bytes = 8193 + random.below(600'000);
            void* const object = allocate(*heap, bytes, gc_kind::pointer_free);
            ASSERT_TRUE(reads_zero(object, bytes));
            std::memset(object, 0xee, bytes);
            const auto after = extents.lower_bound(word_of(object));
            if (after != extents.end()) {
                ASSERT_LE(word_of(object) + bytes, after->first);
            }
            if (after != extents.begin()) {
                const auto before = std::prev(after);
                ASSERT_LE(before->first + before->second, word_of(object));
            }
            extents.emplace(word_of(object), bytes);
            if (i % 5 == 0) kept.push_back(static_cast<std::byte*>(object) + bytes - 1);
        }
        const std::size_t before = heap_bytes();
        collect_all(kept);
        EXPECT_LT(heap_bytes(), before / 2);
        for (void* const inner : kept) EXPECT_TRUE(exists(inner));
        collect_all();
    }
    EXPECT_LE(heap_bytes(), std::size_t{32} * 1024 * 3);
    EXPECT_LE(mapped_bytes(), std::size_t{400} << 20) << "pages of dead ones are used again";
}

TEST_F(Heap, AllocationOfWhatNoArenaHoldsFails) {
    EXPECT_EQ(allocate(*heap, arena.size + 1), nullptr);
    EXPECT_EQ(allocate(*heap, SIZE_MAX), nullptr);
    EXPECT_EQ(allocate(*heap, SIZE_MAX - 15), nullptr);
    EXPECT_NE(allocate(*heap, 100), nullptr);
}

// ---------------------------------------------------------------- destructors

class DeadObjects : public Heap {
protected:
    std::vector<void*> dead() {
        std::vector<void*> found;
        for_each_dead_destructible([&](const object_ref& object) {
            EXPECT_EQ(object.kind(), gc_kind::destructible);
            EXPECT_EQ(trailer_of(object).type, &some_type);
            object_ref again;
            EXPECT_TRUE(find_object(word_of(object.base), again));
            EXPECT_EQ(again.bit, object.bit);
            EXPECT_EQ(again.words, object.words);
            EXPECT_EQ(again.size, object.size);
            found.push_back(object.base);
        });
        std::sort(found.begin(), found.end());
        return found;
    }
    void* make(std::size_t bytes, bool constructed = true) {
        void* const memory = allocate(*heap, bytes, gc_kind::destructible);
        object_ref object;
        EXPECT_TRUE(find_object(word_of(memory), object));
        if (constructed) trailer_of(object) = {&some_type, 1};
        return memory;
    }
    void mark_from(const std::vector<void*>& roots) {
        finish_sweep();
        for (local_heap* const each : heaps) begin_black(*each);
        mark.begin();
        for (void* const root : roots) mark.grey(word_of(root));
        EXPECT_FALSE(mark.drain(SIZE_MAX));
    }
};

TEST_F(DeadObjects, AreThoseUnreachedWithATypeAndNoOthers) {
    std::vector<void*> expected;
    std::vector<void*> kept;
    for (const std::size_t bytes : {32u, 48u, 100u, 1000u, 8192u, 9000u, 500'000u}) {
        for (int i = 0; i != 40; ++i) {
            expected.push_back(make(bytes));
            kept.push_back(make(bytes));
            make(bytes, false);
            allocate(*heap, bytes, gc_kind::scanned);
        }
    }
    mark_from(kept);
    for (int i = 0; i != 100; ++i) make(48);  // Black.
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(dead(), expected);
    EXPECT_EQ(dead(), expected);
    for (void* const object : expected) EXPECT_TRUE(mark.grey(word_of(object)));
    EXPECT_TRUE(dead().empty()) << "they have been revived";
    EXPECT_FALSE(mark.drain(SIZE_MAX));
    test::end_marking(heaps);
    finish_sweep();
    for (void* const object : expected) EXPECT_TRUE(exists(object));
}

TEST_F(DeadObjects, ThoseThatTheVisitorMarksAreNotVisited) {
    std::vector<void*> objects;
    for (int i = 0; i != 100; ++i) objects.push_back(make(48));
    mark_from({});
    std::size_t visits = 0;
    for_each_dead_destructible([&](const object_ref&) {
        ++visits;
        for (void* const object : objects) mark.grey(word_of(object));
    });
    EXPECT_EQ(visits, 1u);
    EXPECT_FALSE(mark.drain(SIZE_MAX));
    test::end_marking(heaps);
}

TEST_F(DeadObjects, AreNotMadeUpByPoison) {
    poison_free_slots = true;
    for (int round = 0; round != 3; ++round) {
        for (int i = 0; i != 1000; ++i) make(48, false);
        mark_from({});
        EXPECT_TRUE(dead().empty());
        test::end_marking(heaps);
        finish_sweep();
    }
}

TEST_F(DeadObjects, AreCountedByChunk) {
    for (int i = 0; i != 2000; ++i) make(48, false);
    make(1'000'000, false);
    std::size_t spans = 0;
    for (std::uint32_t c = 0; c != chunks_in_use(); ++c) {
        spans += arena.chunks.get()[c].destructible.load();
    }
    EXPECT_GT(spans, 2u);
    collect_all();
    spans = 0;
    for (std::uint32_t c = 0; c != chunks_in_use(); ++c) {
        spans += arena.chunks.get()[c].destructible.load();
    }
    EXPECT_LE(spans, 1u) << "the current one";
}

// ---------------------------------------------------------------- memory

TEST_F(Heap, SweptSpansGoBackToThePageHeap) {
    const auto objects = take(200'000, 64);
    EXPECT_GE(heap_bytes(), 200'000u * 64);
    collect_all();
    EXPECT_LE(heap_bytes(), std::size_t{64} * 1024);
    EXPECT_GE(free_bytes(), 200'000u * 64 - (std::size_t{1} << 20));
    // Pages of one size of span serve for another, and for large objects.
    const std::size_t before = mapped_bytes();
    take(300'000, 16);
    for (int i = 0; i != 20; ++i) allocate(*heap, 200'000);
    EXPECT_LE(mapped_bytes(), before + chunk_size);
}

TEST_F(Heap, FreeMemoryGoesToTheKernelInSteps) {
    const auto objects = take(1'000'000, 64);  // 64 MB.
    for (void* const object : objects) std::memset(object, 1, 64);
    collect_all();
    const std::size_t resident = test::resident_bytes();
    const std::size_t free = free_bytes();
    EXPECT_GE(free, std::size_t{60} << 20);
    EXPECT_EQ(scavenge(free, std::size_t{2} << 20), 0u) << "all of it may be kept";
    std::size_t gone = 0;
    for (;;) {
        const std::size_t step = scavenge(std::size_t{8} << 20, std::size_t{100} << 20);
        EXPECT_LE(step, std::size_t{2} << 20);
        if (step == 0) break;
        gone += step;
    }
    EXPECT_GE(gone, std::size_t{50} << 20);
    EXPECT_GE(free_bytes(), std::size_t{8} << 20);
    EXPECT_LE(free_bytes(), std::size_t{10} << 20);
    EXPECT_EQ(released_bytes(), gone);
    if constexpr (!asan_build && !tsan_build) {
        EXPECT_LE(test::resident_bytes(), resident - (std::size_t{45} << 20));
    }
    // It is used again, and reads zero.
    for (void* const object : take(1'000'000, 64)) ASSERT_TRUE(reads_zero(object, 64));
    EXPECT_LE(released_bytes(), std::size_t{2} << 20);
}

TEST_F(Heap, MemoryIsMadePresentAheadOfItsUse) {
    take(400'000, 64);
    std::size_t present = 0;
    while (const std::size_t step = populate_ahead(std::size_t{16} << 20)) {
        EXPECT_EQ(step, std::size_t{2} << 20);
        present += step;
    }
    if (present == 0) GTEST_SKIP() << "not by this kernel";
    EXPECT_LE(present, std::size_t{16} << 20);
    EXPECT_EQ(populate_ahead(std::size_t{1} << 20), 0u);
    const auto faults = [] {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        return usage.ru_minflt;
    };
    // Stops where the next stretch of the arena begins, so count what there is room for.
    const std::size_t before = mapped_bytes();
    const long faults_before = faults();
    while (mapped_bytes() + chunk_size < before + present - (std::size_t{2} << 20)) {
        std::memset(allocate(*heap, 8192), 1, 8192);
    }
    const auto touched = static_cast<long>((mapped_bytes() - before) / 4096);
    if constexpr (!asan_build && !tsan_build) {
        EXPECT_LE(faults() - faults_before, touched / 4 + 64);
    }
}

TEST_F(Heap, MemoryOfFragmentedChunksStays) {
    const auto objects = take(100'000, 64);
    std::vector<void*> kept;
    for (std::size_t i = 0; i < objects.size(); i += 2048) kept.push_back(objects[i]);
    collect_all(kept);
    while (scavenge(0, std::size_t{2} << 20) != 0) {}
    for (void* const object : kept) EXPECT_TRUE(exists(object));
    std::set<void*> seen(kept.begin(), kept.end());
    for (void* const object : take(100'000, 64)) ASSERT_TRUE(seen.insert(object).second);
}

TEST_F(Heap, BytesAreCounted) {
    const std::uint64_t before = allocated_bytes();
    take(10'000, 64);
    const std::uint64_t now = allocated_bytes();
    EXPECT_GE(now - before, 10'000u * 64);
    EXPECT_LE(now - before, 10'000u * 64 + 32 * 1024);
    allocate(*heap, 100'000);
    EXPECT_GE(allocated_bytes() - now, 100'000u);
    collect();
    EXPECT_EQ(allocated_since_cycle(), 0u);
    take(10'000, 64);
    EXPECT_GE(allocated_since_cycle(), 10'000u * 64 - 32 * 1024);
    EXPECT_GT(table_bytes_in_use(), 0u);
}

TEST(GcLimits, MemoryEndsAndComesBackWithACollection) {
    ASSERT_TRUE(open_heap(std::size_t{16} << 20));
    local_heap* const heap = make_local_heap();
    marker mark;
    for (int round = 0; round != 3; ++round) {
        std::size_t count = 0;
        while (allocate(*heap, 64) != nullptr) ++count;
        EXPECT_GE(count, (std::size_t{14} << 20) / 64) << round;
        EXPECT_EQ(allocate(*heap, 4096), nullptr);
        EXPECT_EQ(allocate(*heap, 100'000), nullptr);
        EXPECT_EQ(allocate(*heap, 64), nullptr) << "and again";
        test::collect(mark, std::array{heap}, {});
        // Nothing is swept yet: the allocation finds what it needs.
        ASSERT_NE(allocate(*heap, 4'000'000), nullptr);
        ASSERT_NE(allocate(*heap, 16), nullptr);
        test::collect(mark, std::array{heap}, {});
    }
    give_local_heap(*heap);
    close_heap();
}

TEST(GcLimits, ASmallAddressSpaceHasASmallArena) {
    ASSERT_TRUE(open_heap(std::size_t{100} << 20));
    EXPECT_EQ(arena.size, std::size_t{64} << 20);
    close_heap();
    EXPECT_FALSE(open_heap(std::size_t{1} << 20));
    EXPECT_FALSE(in_arena(arena.base));
}

TEST_F(Heap, DeadSlotsArePoisoned) {
    poison_free_slots = true;
    const auto objects = take(1000, 64);
    auto* const large = static_cast<unsigned char*>(allocate(*heap, 20'000));
    collect_all();
    const auto* const first = static_cast<const unsigned char*>(objects[0]);
    for (int i = 0; i != 64; ++i) ASSERT_EQ(first[i], poison_byte);
    for (int i = 0; i != 20'000; ++i) ASSERT_EQ(large[i], poison_byte);
}

}  // namespace
}  // namespace weft::detail
