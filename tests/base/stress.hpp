// What every stress shares: its seed and its size.
//
//   WEFT_STRESS_SEED=n    repeat a run's random choices
//   WEFT_STRESS_SCALE=n   n times as much of everything
#pragma once

#include "base/config.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace weft::detail {

inline std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// The seed of a run; printed, so that a failure can be repeated.
inline std::uint64_t stress_seed() {
    const std::uint64_t seed = from_environment("WEFT_STRESS_SEED", std::random_device{}());
    std::printf("WEFT_STRESS_SEED=%llu\n", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    return seed;
}

/// How many rounds make a run of a second or two, given how many a plain build does in that time.
inline std::uint64_t stress_rounds(std::uint64_t plain) {
    const std::uint64_t scaled = plain * from_environment("WEFT_STRESS_SCALE", 1);
    return scaled / (tsan_build ? 10 : asan_build ? 4 : 1);
}

/// How long a stress may take before it counts as hanging. Generous, for the machine may be busy.
inline unsigned stress_seconds() {
    return static_cast<unsigned>(60 * from_environment("WEFT_STRESS_SCALE", 1)) *
           (tsan_build ? 3 : 1);
}

}  // namespace weft::detail
