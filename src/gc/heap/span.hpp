// Spans: slots of one layout, and their bits.
//
//   S  seen       written by the marker, while marking; cleared by the sweeper
//   B  scanned    likewise
//   N  fresh      written by the owner of the span; cleared by the sweeper
//   A  in use     written by the owner of the span, and by the sweeper
//
// Each has one writer at any time, so no bit is set by a locked instruction: marker and allocation
// never write the same word, and a span that is being swept belongs to its sweeper alone. Loads and
// stores are plain ones, relaxed, except for A where a run is made (refill.cpp). A span changes
// hands under a lock, by a CAS on its epoch, or with the answer to a handshake.
#pragma once

#include "gc/heap/arena.hpp"

#include <cstdint>

namespace weft::detail {

struct local_heap;

/// A fresh span for the layout, all slots free; the caller's. Returns no_page when memory ends.
[[nodiscard]] page_number make_span(local_heap& heap, unsigned layout) noexcept;

/// Takes the entries of a span or large object out of the page table. The pages are still the
/// caller's.
void unpublish(page_number page, std::uint32_t pages, gc_kind kind) noexcept;

/// Stores the entries of a span or large object, whose record and bits are complete.
void publish(page_number page, std::uint32_t pages, page_entry entry) noexcept;

/// The bits of slots [begin, end) within word `w`.
[[nodiscard]] constexpr std::uint64_t bits_between(unsigned begin, unsigned end,
                                                   unsigned w) noexcept {
    const unsigned low = w * 64;
    const unsigned from = begin > low ? begin - low : 0;
    const unsigned to = end < low + 64 ? end - low : 64;
    const std::uint64_t below = to == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << to) - 1;
    return below & ~((std::uint64_t{1} << from) - 1);
}

}  // namespace weft::detail
