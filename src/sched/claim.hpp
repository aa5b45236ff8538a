// Claiming a parked coroutine: looking at one from outside, without stopping anything.
//
// A claimer (trimmer, collector, dump) wants a parked coroutine to stay parked for a moment. Switching a
// coroutine in is far more frequent, and must not pay a locked instruction for it (6 ns of a 10 ns switch),
// so the two meet as in a biased lock, by asymmetric fences (os/fence.hpp):
//
//       switch in                                  claim
//   1   state = running                        1   claim = requested
//   2   light_fence                            2   heavy_fence          (one for a whole batch)
//   3   if (claim == none) go on               3   if (state == parked) requested -> held, by CAS
//   4   else settle, by CAS on `claim`             else requested -> none, by CAS
//
// Edge *claim*. By the fences, either step 3 of the claimer sees `running` and retreats, or step 3 of the
// switcher sees the request. If both see each other the CAS on `claim` decides: requested -> none by the
// switcher (it runs, the claimer has lost) or requested -> held by the claimer (the switcher puts the state
// back, leaves held_ready behind and runs something else; whoever releases the claim queues the coroutine).
// Nobody spins on a claim.
//   Relied on   by every reader of a parked coroutine's stack.
//   Tested by   tests/sched/claim_stress.cpp.
//
// The alternative, a CAS parked -> running on every switch, was measured at 6 ns on an Emerald Rapids core.
#pragma once

#include "os/fence.hpp"
#include "sched/coroutine.hpp"

namespace weft::detail {

/// The slow half of entering a claimed coroutine. True: it is ours to run. False: its claimer has it, and
/// will queue it.
[[nodiscard]] bool settle_claim(coroutine& c) noexcept;

/// Switch-in side: takes a coroutine that came off a run queue from parked to running. False: it is claimed;
/// forget it.
[[nodiscard]] inline bool enter_parked(coroutine& c) noexcept {
    c.state.store(co_state::running, std::memory_order_relaxed);
    light_fence();
    if (c.claim.load(std::memory_order_relaxed) == claim_state::none) [[likely]]
        return true;
    return settle_claim(c);
}

/// Step 1. False when somebody else is claiming it, or when it is not parked anyway.
[[nodiscard]] bool request_claim(coroutine& c) noexcept;
/// Step 3, after a heavy_fence(). True: it is parked, and stays so until release_claim().
[[nodiscard]] bool confirm_claim(coroutine& c) noexcept;
/// Queues the coroutine if it became ready meanwhile.
void release_claim(coroutine& c) noexcept;

}  // namespace weft::detail
