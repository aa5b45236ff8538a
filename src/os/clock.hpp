// Monotonic time.
#pragma once

#include <cstdint>

namespace weft::detail {

/// Nanoseconds on the clock of std::chrono::steady_clock. About 22 ns; no system call.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;

/// CPU time that the calling thread has had, and the whole process. A system call each.
[[nodiscard]] std::int64_t thread_cpu_ns() noexcept;
[[nodiscard]] std::int64_t process_cpu_ns() noexcept;

/// Sleeps the calling thread until then. Out of line: it uses errno.
void sleep_thread_until(std::int64_t when_ns) noexcept;

inline constexpr std::int64_t never = INT64_MAX;

}  // namespace weft::detail
