// The collected heap, all of it: what the collector and the allocation paths include.
//
//     local_heap   runs and current spans of one processor      refill() moves the run on
//         |
//     central      swept spans with room, by layout             sweep_some() adds them
//         |
//     page_heap    free pages, by chunks                        scavenge() gives them to the kernel
//         |
//     arena        addresses, page table, bitmaps               find_object() reads them
//
// Non-moving mark and sweep, while the program runs. docs/design says why, sweep.hpp in which
// order.
#pragma once

#include "gc/heap/accounting.hpp"
#include "gc/heap/arena.hpp"
#include "gc/heap/central.hpp"
#include "gc/heap/dead.hpp"
#include "gc/heap/layouts.hpp"
#include "gc/heap/local_heap.hpp"
#include "gc/heap/object.hpp"
#include "gc/heap/page_heap.hpp"
#include "gc/heap/refill.hpp"
#include "gc/heap/span.hpp"
#include "gc/heap/sweep.hpp"

#include <cstddef>

namespace weft::detail {

/// Makes the heap ready. Idempotent. Returns false if the kernel gives no address space for it. Any
/// thread. `arena_most` bounds the arena, for tests.
[[nodiscard]] bool open_heap(std::size_t arena_most = arena_size_max) noexcept;

/// Unmaps everything. No object lives, nobody allocates, marks or sweeps, and no local heap is used
/// again.
void close_heap() noexcept;

/// The lock of open_heap() and close_heap(), around a fork().
void lock_heap_opening() noexcept;
void unlock_heap_opening() noexcept;

}  // namespace weft::detail
