// Which words of a piece of memory point into the arena.
//
// The words may be written meanwhile: each aligned word is read once, as a whole. They may lie in
// frames, and be poisoned: sanitizers are not asked about these reads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

inline constexpr std::size_t pick_max = 64;

/// Copies those of `count` words that lie in [base, base + size) to `out`, in order, and returns
/// how many. `count` is at most pick_max; `out` has room for that many and 8 more.
using word_picker = std::size_t (*)(const std::uintptr_t* from, std::size_t count,
                                    std::uintptr_t base, std::size_t size,
                                    std::uintptr_t* out) noexcept;

/// Word for word, without a branch for each, because nobody can foretell them.
[[nodiscard]] std::size_t pick_words_plain(const std::uintptr_t* from, std::size_t count,
                                           std::uintptr_t base, std::size_t size,
                                           std::uintptr_t* out) noexcept;

/// Eight at a time by AVX-512; null if the CPU, or the kernel, has not all that it uses.
[[nodiscard]] word_picker vector_picker() noexcept;

/// The fastest there is. By AVX-512 a stack of 64 KB is read in 2 us instead of 5, and marking of
/// objects of 64 bytes takes 3 to 6 % less (read_stack and mark_nodes in bench/gc/heap_bench.cpp;
/// Zen 4).
[[nodiscard]] word_picker best_picker() noexcept;

}  // namespace weft::detail
