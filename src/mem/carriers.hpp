// Carriers: memory outside of the collected heap and of stacks in which values of the program's lie, and with them pointers
// into that heap: cells and boxes of channels, values of weft::local, functions of timers, cases of a select_set.
//
// The collector reads all that exist, once in a cycle. What is put into one later is shaded by whoever does so. A carrier
// is in one of some lists, each with a lock, so that many threads may make them at once. The collector goes through a list by
// steps, with a mark of its own in it, and holds the lock for some tens of carriers each time.
//
// Ownership: the caller's, as with off_heap_allocate(). The header lies before the memory.
#pragma once

#include <weft/detail/gc_carrier.hpp>

namespace weft::detail {

/// Calls see(context, low, high) for the words of every carrier that exists before the call and after it. Under a lock: it must not
/// allocate carriers. One caller at a time.
void for_each_carrier(void (*see)(void* context, const void* low, const void* high) noexcept,
                      void* context) noexcept;

/// All lists, around a fork().
void lock_carriers() noexcept;
void unlock_carriers() noexcept;
/// In the child of a fork(), under all locks: whoever was going through the lists is gone.
void forget_walks_of_carriers() noexcept;

}  // namespace weft::detail
