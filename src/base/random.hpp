// A small, fast, seedable generator: the victim to steal from, the choice a simulated schedule makes.
#pragma once

#include <cstdint>

namespace weft::detail {

/// Vigna's SplitMix64: 64 bits of state, full period, every seed good. Not for secrets.
class random_source {
public:
    explicit constexpr random_source(std::uint64_t seed) noexcept : state_(seed) {}

    constexpr std::uint64_t next() noexcept {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    /// In [0, bound); by multiplication, so slightly uneven for huge bounds. `bound` > 0.
    constexpr std::uint32_t below(std::uint32_t bound) noexcept {
        return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
    }

private:
    std::uint64_t state_;
};

}  // namespace weft::detail
