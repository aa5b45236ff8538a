// The marker: what it reaches, in which shapes, and that it gets by with a queue that cannot grow.
#include "gc/mark/marker.hpp"

#include "base/config.hpp"
#include "base/random.hpp"
#include "gc/heap_driver.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

using test::allocate;
using test::exists;
using test::word_of;

struct node {
    node* next;
    node* other;
    std::uint64_t number;
    std::uint64_t more[5];
};

class Marker : public ::testing::Test {
protected:
    Marker() {
        EXPECT_TRUE(open_heap());
        heap = make_local_heap();
        mark.begin();
    }
    ~Marker() override {
        give_local_heap(*heap);
        finish_sweep();
        close_heap();
    }

    template <class T = node>
    T* make(std::size_t bytes = sizeof(T), gc_kind kind = gc_kind::scanned) {
        return static_cast<T*>(allocate(*heap, bytes, kind));
    }
    node* make_list(std::size_t count) {
        node* first = nullptr;
        for (std::size_t i = 0; i != count; ++i) {
            node* const n = make();
            n->next = first;
            n->number = i;
            first = n;
        }
        return first;
    }
    std::vector<node*> make_tree(std::size_t count, std::uint64_t seed) {
        std::vector<node*> nodes(count);
        for (node*& n : nodes) n = make();
        random_source random(seed);
        for (std::size_t i = count - 1; i != 0; --i) {
            std::swap(nodes[i], nodes[random.next() % (i + 1)]);
        }
        for (std::size_t i = 0; i != count; ++i) {
            nodes[i]->next = 2 * i + 1 < count ? nodes[2 * i + 1] : nullptr;
            nodes[i]->other = 2 * i + 2 < count ? nodes[2 * i + 2] : nullptr;
        }
        return nodes;
    }
    void drain() {
        while (mark.drain(SIZE_MAX)) {}
    }
    static bool marked(const void* object) {
        object_ref found;
        return find_object(word_of(object), found) && is_marked(found);
    }
    void collect() { test::collect(mark, std::array{heap}, {}); }

    static constexpr std::size_t many = tiny_limits || tsan_build || asan_build ? 20'000 : 300'000;

    local_heap* heap;
    marker mark;
};

TEST_F(Marker, MarksAnObjectOnce) {
    node* const n = make();
    EXPECT_TRUE(mark.grey(word_of(n)));
    EXPECT_FALSE(mark.grey(word_of(n)));
    EXPECT_FALSE(mark.grey(word_of(n) + 63));
    EXPECT_TRUE(marked(n));
    EXPECT_EQ(mark.objects(), 1u);
    EXPECT_EQ(mark.bytes(), 64u);
    drain();
    EXPECT_EQ(mark.words(), 8u);
}

TEST_F(Marker, WhatIsNoObjectIsNotMarked) {
    node* const n = make();
    for (const std::uintptr_t word :
         {std::uintptr_t{0}, ~std::uintptr_t{0}, word_of(&n), arena.base - 1,
          arena.base + arena.size, arena.base + arena.size - 8, word_of(n) + 20'000'000}) {
        EXPECT_FALSE(mark.grey(word));
    }
    EXPECT_EQ(mark.objects(), 0u);
}

TEST_F(Marker, ASlotThatIsNotInUseIsNoObject) {
    std::vector<node*> nodes;
    for (int i = 0; i != 1000; ++i) nodes.push_back(make());
    node* const kept = nodes[17];
    test::collect(mark, std::array{heap}, std::array<void*, 1>{kept});
    finish_sweep();
    mark.begin();
    std::size_t found = 0;
    for (node* const n : nodes) found += mark.grey(word_of(n)) ? 1 : 0;
    EXPECT_EQ(found, 1u);
    drain();
}

TEST_F(Marker, ABlackObjectIsNotScanned) {
    node* const white = make();
    begin_black(*heap);
    node* const black = make();
    black->next = white;
    EXPECT_FALSE(mark.grey(word_of(black)));
    drain();
    EXPECT_FALSE(marked(white)) << "who stored the pointer has shaded it";
    test::end_marking(std::array{heap});
}

TEST_F(Marker, FollowsALongList) {
    node* const first = make_list(many);
    mark.grey(word_of(first));
    drain();
    EXPECT_EQ(mark.objects(), many);
    EXPECT_EQ(mark.words(), many * 8);
    for (const node* n = first; n != nullptr; n = n->next) ASSERT_TRUE(marked(n));
}

TEST_F(Marker, FollowsATreeInRandomOrder) {
    const auto nodes = make_tree(many, 5);
    mark.grey(word_of(nodes[0]));
    drain();
    EXPECT_EQ(mark.objects(), many);
    for (const node* n : nodes) ASSERT_TRUE(marked(n));
}

