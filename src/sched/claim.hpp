// Claiming a parked coroutine: looking at one from outside, without stopping anything.
//
// A claimer (trimmer, collector, dump) wants a parked coroutine to stay parked for a moment. Switching a
// coroutine in is far more frequent, and must not pay a locked instruction for it (6 ns of a 10 ns switch),
// so the two meet as in a biased lock, by asymmetric fences (os/fence.hpp):
//
//       switch in                                  claim
//   1   state = running                        1   claim = requested by n, if it was none, by CAS
//   2   light_fence                            2   heavy_fence          (one for a whole batch)
//   3   if (claim == none) go on               3   if (state == parked) requested by n -> held by n, by CAS
//   4   else settle, by CAS on `claim`             else requested by n -> none, by CAS
//
// Edge *claim*. By the fences, either step 3 of the claimer sees `running` and retreats, or step 3 of the
// switcher sees the request. If both see each other the CAS on `claim` decides: requested -> none by the
// switcher (it runs, the claimer has lost) or requested -> held by the claimer (the switcher puts the state
// back, leaves held_ready behind and runs something else; whoever releases the claim queues the coroutine).
// Nobody spins on a claim.
//
// The word names its claimer by a number, because there may be several. Without it one claimer could take another's
// request for its own: A asks; the switcher withdraws that request and runs the coroutine, which parks and is entered again;
// it sees no claim, but its store of `running` is still on its way. A, whose fence was before that, finds it parked. Now B
// asks, and A turns B's request into a claim of its own: only B's fence, which has yet to come, would have seen it run.
//   Relied on   by every reader of a parked coroutine's stack.
//   Tested by   tests/sched/claim_stress.cpp, and docs/internals/models/claim_model.py, which tries every order of the
//               steps of one switcher and up to three claimers, and finds the fault when the numbers are left out.
//
// The alternative, a CAS parked -> running on every switch, was measured at 6 ns on an Emerald Rapids core.
#pragma once

#include "os/fence.hpp"
#include "sched/coroutine.hpp"

namespace weft::detail {

/// A claim word: in its lower two bits the state, above them the claimer's number.
using claim_word = std::uint8_t;
[[nodiscard]] constexpr claim_word claim_by(unsigned claimer, claim_state state) noexcept {
    return static_cast<claim_word>(claimer << 2 | static_cast<unsigned>(state));
}
[[nodiscard]] constexpr claim_state state_of_claim(claim_word word) noexcept {
    return static_cast<claim_state>(word & 3);
}

/// Somebody who claims, with a number that nobody else has meanwhile. One thread at a time uses it. Each request is
/// confirmed, successfully or not, before the claimer ends: then no word has its number any more.
class claimer {
public:
    static constexpr unsigned most = 64;

    /// Waits while `most` others are there.
    claimer() noexcept;
    ~claimer();
    claimer(const claimer&) = delete;
    claimer& operator=(const claimer&) = delete;

    /// Step 1. Returns false if somebody else is claiming it, or it is not parked anyway.
    [[nodiscard]] bool request(coroutine& c) const noexcept;
    /// Step 3, after a heavy_fence(). Returns true if it is parked; it stays so until release().
    [[nodiscard]] bool confirm(coroutine& c) const noexcept;
    /// Queues the coroutine if it became ready meanwhile.
    void release(coroutine& c) const noexcept;

private:
    const unsigned number_;
};

/// The slow half of entering a claimed coroutine. Returns true if it is ours to run; false if its claimer has it, and
/// will queue it.
[[nodiscard]] bool settle_claim(coroutine& c) noexcept;

/// Switch-in side: takes a coroutine that came off a run queue from parked to running. Returns false if it is claimed: its
/// claimer has it then.
[[nodiscard]] inline bool enter_parked(coroutine& c) noexcept {
    c.state.store(co_state::running, std::memory_order_relaxed);
    light_fence();
    if (c.claim.load(std::memory_order_relaxed) == 0) [[likely]]
        return true;
    return settle_claim(c);
}

}  // namespace weft::detail
