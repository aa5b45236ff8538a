// Sleeping on a word.
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::detail {

/// Sleeps while `word == expected`, until woken or until `deadline_ns` on monotonic_ns()'s clock has
/// passed (`never`: no limit). May return for no reason. False when the time has passed.
bool futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t deadline_ns) noexcept;

/// Wakes at most `count` of those that sleep on `word`. The word itself is not read, and may be gone.
void futex_wake(const std::atomic<std::uint32_t>& word, int count = 1) noexcept;

}  // namespace weft::detail
