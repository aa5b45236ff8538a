// Arrivals come from outside of the processors: results of blocking calls, what other threads make ready or start, their
// timers, what a claim or a processor taken out of use gives back.
//
// An arrival belongs to no processor's queue, so it would wait until some processor comes by the global queue, and beside
// coroutines that compute that takes a slice. So arrivals come ahead of the others, for at most half of the time, as what timers wake
// does (turns.hpp); and whoever brings one asks a processor to come by.
//
// Edge *look*, between who brings an arrival while all processors are busy, and a machine on its way through find_work():
//
//       arrive                                       find_work
//   1   push                                     1   request = preempt.exchange(0), if it is not 0
//   2   fence(seq_cst)                           2   fence(seq_cst)
//   3   preempt: 0 -> look, if it is 0           3   look whether there are arrivals
//
// Step 3 of arrive() leaves a request that a later pass finds; or it saw one, and if step 1 of find_work() took that away
// behind it, then by the fences step 3 of find_work() sees the arrival. (A plain store in step 1 could overtake: the
// request would be gone, and the arrival unseen until the 61st dispatch.)
// The same holds for an operation that takes a look away by itself (preemption_point_slow()), for it has find_work() called
// next, behind a fence.
//   No test sees it broken: a look that is lost is made up for by the monitor's, once a turn.
#pragma once

#include <span>

namespace weft::detail {

struct coroutine;

/// Queues a coroutine that is parked, or new, and nobody else's, as an arrival, and has it seen to. Any thread with a
/// foreign_visit, or on its way to sleep without a processor.
void arrive(coroutine& c) noexcept;
/// Several, oldest first; the caller looks for idle processors itself.
void arrive_together(std::span<coroutine* const> batch) noexcept;

}  // namespace weft::detail
