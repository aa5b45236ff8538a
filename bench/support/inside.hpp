// Google Benchmark inside a runtime.
//
// A coroutine may go on on another thread after it has parked, and its work may be done by others: so
// what is timed is the wall, and the CPU time is the process's, never the thread's.
#pragma once

#include <weft/runtime.hpp>

#include <benchmark/benchmark.h>

namespace weft::bench {

/// Runs `f` as the main coroutine on as many processors as the benchmark's first argument says.
template <class F>
void inside(const benchmark::State& state, F&& f) {
    weft::options options;
    options.processors = static_cast<unsigned>(state.range(0));
    (void)weft::run(f, options);
}

inline void on_processors(benchmark::internal::Benchmark* benchmark, unsigned most) {
    benchmark->ArgName("P")->MeasureProcessCPUTime()->UseRealTime();
    for (unsigned processors = 1; processors <= most; processors *= 2) benchmark->Arg(processors);
}
inline void on_one(benchmark::internal::Benchmark* benchmark) { on_processors(benchmark, 1); }
inline void on_one_and_two(benchmark::internal::Benchmark* benchmark) {
    on_processors(benchmark, 2);
}

}  // namespace weft::bench
