// Calls whose frames are of every kind that compilers make, in a file that is compiled with and without optimisation.
#pragma once

#include <array>
#include <cstddef>

namespace weft::test {

/// What the innermost call does.
struct chain_end {
    void (*call)(void*);
    void* argument;
};

inline constexpr std::size_t chain_length = 7;

struct chain {
    int (*enter)(const chain_end&, int depth);
    std::array<void*, chain_length> functions;  // Innermost first.
};

[[nodiscard]] chain plain_chain();      // -O0
[[nodiscard]] chain optimised_chain();  // -O2

}  // namespace weft::test
