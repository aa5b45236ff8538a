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
    explicit next_slot(bias& owner_bias) noexcept : bias_(owner_bias) {}

    /// Owner only. Puts `c` here and returns who was here, or null.
    [[nodiscard]] coroutine* put(coroutine* c) noexcept {
        if (bias_.enter()) {
            coroutine* const kicked = slot_.load(std::memory_order_relaxed);
            slot_.store(c, std::memory_order_release);
            bias_.leave();
            return kicked;
        }
        return slot_.exchange(c, std::memory_order_acq_rel);
    }

    /// Owner only. Null when empty.
    [[nodiscard]] coroutine* take() noexcept {
        if (slot_.load(std::memory_order_relaxed) == nullptr) return nullptr;
        return put(nullptr);
    }

    /// Any thread, once the bias is revoked: takes `c` if it is still here.
    [[nodiscard]] bool steal(coroutine* c) noexcept {
        return slot_.compare_exchange_strong(c, nullptr, std::memory_order_acq_rel);
    }

    [[nodiscard]] coroutine* peek() const noexcept { return slot_.load(std::memory_order_acquire); }

private:
    std::atomic<coroutine*> slot_{nullptr};
    bias& bias_;
};

}  // namespace weft::detail
