// Pages from the kernel: reserve address space, give content back, guard.
#pragma once

#include <cstddef>

namespace weft::detail {

inline constexpr std::size_t page_size = 4096;

/// Address space that costs nothing until it is touched, named `weft:<name>` in /proc/self/maps. Null
/// when the kernel refuses. `align` is a power of two of at least a page.
[[nodiscard]] void* reserve_pages(std::size_t size, std::size_t align, const char* name) noexcept;
void release_pages(void* base, std::size_t size) noexcept;

/// Makes a reservation larger or smaller without copying: the kernel moves the pages. Returns where it is now; null when
/// the kernel refuses, and then nothing has changed. A smaller one stays where it is.
[[nodiscard]] void* resize_pages(void* base, std::size_t size, std::size_t new_size) noexcept;

/// How much of it the process may have at all (RLIMIT_AS, as `ulimit -v` sets it); SIZE_MAX where there is no limit.
[[nodiscard]] std::size_t address_space_limit() noexcept;

/// Takes away all access, for good. Splits the mapping.
void deny_pages(void* base, std::size_t size) noexcept;

/// Leaves the pages out of core dumps, or takes them back in. For large reservations: a core has all of a mapping in it,
/// also what nobody has touched. Costs a system call each, and splits the mapping where the two meet.
void keep_out_of_core(void* base, std::size_t size) noexcept;
void put_into_core(void* base, std::size_t size) noexcept;

/// Part of a reservation that is used up from its low end, and is out of cores until then: takes the next stretch in when
/// `offset` is the first byte of one. Stretches begin small and double up to 64 MiB, so that a small program's core is
/// small; none is smaller than `unit`, and the last ends with the reservation, which has `size` bytes. The caller calls it for each
/// multiple of `unit`, a power of two, in any order.
void put_used_into_core(void* base, std::size_t offset, std::size_t unit,
                        std::size_t size) noexcept;

/// Gives the memory of the pages back; they read 0 afterwards. Guards stay. Returns false, and nothing has changed, if they
/// are locked into memory (mlockall).
bool discard_pages(void* base, std::size_t size) noexcept;

/// Makes pages read 0: by giving their memory back if that is possible.
void zero_pages(void* base, std::size_t size) noexcept;

/// Makes pages that fault when touched, without splitting the mapping (MADV_GUARD_INSTALL, Linux 6.13).
/// False when the kernel can't do it here.
[[nodiscard]] bool guard_pages(void* base, std::size_t size) noexcept;

/// Takes all guards away again (MADV_GUARD_REMOVE). False when the kernel can't; then they are all still there. The pages must
/// lie in one mapping.
[[nodiscard]] bool unguard_pages(void* base, std::size_t size) noexcept;

/// Whether the kernel takes a page table back when one call discards all pages that it is for, and they have no guards: Linux
/// 6.14 and later.
[[nodiscard]] bool kernel_takes_page_tables_back() noexcept;

}  // namespace weft::detail
