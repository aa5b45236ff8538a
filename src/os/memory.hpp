// Pages from the kernel: reserve address space, give content back, guard.
#pragma once

#include <cstddef>

namespace weft::detail {

inline constexpr std::size_t page_size = 4096;

/// Address space that costs nothing until it is touched, named `weft:<name>` in /proc/self/maps. Null
/// when the kernel refuses. `align` is a power of two of at least a page.
[[nodiscard]] void* reserve_pages(std::size_t size, std::size_t align, const char* name) noexcept;
void release_pages(void* base, std::size_t size) noexcept;

/// Takes away all access, for good. Splits the mapping.
void deny_pages(void* base, std::size_t size) noexcept;

/// Gives the memory behind the pages back; they read 0 afterwards. Guards stay.
void discard_pages(void* base, std::size_t size) noexcept;

/// Makes pages that fault when touched, without splitting the mapping (MADV_GUARD_INSTALL, Linux 6.13).
/// False when the kernel can't do it here.
[[nodiscard]] bool guard_pages(void* base, std::size_t size) noexcept;

}  // namespace weft::detail
