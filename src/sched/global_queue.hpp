// The overflow of the processors' run queues, and what is made ready by threads without a processor.
#pragma once

#include "base/intrusive_list.hpp"
#include "os/ranked_lock.hpp"
#include "sched/coroutine.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <span>

namespace weft::detail {

/// First in, first out, under one lock; taken from in batches, so that the lock is rare.
class global_queue {
public:
    void push(coroutine& c) noexcept {
        const std::lock_guard hold(lock_);
        queue_.push(c);
        size_.store(queue_.size(), std::memory_order_relaxed);
    }

    void push(std::span<coroutine* const> batch) noexcept {
        const std::lock_guard hold(lock_);
        for (coroutine* const c : batch) queue_.push(*c);
        size_.store(queue_.size(), std::memory_order_relaxed);
    }

    /// Fills `out` with the oldest, leaving what is there for `processors - 1` others; returns how many.
    std::size_t take(std::span<coroutine*> out, std::size_t processors) noexcept {
        if (empty()) return 0;
        const std::lock_guard hold(lock_);
        const std::size_t share = queue_.size() / processors + 1;
        std::size_t n = 0;
        for (const std::size_t count = std::min({share, out.size(), queue_.size()}); n != count;) {
            out[n++] = queue_.pop();
        }
        size_.store(queue_.size(), std::memory_order_relaxed);
        return n;
    }

    /// A snapshot; what decides to sleep by it has a fence before (edge *no lost wakeup*, idle.hpp).
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t size() const noexcept {
        return size_.load(std::memory_order_relaxed);
    }

private:
    ranked_lock lock_{lock_rank::global_queue};
    intrusive_queue<coroutine, &coroutine::link> queue_;
    std::atomic<std::size_t> size_{0};
};

}  // namespace weft::detail
