// The central lists: swept spans with room, one list for each layout.
//
// A short lock guards each: a span is taken or added with a few instructions.
//
// Invariant: all spans in a list have the present epoch, and go to heaps that have adopted it.
// advance_epoch() stores the new epoch and then empties the lists; add_to_central() and
// take_central() compare theirs under the lock. A thread that locks before the list is emptied has
// to do with spans of the old epoch alone, and whoever locks after that sees the new one. Without
// the comparison in take_central() a heap that is still black could take a span that another heap,
// which has answered the last handshake, has given back: it would set N bits there, and they would
// outlive the cycle.
//   Checked by  refill(), in builds with assertions: a current span has its heap's epoch.
#pragma once

#include "gc/heap/arena.hpp"

#include <cstdint>

namespace weft::detail {

/// Returns the first page of a span that is the caller's from now on; no_page if there is none, or
/// if `epoch`, the caller's, is not the present one.
[[nodiscard]] page_number take_central(unsigned layout, std::uint8_t epoch) noexcept;

/// The span has `epoch`; if that is the present one no longer, the span is left to the sweep.
void add_to_central(unsigned layout, page_number page, std::uint8_t epoch) noexcept;

/// All of them, around a fork().
void lock_central() noexcept;
void unlock_central() noexcept;

/// Makes all lists empty. Their spans are nobody's then.
void empty_central() noexcept;

}  // namespace weft::detail
