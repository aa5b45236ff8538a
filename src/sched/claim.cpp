#include "sched/claim.hpp"

#include "base/assert.hpp"
#include "sched/park.hpp"

namespace weft::detail {

bool settle_claim(coroutine& c) noexcept {
    claim_state seen = claim_state::requested;
    // acquire: a claimer that had it before us, and has just released it, is done with it.
    if (c.claim.compare_exchange_strong(seen, claim_state::none, std::memory_order_acq_rel) ||
        seen == claim_state::none) {
        return true;
    }
    // Held. Back to parked first: once held_ready is there its claimer may queue it.
    c.state.store(co_state::parked, std::memory_order_relaxed);
    seen = claim_state::held;
    if (c.claim.compare_exchange_strong(seen, claim_state::held_ready, std::memory_order_acq_rel)) {
        return false;
    }
    // Released between our two looks. Another claimer may already be asking: start again.
    return enter_parked(c);
}

bool request_claim(coroutine& c) noexcept {
    if (c.state.load(std::memory_order_acquire) != co_state::parked) return false;
    claim_state seen = claim_state::none;
    return c.claim.compare_exchange_strong(seen, claim_state::requested, std::memory_order_acq_rel);
}

bool confirm_claim(coroutine& c) noexcept {
    const bool parked = c.state.load(std::memory_order_acquire) == co_state::parked;
    claim_state seen = claim_state::requested;
    return c.claim.compare_exchange_strong(seen, parked ? claim_state::held : claim_state::none,
                                           std::memory_order_acq_rel) &&
           parked;
}

void release_claim(coroutine& c) noexcept {
    const claim_state was = c.claim.exchange(claim_state::none, std::memory_order_acq_rel);
    WEFT_ASSERT(was == claim_state::held || was == claim_state::held_ready);
    if (was == claim_state::held_ready) enqueue(c);
}

}  // namespace weft::detail