TEST_F(Marker, FollowsCyclesAndPointersIntoTheMiddle) {
    const auto nodes = make_tree(1000, 5);
    for (node* const n : nodes) n->more[3] = word_of(nodes[0]) + 8;
    nodes[999]->next = nodes[999];
    mark.grey(word_of(nodes[0]) + 40);
    drain();
    EXPECT_EQ(mark.objects(), 1000u);
}

TEST_F(Marker, LeavesPointerFreeObjectsUnread) {
    auto* const inner = make();
    auto* const data = make<node>(64, gc_kind::pointer_free);
    auto* const large = make<node*>(100'000, gc_kind::pointer_free);
    data->next = inner;
    large[0] = inner;
    EXPECT_TRUE(mark.grey(word_of(data)));
    EXPECT_TRUE(mark.grey(word_of(large)));
    drain();
    EXPECT_EQ(mark.objects(), 2u);
    EXPECT_EQ(mark.words(), 0u);
    EXPECT_FALSE(marked(inner));
}

TEST_F(Marker, ScansEachSizeToItsEnd) {
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        if (layout % gc_kinds == static_cast<unsigned>(gc_kind::pointer_free)) continue;
        const std::size_t words = gc_slot_size(layout) / sizeof(void*);
        std::vector<node*> targets;
        std::vector<node**> holders;
        for (std::size_t at : {std::size_t{0}, words / 2, words - 1}) {
            auto* const holder = static_cast<node**>(test::allocate_slot(*heap, layout));
            node* const target = make();
            holder[at] = target;
            holders.push_back(holder);
            targets.push_back(target);
        }
        for (node** const holder : holders) ASSERT_TRUE(mark.grey(word_of(holder)));
        drain();
        for (const node* const target : targets) ASSERT_TRUE(marked(target)) << layout;
    }
}

TEST_F(Marker, ScansLargeObjectsInParts) {
    for (const std::size_t bytes : {8200u, 131'072u, 131'088u, 131'056u, 262'144u, 1'000'000u}) {
        for (const gc_kind kind : {gc_kind::scanned, gc_kind::destructible}) {
            auto* const large = make<node*>(bytes, kind);
            std::vector<node*> targets;
            for (std::size_t i = 0; i < bytes / sizeof(void*); i += 511) {
                targets.push_back(make());
                large[i] = targets.back();
            }
            targets.push_back(make());
            large[bytes / sizeof(void*) - 1] = targets.back();
            const std::uint64_t before = mark.words();
            ASSERT_TRUE(mark.grey(word_of(large) + bytes - 1));
            drain();
            for (const node* const target : targets) ASSERT_TRUE(marked(target));
            EXPECT_EQ(mark.words() - before, (bytes + 15) / 16 * 2 + targets.size() * 8);
        }
    }
}

