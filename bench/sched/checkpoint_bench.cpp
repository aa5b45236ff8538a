// What does a checkpoint in a loop cost, beside the loop without it?
#include "support/inside.hpp"

#include <weft/go.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>

namespace weft::bench {
namespace {

std::uint64_t step(std::uint64_t x) { return x * 6364136223846793005U + 1442695040888963407U; }

void loop_alone(benchmark::State& state) {
    std::uint64_t x = 1;
    for (auto _ : state) benchmark::DoNotOptimize(x = step(x));
}
BENCHMARK(loop_alone);

void loop_with_checkpoint(benchmark::State& state) {
    inside(state, [&] {
        std::uint64_t x = 1;
        for (auto _ : state) {
            benchmark::DoNotOptimize(x = step(x));
            weft::checkpoint();
        }
    });
}
BENCHMARK(loop_with_checkpoint)->Apply(on_one);

// What a loop has to pay that cannot use a checkpoint.
void loop_with_yield(benchmark::State& state) {
    inside(state, [&] {
        std::uint64_t x = 1;
        for (auto _ : state) {
            benchmark::DoNotOptimize(x = step(x));
            weft::yield();
        }
    });
}
BENCHMARK(loop_with_yield)->Apply(on_one);

}  // namespace
}  // namespace weft::bench
