// Coroutines that wait for each other in a ring, by locks and joins.
//
// A coroutine that waits for a lock waits for its holder; one that joins waits for the one that it joins, and one that
// joins a scope for each of the scope's children. None of these can let go, or end, while it waits itself. So a ring is a
// deadlock of those in it, unless a time limit or a cancellation ends one of the waits; in a standstill nothing can.
//
// A snapshot is not one moment, so the ring must have been whole at one. In a standstill it is. Otherwise each of the
// ring must have been seen waiting, where it is, from before the snapshot began: nobody who waits lets go of a lock.
#pragma once

#include "report/snapshot.hpp"

#include <string>

namespace weft::detail {

/// Appends a line for each ring, but for rings that share a scope's join one for all of them, at most `rings_max`: "weft: cycle: coroutine 2 'ab' wants the mutex 0x10 that coroutine 3
/// 'ba' holds, which wants ...". `at_rest`: nothing has run since the snapshot began.
void append_cycles(std::string& text, const snapshot& all, bool at_rest);

}  // namespace weft::detail
