// Monotonic time.
#pragma once

#include <cstdint>

namespace weft::detail {

/// Nanoseconds on the clock of std::chrono::steady_clock. About 22 ns; no system call.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;

/// Sleeps the calling thread until then. Out of line: it uses errno.
void sleep_thread_until(std::int64_t when_ns) noexcept;

inline constexpr std::int64_t never = INT64_MAX;

}  // namespace weft::detail
