// The page heap: free pages, by chunks of 32.
//
// A local heap takes all free pages of one chunk and cuts its spans from them, so that the spans of
// different processors, and the lines of their bits, lie apart. Pages of dead spans and objects
// come back by sweeping, whole chunks go back to the kernel by scavenging.
//
//     chunk    free 0110...     dirty 1111...      a bit for each of 32 pages
//
// Invariants
//   - A free page of a chunk is in `free`; it is in use, or in a local heap's cache, otherwise.
//   - A page whose `dirty` bit is clear reads 0. give() sets bits; scavenge() clears them, once
//     the chunk's memory is with the kernel.
//   - A chunk is in the list for the largest piece that it can give: 1, 2 or 4 pages, aligned, or all
//     32; in none if it has no free page. So a taker of a span's pages looks at one chunk.
//   - Chunks from the frontier on were never used.
// One lock guards all of it. Nobody holds it during system calls, nor while filling tables or
// memory.
#pragma once

#include "gc/heap/arena.hpp"

#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct local_heap;

/// How many chunks have been in use at all; grows. Any thread.
[[nodiscard]] std::uint32_t chunks_in_use() noexcept;

/// Pages for a span, aligned to its size, from the heap's cache or a chunk that it takes. Returns
/// no_page when memory ends. `dirty`: they may not read 0. Owner only.
[[nodiscard]] page_number take_span_pages(local_heap& heap, std::uint32_t pages,
                                          bool& dirty) noexcept;

/// Puts the pages in the heap's cache back.
void give_cached_pages(local_heap& heap) noexcept;

/// Pages beside each other for a large object, which the caller zeroes: see zero_new_pages().
/// Returns no_page when memory ends.
[[nodiscard]] page_number take_large_pages(std::uint32_t pages) noexcept;

/// Makes pages just taken read 0, where they are dirty.
void zero_new_pages(page_number first, std::uint32_t pages) noexcept;

/// Takes back pages of one chunk: `which` has a bit for each.
void give_pages(std::uint32_t in_chunk, std::uint32_t which) noexcept;

/// Takes back pages beside each other.
void give_page_range(page_number first, std::uint32_t pages) noexcept;

/// Gives memory of whole free chunks to the kernel as long as more than `keep_bytes` of free memory
/// are left, at most `step_bytes` and at most 2 MiB in one call. Returns how many bytes it gave; 0
/// if there is nothing to give. Allocation does not wait for it. One caller at a time.
std::size_t scavenge(std::size_t keep_bytes, std::size_t step_bytes) noexcept;

/// Makes memory present that the heap will use next: 2 MiB in one call, up to `ahead_bytes` beyond
/// the frontier. Otherwise the thread that allocates waits while the kernel clears it, which takes
/// 100 us and more for a page of 2 MiB. Returns how many bytes became present; 0 if there is
/// nothing to do, or the kernel can't. One caller at a time.
std::size_t populate_ahead(std::size_t ahead_bytes) noexcept;

/// Free pages that have memory; free chunks whose memory is with the kernel; all chunks up to the
/// frontier. Any thread, out of date at once.
[[nodiscard]] std::size_t free_bytes() noexcept;
[[nodiscard]] std::size_t released_bytes() noexcept;
[[nodiscard]] std::size_t mapped_bytes() noexcept;

/// Around a fork().
void lock_page_heap() noexcept;
void unlock_page_heap() noexcept;

/// Forgets all chunks: close_heap().
void reset_page_heap() noexcept;

}  // namespace weft::detail
