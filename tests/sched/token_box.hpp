// The smallest thing a coroutine can wait for, built on park.hpp as everything that blocks is: tokens, put in
// by anyone and taken by one.
#pragma once

#include "sched/park.hpp"
#include <weft/detail/spin_lock.hpp>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace weft::detail {

class token_box {
public:
    /// Waits for a token. One coroutine at a time.
    void take() {
        {
            const std::lock_guard hold(lock_);
            if (tokens_ != 0) {
                --tokens_;
                return;
            }
            coroutine& self = current_coroutine();
            prepare_park(self);
            waiter_ = &self;
        }
        park(current_coroutine());
        // ready() orders the two on the machine, but ThreadSanitizer is not told of it.
        if (!handed_over_.exchange(false, std::memory_order_acquire)) std::abort();
    }

    /// Any thread.
    void give() {
        coroutine* woken = nullptr;
        {
            const std::lock_guard hold(lock_);
            if (waiter_ == nullptr) {
                ++tokens_;
                return;
            }
            woken = std::exchange(waiter_, nullptr);
            handed_over_.store(true, std::memory_order_release);
        }
        ready(*woken);
    }

private:
    spin_lock lock_;
    unsigned tokens_ = 0;  // Under lock_, as is the next.
    coroutine* waiter_ = nullptr;
    std::atomic<bool> handed_over_{false};
};

}  // namespace weft::detail
