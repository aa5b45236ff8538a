// The overflow of the processors' run queues, and what is made ready by threads without a processor.
//
//     slots_   a ring of pointers under one lock, twice as large whenever it is full
//
// Pointers rather than a list through the coroutines: half a run queue comes and goes at a time, and a list
// would touch each descriptor, a cache line nobody needs yet, once to link and once to unlink it.
#pragma once

#include "base/intrusive_list.hpp"
#include "base/off_heap.hpp"
#include "os/ranked_lock.hpp"
#include "sched/coroutine.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <span>

namespace weft::detail {

/// First in, first out; taken from in batches, so that the lock is rare.
class global_queue {
public:
    constexpr global_queue() noexcept = default;
    global_queue(const global_queue&) = delete;
    global_queue& operator=(const global_queue&) = delete;

    void push(coroutine& c) noexcept {
        coroutine* const one = &c;
        push({&one, 1});
    }

    void push(std::span<coroutine* const> batch) noexcept {
        const std::lock_guard hold(lock_);
        for (coroutine* const c : batch) {
            if (tail_ - head_ == capacity_ && !grow()) {
                overflow_.push(*c);  // Nothing is lost when memory ends; only the order.
            } else {
                slots_[tail_++ & (capacity_ - 1)] = c;
            }
        }
        publish_size();
    }

    /// Fills `out` with the oldest, leaving what is there for `processors - 1` others; returns how many.
    std::size_t take(std::span<coroutine*> out, std::size_t processors) noexcept {
        if (empty()) return 0;
        const std::lock_guard hold(lock_);
        const std::size_t there = tail_ - head_ + overflow_.size();
        const std::size_t count = std::min({there / processors + 1, out.size(), there});
        for (std::size_t n = 0; n != count; ++n) {
            out[n] = head_ != tail_ ? slots_[head_++ & (capacity_ - 1)] : overflow_.pop();
            __builtin_prefetch(out[n], 1);
        }
        publish_size();
        return count;
    }

    /// A snapshot; what decides to sleep by it has a fence before (edge *no lost wakeup*, idle.hpp).
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t size() const noexcept {
        return size_.load(std::memory_order_relaxed);
    }

    /// Gives the ring back. Empty, and nobody uses it.
    void release() noexcept {
        const std::lock_guard hold(lock_);
        off_heap_free(slots_);
        slots_ = nullptr;
        capacity_ = head_ = tail_ = 0;
    }

private:
    bool grow() noexcept {
        const std::size_t wider = capacity_ == 0 ? 1024 : capacity_ * 2;
        coroutine** slots = nullptr;
        try {
            slots = static_cast<coroutine**>(
                off_heap_allocate(wider * sizeof(coroutine*), alignof(coroutine*)));
        } catch (...) {
            return false;
        }
        for (std::size_t i = head_; i != tail_; ++i)
            slots[i & (wider - 1)] = slots_[i & (capacity_ - 1)];
        off_heap_free(slots_);
        slots_ = slots;
        capacity_ = wider;
        return true;
    }

    void publish_size() noexcept {
        size_.store(tail_ - head_ + overflow_.size(), std::memory_order_relaxed);
    }

    ranked_lock lock_{lock_rank::global_queue};
    coroutine** slots_ = nullptr;
    std::size_t capacity_ = 0;  // A power of two, or 0.
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
    intrusive_queue<coroutine, &coroutine::link> overflow_;
    std::atomic<std::size_t> size_{0};
};

}  // namespace weft::detail
