// Monotonic time.
#pragma once

#include <cstdint>

namespace weft::detail {

/// Nanoseconds on the clock of std::chrono::steady_clock. About 22 ns; no system call.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;

inline constexpr std::int64_t never = INT64_MAX;

}  // namespace weft::detail