TEST_F(Marker, KeepsToItsBudget) {
    const auto nodes = make_tree(20'000, 9);
    auto* const large = make<node*>(4'000'000);
    large[0] = nodes[0];
    large[499'999] = nodes[0];
    mark.grey(word_of(large));
    std::uint64_t before = 0;
    unsigned calls = 0;
    while (mark.drain(std::size_t{64} << 10)) {
        // Beyond the budget it scans a part of a large object, or a span, at most.
        EXPECT_LE((mark.words() - before) * 8, std::size_t{64 + 128} << 10);
        before = mark.words();
        ++calls;
    }
    EXPECT_GE(calls, 30u);
    EXPECT_EQ(mark.objects(), 20'001u);
}

TEST_F(Marker, GoesOnBetweenCalls) {
    const auto nodes = make_tree(20'000, 9);
    for (std::size_t i = 0; i != nodes.size(); ++i) {
        mark.grey(word_of(nodes[nodes.size() - 1 - i]));
        mark.drain(100);
    }
    drain();
    EXPECT_EQ(mark.objects(), 20'000u);
    EXPECT_EQ(mark.words(), 160'000u) << "each is scanned once";
}

TEST_F(Marker, FindsPointersInARange) {
    std::array<std::uintptr_t, 1000> stack{};
    std::vector<node*> nodes;
    for (std::size_t i = 0; i < stack.size(); i += 9) {
        nodes.push_back(make());
        stack[i] = word_of(nodes.back()) + i % 64;
    }
    nodes[3]->next = make();
    EXPECT_EQ(mark.grey_range(stack.data(), stack.data() + stack.size()), nodes.size());
    EXPECT_EQ(mark.grey_range(stack.data(), stack.data() + stack.size()), 0u);
    EXPECT_FALSE(marked(nodes[3]->next)) << "before it is scanned";
    drain();
    EXPECT_TRUE(marked(nodes[3]->next));
}

TEST_F(Marker, ARangeHasWholeWordsOnly) {
    alignas(8) std::array<std::uintptr_t, 4> stack{};
    for (std::uintptr_t& word : stack) word = word_of(make());
    auto* const bytes = reinterpret_cast<std::byte*>(stack.data());
    EXPECT_EQ(mark.grey_range(bytes + 1, bytes + 31), 2u) << "the inner two";
    EXPECT_EQ(mark.grey_range(bytes + 8, bytes + 8), 0u);
    EXPECT_EQ(mark.grey_range(bytes + 9, bytes + 15), 0u);
    EXPECT_EQ(mark.grey_range(bytes + 16, bytes + 8), 0u);
    EXPECT_EQ(mark.grey_range(bytes, bytes + 32), 2u);
    drain();
}

TEST(PickWords, EveryPickerFindsTheSameWords) {
    random_source random(11);
    for (const word_picker picker : {&pick_words_plain, best_picker(), vector_picker()}) {
        if (picker == nullptr) continue;  // Not on this CPU.
        for (std::size_t count = 0; count <= pick_max; ++count) {
            for (int round = 0; round != 50; ++round) {
                constexpr std::uintptr_t base = 0x7000'0000'0000;
                constexpr std::size_t size = std::size_t{1} << 40;
                std::array<std::uintptr_t, pick_max> words{};
                std::vector<std::uintptr_t> expected;
                for (std::size_t i = 0; i != pick_max; ++i) {
                    const std::array<std::uintptr_t, 8> kinds{0,
                                                              ~std::uintptr_t{0},
                                                              base,
                                                              base - 1,
                                                              base + size,
                                                              base + size - 1,
                                                              random.next(),
                                                              base + random.next() % size};
                    words[i] = kinds[random.below(8)];
                    if (i < count && words[i] - base < size) expected.push_back(words[i]);
                }
                std::array<std::uintptr_t, pick_max + 8> out{};
                const std::size_t found = picker(words.data(), count, base, size, out.data());
                ASSERT_EQ(std::vector<std::uintptr_t>(out.data(), out.data() + found), expected);
            }
        }
    }
}

TEST_F(Marker, AQueueThatCannotGrowLosesNothing) {
    for (const std::size_t limit : {0u, 64u, 600u}) {
        mark.limit_queue(limit);
        std::vector<node*> roots;
        // Each node is in another span than the ones before, so that the queue gets long.
        const auto nodes = make_tree(many, 5);
        std::vector<node**> large;
        for (int i = 0; i != 200; ++i) {
            large.push_back(make<node*>(300'000));
            large.back()[i * 150] = nodes[static_cast<std::size_t>(i)];
            large.back()[37'000] = make();
        }
        finish_sweep();
        begin_black(*heap);
        mark.begin();
        for (node** const each : large) mark.grey(word_of(each));
        for (std::size_t i = 0; i < nodes.size(); i += 700) mark.grey(word_of(nodes[i]));
        mark.grey(word_of(nodes[0]));
        while (mark.drain(100'000)) {}
        EXPECT_EQ(mark.objects(), many + 400) << limit;
        for (const node* const n : nodes) ASSERT_TRUE(marked(n));
        if (limit < 100) {
            EXPECT_GT(mark.recoveries(), 0u);
        }
        test::end_marking(std::array{heap});
        finish_sweep();
        collect();
        mark.begin();
    }
}

TEST_F(Marker, ReadsWhatIsBeingWritten) {
    // The writer moves a pointer between two fields, second first, so one of them has it at any
    // time.
    node* const holder = make();
    node* const target = make();
    std::atomic_ref<node*> first(holder->next);
    std::atomic_ref<node*> second(holder->other);
    first.store(target);
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        while (!stop.load(std::memory_order_relaxed)) {
            second.store(target, std::memory_order_relaxed);
            holder->more[0] = 1;  // Not atomic.
            first.store(nullptr, std::memory_order_relaxed);
            first.store(target, std::memory_order_relaxed);
            second.store(nullptr, std::memory_order_relaxed);
        }
    });
    for (int i = 0; i != 200; ++i) {
        finish_sweep();
        begin_black(*heap);
        mark.begin();
        ASSERT_TRUE(mark.grey(word_of(holder)));
        mark.grey(word_of(target));  // As the writer would have shaded it.
        drain();
        ASSERT_TRUE(marked(target));
        test::end_marking(std::array{heap});
        finish_sweep();
    }
    stop = true;
    writer.join();
}

}  // namespace
}  // namespace weft::detail
