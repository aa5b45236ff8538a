// Allocation beyond the run: the next run, and large objects.
#pragma once

#include "gc/heap/local_heap.hpp"

#include <cstddef>

namespace weft::detail {

/// Gives the heap's layout its next run of free slots and returns the first of them, zeroed; the
/// rest is the run. It looks at the current span, at the central list, sweeps up to 16 spans, and
/// takes fresh pages, in this order. Null when memory ends. Owner only; the answer to a handshake
/// waits until it has returned.
[[nodiscard]] void* refill(local_heap& heap, unsigned layout) noexcept;

/// An object of more than gc_small_max bytes, zeroed, on pages of its own. Null when memory ends.
/// Owner only, as refill().
[[nodiscard]] void* allocate_large(local_heap& heap, std::size_t bytes, gc_kind kind) noexcept;

}  // namespace weft::detail
