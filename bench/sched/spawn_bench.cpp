// What does it cost to start a coroutine and to wait for it, beside std::thread and std::async?
//
// An item is one coroutine, or one thread, so the time of one is 1 / items_per_second.
#include "support/inside.hpp"

#include <weft/go.hpp>
#include <weft/scope.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <thread>
#include <vector>

namespace weft::bench {
namespace {

constexpr std::size_t batch = 1000;

void count_batches(benchmark::State& state) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}

// One at a time: the descriptor and the stack are those that the last one has just given back.
void spawn_join_one(benchmark::State& state) {
    inside(state, [&] {
        for (auto _ : state) weft::spawn([] {}).join();
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(spawn_join_one)->Apply(on_one_and_two);

void spawn_join_batch(benchmark::State& state) {
    inside(state, [&] {
        std::vector<weft::join_handle<void>> all;
        all.reserve(batch);
        for (auto _ : state) {
            for (std::size_t i = 0; i != batch; ++i) all.push_back(weft::spawn([] {}));
            for (auto& one : all) one.join();
            all.clear();
        }
    });
    count_batches(state);
}
BENCHMARK(spawn_join_batch)->Apply(on_one_and_two);

// A result that has to be carried over.
void spawn_join_value(benchmark::State& state) {
    inside(state, [&] {
        std::vector<weft::join_handle<std::size_t>> all;
        all.reserve(batch);
        for (auto _ : state) {
            for (std::size_t i = 0; i != batch; ++i) all.push_back(weft::spawn([i] { return i; }));
            std::size_t sum = 0;
            for (auto& one : all) sum += one.join();
            benchmark::DoNotOptimize(sum);
            all.clear();
        }
    });
    count_batches(state);
}
BENCHMARK(spawn_join_value)->Apply(on_one_and_two);

// A closure that does not fit the descriptor.
void spawn_join_big_closure(benchmark::State& state) {
    inside(state, [&] {
        const std::array<std::byte, 256> much{};
        std::vector<weft::join_handle<void>> all;
        all.reserve(batch);
        for (auto _ : state) {
            for (std::size_t i = 0; i != batch; ++i)
                all.push_back(weft::spawn([much] { benchmark::DoNotOptimize(&much); }));
            for (auto& one : all) one.join();
            all.clear();
        }
    });
    count_batches(state);
}
BENCHMARK(spawn_join_big_closure)->Apply(on_one_and_two);

void scope_go(benchmark::State& state) {
    inside(state, [&] {
        for (auto _ : state) {
            weft::scope all;
            for (std::size_t i = 0; i != batch; ++i) all.go([] {});
            all.join();
        }
    });
    count_batches(state);
}
BENCHMARK(scope_go)->Apply(on_one_and_two);

// Nobody joins: a counter says when all have ended.
void go_detached(benchmark::State& state) {
    inside(state, [&] {
        std::atomic<std::size_t> ended = 0;
        for (auto _ : state) {
            ended.store(0, std::memory_order_relaxed);
            for (std::size_t i = 0; i != batch; ++i)
                weft::go([&ended] { ended.fetch_add(1, std::memory_order_release); });
            while (ended.load(std::memory_order_acquire) != batch) weft::yield();
        }
    });
    count_batches(state);
}
BENCHMARK(go_detached)->Apply(on_one_and_two);

// The baselines.
void thread_join_one(benchmark::State& state) {
    for (auto _ : state) std::thread([] {}).join();
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(thread_join_one)->MeasureProcessCPUTime()->UseRealTime();

void async_get_one(benchmark::State& state) {
    for (auto _ : state) std::async(std::launch::async, [] {}).get();
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(async_get_one)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace weft::bench
