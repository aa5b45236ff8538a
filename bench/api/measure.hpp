// Reading the clock, the memory and the CPU time, and printing results. The peers' measure.go and
// measure.rs define each figure the same way.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

using clock = std::chrono::steady_clock;

/// Prints one line for bench/run.
void result(const char* metric, double value, const char* unit);

double ns_each(clock::duration elapsed, std::size_t operations);

/// The resident memory of this process, and the most that it has been.
double rss_bytes();
double peak_rss_bytes();

/// What all threads of this process have used, user and system.
std::chrono::nanoseconds cpu_time();

/// Prints percentiles in microseconds, and how many were below zero.
void report_lateness(std::vector<std::int64_t>& late_ns);

}  // namespace bench
