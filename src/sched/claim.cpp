#include "sched/claim.hpp"

#include "base/assert.hpp"
#include "base/backoff.hpp"
#include "sched/park.hpp"

#include <bit>

namespace weft::detail {
namespace {

// A bit for each number that is taken.
constinit std::atomic<std::uint64_t> taken{0};

unsigned take_number() noexcept {
    std::uint64_t seen = taken.load(std::memory_order_relaxed);
    for (backoff wait;;) {
        const auto number = static_cast<unsigned>(std::countr_one(seen));
        if (number == claimer::most) {
            wait.pause();
            seen = taken.load(std::memory_order_relaxed);
            continue;
        }
        // acquire: the claims of who had the number before are over.
        if (taken.compare_exchange_weak(seen, seen | std::uint64_t{1} << number,
                                        std::memory_order_acquire, std::memory_order_relaxed)) {
            return number;
        }
    }
}

}  // namespace

claimer::claimer() noexcept : number_(take_number()) {}
claimer::~claimer() { taken.fetch_and(~(std::uint64_t{1} << number_), std::memory_order_release); }

bool claimer::request(coroutine& c) const noexcept {
    if (c.state.load(std::memory_order_acquire) != co_state::parked) return false;
    claim_word seen = 0;
    return c.claim.compare_exchange_strong(seen, claim_by(number_, claim_state::requested),
                                           std::memory_order_acq_rel);
}

bool claimer::confirm(coroutine& c) const noexcept {
    const bool parked = c.state.load(std::memory_order_acquire) == co_state::parked;
    claim_word seen = claim_by(number_, claim_state::requested);
    return c.claim.compare_exchange_strong(
               seen, parked ? claim_by(number_, claim_state::held) : claim_word{0},
               std::memory_order_acq_rel) &&
           parked;
}

void claimer::release(coroutine& c) const noexcept {
    const claim_word was = c.claim.exchange(0, std::memory_order_acq_rel);
    WEFT_ASSERT(was == claim_by(number_, claim_state::held) ||
                was == claim_by(number_, claim_state::held_ready));
    if (state_of_claim(was) == claim_state::held_ready) enqueue(c);
}

bool settle_claim(coroutine& c) noexcept {
    // acquire: a claimer that had it before us, and has just released it, is done with it.
    for (claim_word seen = c.claim.load(std::memory_order_acquire);;) {
        switch (state_of_claim(seen)) {
        case claim_state::none:
            return true;
        case claim_state::requested:
            if (c.claim.compare_exchange_weak(seen, 0, std::memory_order_acq_rel)) return true;
            break;
        case claim_state::held: {
            // Back to parked first: once held_ready is there its claimer may queue it.
            c.state.store(co_state::parked, std::memory_order_relaxed);
            const claim_word ready =
                static_cast<claim_word>(seen | claim_by(0, claim_state::held_ready));
            if (c.claim.compare_exchange_strong(seen, ready, std::memory_order_acq_rel)) {
                return false;
            }
            // Released between our two looks. Another claimer may already be asking, and has seen it parked: enter again.
            c.state.store(co_state::running, std::memory_order_relaxed);
            light_fence();
            seen = c.claim.load(std::memory_order_acquire);
            break;
        }
        case claim_state::held_ready:
            WEFT_ASSERT(!"a coroutine came off a queue while its claimer had it to queue");
            return false;
        }
    }
}

}  // namespace weft::detail
