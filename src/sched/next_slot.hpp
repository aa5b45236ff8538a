// The coroutine that was made ready last: it runs next, while what it was given is still in the cache.
//
// One atomic pointer. The owner puts and takes; a thief may take too, after a while. While `bias` holds, the
// owner's accesses are plain (sched/bias.hpp); otherwise both take by exchange or CAS, and release / acquire
// on the pointer hands over the coroutine (edge *publish* of run_queue.hpp, with a ring of one).
#pragma once

#include "sched/bias.hpp"

#include <atomic>

namespace weft::detail {

struct coroutine;

class next_slot {
public:
    /// Owner only. Puts `c` here and returns who was here, or null. `owner_bias` is the same each time; it is no
    /// member, for to follow a reference would hold up every hand-over.
    [[nodiscard]] coroutine* put(coroutine* c, bias& owner_bias) noexcept {
        if (owner_bias.enter()) {
            coroutine* const kicked = slot_.load(std::memory_order_relaxed);
            slot_.store(c, std::memory_order_release);
            owner_bias.leave();
            return kicked;
        }
        return slot_.exchange(c, std::memory_order_acq_rel);
    }

    /// Owner only. Null when empty.
    [[nodiscard]] coroutine* take(bias& owner_bias) noexcept {
        if (slot_.load(std::memory_order_relaxed) == nullptr) return nullptr;
        return put(nullptr, owner_bias);
    }

    /// Any thread, once the bias is revoked: takes `c` if it is still here.
    [[nodiscard]] bool steal(coroutine* c) noexcept {
        return slot_.compare_exchange_strong(c, nullptr, std::memory_order_acq_rel);
    }

    [[nodiscard]] coroutine* peek() const noexcept { return slot_.load(std::memory_order_acquire); }

private:
    std::atomic<coroutine*> slot_{nullptr};
};

}  // namespace weft::detail
