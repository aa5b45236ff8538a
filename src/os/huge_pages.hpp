// Pages of 2 MiB, for large heaps.
#pragma once

#include <cstddef>

namespace weft::detail {

inline constexpr std::size_t huge_page_size = std::size_t{2} << 20;

/// Lets the kernel back these pages by huge ones, where all of such a one lies within. A touch then
/// commits 2 MiB, and is a longer interruption; a walk over random objects misses the TLB less.
/// Costs a system call.
void allow_huge_pages(void* base, std::size_t size) noexcept;

/// Makes the pages present, so that nobody's first touch waits for the kernel. Content stays.
/// Returns false if the kernel can't (before Linux 5.14, or no memory).
bool populate_pages(void* base, std::size_t size) noexcept;

}  // namespace weft::detail
