// Faults on purpose, in builds with assertions: what the kernel may do at any time and seldom does.
#pragma once

#include "base/config.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// Not 0: every few operations find nothing ready although there is something, or are done in part only. The state of the
/// generator, so that a seed sets it.
extern std::atomic<std::uint64_t> io_faults;

/// One time of so many. In other builds never.
[[nodiscard]] inline bool io_fault(unsigned one_of) noexcept {
    if constexpr (!assertions) return false;
    std::uint64_t now = io_faults.load(std::memory_order_relaxed);
    if (now == 0) [[likely]]
        return false;
    now = now * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
    io_faults.store(now | 1, std::memory_order_relaxed);
    return (now >> 33) % one_of == 0;
}

/// From 1 to `size`, which is not 0.
[[nodiscard]] inline std::size_t io_shortened(std::size_t size) noexcept {
    return 1 + (io_faults.load(std::memory_order_relaxed) >> 20) % size;
}

}  // namespace weft::detail
