// Power-of-two arithmetic.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// `unit` is a power of two.
template <class Unsigned>
[[nodiscard]] constexpr Unsigned round_up(Unsigned value, Unsigned unit) noexcept {
    return (value + unit - 1) & ~(unit - 1);
}

/// The smallest k with 2^k >= value; value > 0.
[[nodiscard]] constexpr unsigned log2_ceil(std::size_t value) noexcept {
    return static_cast<unsigned>(std::bit_width(value - 1));
}

}  // namespace weft::detail
