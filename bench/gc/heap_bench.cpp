// What does an object of the collected heap cost to allocate, recycling included, and what does the
// marker take for one?
//
// The baseline of allocation is malloc and free of the same window; that of marking is a walk,
// depth first, with a bit for each node and nothing else.
#include "gc/heap_driver.hpp"

#include "base/random.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

namespace weft::detail {
namespace {

using test::allocate_slot;
using test::word_of;

constexpr std::size_t collect_each = std::size_t{64} << 20;

struct driven_heap {
    driven_heap() {
        if (!open_heap()) std::abort();
        heap = make_local_heap();
    }
    ~driven_heap() {
        give_local_heap(*heap);
        close_heap();
    }
    driven_heap(const driven_heap&) = delete;
    driven_heap& operator=(const driven_heap&) = delete;

    local_heap* heap;
    marker mark;
};

// All objects are dead at once; a collection follows each 64 MB. Its marking has nothing to do, its
// sweeping is counted.
void allocate_and_drop(benchmark::State& state) {
    driven_heap driven;
    local_heap& heap = *driven.heap;
    const auto bytes = static_cast<std::size_t>(state.range(0));
    const unsigned layout = gc_layout(bytes, gc_kind::scanned);
    const std::size_t count = collect_each / gc_slot_size(layout);
    const auto round = [&] {
        for (std::size_t i = 0; i != count; ++i) {
            auto* const object = static_cast<std::uint64_t*>(allocate_slot(heap, layout));
            *object = i;
            benchmark::DoNotOptimize(object);
        }
        test::collect(driven.mark, std::array{&heap}, {});
    };
    for (int i = 0; i != 3; ++i) round();  // First touches are not what is asked.
    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(count))) round();
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

// The same with a window of live objects, of which each new one replaces the oldest.
void allocate_in_window(benchmark::State& state) {
    driven_heap driven;
    local_heap& heap = *driven.heap;
    const auto bytes = static_cast<std::size_t>(state.range(0));
    const unsigned layout = gc_layout(bytes, gc_kind::pointer_free);
    const std::size_t count = collect_each / gc_slot_size(layout);
    std::vector<void*> window(count / 16);
    std::size_t at = 0;
    const auto round = [&] {
        for (std::size_t i = 0; i != count; ++i) {
            auto* const object = static_cast<std::uint64_t*>(allocate_slot(heap, layout));
            *object = i;
            window[at] = object;
            if (++at == window.size()) at = 0;
        }
    };
    const auto collect = [&] { test::collect(driven.mark, std::array{&heap}, window); };
    for (int i = 0; i != 3; ++i) {
        round();
        collect();
    }
    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(count))) {
        round();
        state.PauseTiming();
        collect();
        state.ResumeTiming();
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void malloc_in_window(benchmark::State& state) {
    const auto bytes = static_cast<std::size_t>(state.range(0));
    std::vector<void*> window(collect_each / bytes / 16);
    std::size_t at = 0;
    for (auto _ : state) {
        std::free(window[at]);
        auto* const object = static_cast<std::uint64_t*>(std::malloc(bytes));
        *object = at;
        window[at] = object;
        if (++at == window.size()) at = 0;
    }
    for (void* const object : window) std::free(object);
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

struct node {
    std::uint64_t before[2];
    node* left;
    node* right;
    std::uint64_t between;
    node* other;
    std::uint64_t behind[2];
};
static_assert(sizeof(node) == 64);

// A binary tree of nodes in random order, and perhaps one more random edge for each.
node* make_nodes(local_heap& heap, std::size_t count, bool extra_edge) {
    std::vector<node*> nodes(count);
    for (node*& n : nodes) {
        n = static_cast<node*>(allocate_slot(heap, gc_layout(sizeof(node), gc_kind::scanned)));
    }
    random_source random(42);
    for (std::size_t i = count - 1; i != 0; --i) {
        std::swap(nodes[i], nodes[random.next() % (i + 1)]);
    }
    for (std::size_t i = 0; i != count; ++i) {
        node& n = *nodes[i];
        n.left = 2 * i + 1 < count ? nodes[2 * i + 1] : nullptr;
        n.right = 2 * i + 2 < count ? nodes[2 * i + 2] : nullptr;
        n.other = extra_edge ? nodes[random.next() % count] : nullptr;
        n.before[0] = n.before[1] = n.between = n.behind[0] = n.behind[1] = i;
    }
    return nodes[0];
}

void mark_nodes(benchmark::State& state) {
    driven_heap driven;
    const auto count = static_cast<std::size_t>(state.range(0));
    void* const root = make_nodes(*driven.heap, count, state.range(1) != 0);
    std::uint64_t objects = 0;
    for (auto _ : state) {
        state.PauseTiming();
        finish_sweep();
        begin_black(*driven.heap);
        driven.mark.begin();
        state.ResumeTiming();
        driven.mark.grey(word_of(root));
        while (driven.mark.drain(SIZE_MAX)) {}
        state.PauseTiming();
        objects += driven.mark.objects();
        test::end_marking(std::array{driven.heap});
        state.ResumeTiming();
    }
    if (objects != count * static_cast<std::size_t>(state.iterations())) {
        state.SkipWithError("wrong number of objects");
    }
    state.counters["ns/object"] = benchmark::Counter(
        static_cast<double>(objects), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// The baseline: no heap, no bitmaps by size, no queue.
void walk_nodes(benchmark::State& state) {
    driven_heap driven;
    const auto count = static_cast<std::size_t>(state.range(0));
    node* const root = make_nodes(*driven.heap, count, state.range(1) != 0);
    std::vector<std::uint64_t> bits(mapped_bytes() / sizeof(node) / 64 + 1);
    std::vector<node*> stack;
    std::uint64_t objects = 0;
    for (auto _ : state) {
        std::fill(bits.begin(), bits.end(), 0);
        stack.push_back(root);
        while (!stack.empty()) {
            node* const n = stack.back();
            stack.pop_back();
            if (!in_arena(word_of(n))) continue;
            const std::size_t i = (word_of(n) - arena.base) / sizeof(node);
            if ((bits[i / 64] >> (i % 64) & 1) != 0) continue;
            bits[i / 64] |= std::uint64_t{1} << (i % 64);
            ++objects;
            for (node* const next : {n->left, n->right, n->other}) stack.push_back(next);
        }
    }
    state.counters["ns/object"] = benchmark::Counter(
        static_cast<double>(objects), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void sweep_spans(benchmark::State& state) {
    driven_heap driven;
    const auto count = static_cast<std::size_t>(state.range(0));
    void* const root = make_nodes(*driven.heap, count, false);
    for (auto _ : state) {
        state.PauseTiming();
        test::collect(driven.mark, std::array{driven.heap}, std::array{root});
        state.ResumeTiming();
        finish_sweep();
    }
    state.counters["ns/span"] = benchmark::Counter(
        static_cast<double>(state.iterations()) * static_cast<double>(heap_bytes() / (32 * 1024)),
        benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void find_interior(benchmark::State& state) {
    driven_heap driven;
    const auto count = static_cast<std::size_t>(state.range(0));
    make_nodes(*driven.heap, count, false);
    random_source random(7);
    std::vector<std::uintptr_t> words(std::size_t{1} << 16);
    for (auto& word : words) {
        word = arena.base + random.next() % (count * sizeof(node));
    }
    std::size_t at = 0;
    std::uintptr_t sum = 0;
    for (auto _ : state) {
        object_ref found;
        if (find_object(words[at], found)) sum += word_of(found.base);
        if (++at == words.size()) at = 0;
    }
    benchmark::DoNotOptimize(sum);
}

// A stack of 64 KB, of which one word in a hundred is a pointer: word for word, or by the kernel
// for this CPU.
void read_stack(benchmark::State& state) {
    driven_heap driven;
    driven.mark.use_picker(state.range(0) != 0 ? best_picker() : &pick_words_plain);
    driven.mark.begin();
    std::vector<std::uintptr_t> stack(8192);
    random_source random(5);
    for (std::size_t i = 0; i != stack.size(); ++i) {
        stack[i] = i % 100 != 0 ? random.next() >> random.below(64)
                                : word_of(allocate_slot(*driven.heap, 0));
    }
    for (auto _ : state) {
        benchmark::DoNotOptimize(driven.mark.grey_range(stack.data(), stack.data() + stack.size()));
    }
    while (driven.mark.drain(SIZE_MAX)) {}
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(stack.size() * 8));
}

BENCHMARK(allocate_and_drop)->Arg(16)->Arg(32)->Arg(64)->Arg(128)->Arg(256)->Arg(1024);
BENCHMARK(allocate_in_window)->Arg(16)->Arg(32)->Arg(64)->Arg(128)->Arg(256)->Arg(1024);
BENCHMARK(malloc_in_window)->Arg(16)->Arg(32)->Arg(64)->Arg(128)->Arg(256)->Arg(1024);
BENCHMARK(mark_nodes)
    ->Args({1'000'000, 0})
    ->Args({10'000'000, 0})
    ->Args({10'000'000, 1})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(walk_nodes)->Args({10'000'000, 0})->Unit(benchmark::kMillisecond);
BENCHMARK(sweep_spans)->Arg(10'000'000)->Iterations(5)->Unit(benchmark::kMillisecond);
BENCHMARK(read_stack)->ArgName("vector")->Arg(0)->Arg(1);
BENCHMARK(find_interior)->Arg(4'000'000);

}  // namespace
}  // namespace weft::detail

BENCHMARK_MAIN();
