// What comes of a cycle: counts, the pace of the next, and what is said about it.
#pragma once

#include "gc/cycle.hpp"

#include <cstdint>

namespace weft::detail {

/// After each cycle. May end the process (options.on_memory_limit).
void note_outcome(const cycle_result& result) noexcept;

/// The heap has been made.
void begin_counting() noexcept;

/// What has been counted. Relaxed.
struct gc_counts {
    std::uint64_t cycles = 0;
    std::uint64_t rounds = 0;
    std::int64_t limited_ns = 0;  // Held back near the memory limit.
    double cpu_fraction = 0;
};

[[nodiscard]] gc_counts count_cycles() noexcept;

}  // namespace weft::detail
