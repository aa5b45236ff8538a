// The overflow of the processors' run queues, and what is made ready by threads without a processor.
//
//     queue_   those that have run before, or come from outside: first in, first out
//     fresh_   those that were spilled without ever having run: last in, first out, but for one now and then; and
//              ahead of the queue, but for one in `queue_share`: who yields lets most of them run
//
// Why fresh ones are different: a coroutine that has not run holds a descriptor, one that has holds a stack too, and
// mostly started others that it waits for. Were fresh ones served in order, a tree of coroutines would be walked in
// breadth, with all of a level started before the first is done: skynet with a million leaves peaked at 135,000
// coroutines and 23,000 stacks. In depth it is 28,000 and 3,300 (counted, and simulated), in caches that know them. So
// that none waits for ever, a fairness turn takes the oldest.
//
// Pointers rather than a list through the coroutines: half a run queue comes and goes at a time, and a list
// would touch each descriptor, a cache line nobody needs yet, once to link and once to unlink it.
#pragma once

#include "base/intrusive_list.hpp"
#include "base/pointer_deque.hpp"
#include "os/ranked_lock.hpp"
#include "sched/coroutine.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <span>

namespace weft::detail {

/// Taken from in batches, so that the lock is rare.
class global_queue {
public:
    constexpr global_queue() noexcept = default;
    global_queue(const global_queue&) = delete;
    global_queue& operator=(const global_queue&) = delete;

    void push(coroutine& c) noexcept {
        const std::lock_guard hold(lock_);
        append(c);
        publish_size();
    }

    /// What a run queue spills, oldest first.
    void push(std::span<coroutine* const> batch) noexcept {
        const std::lock_guard hold(lock_);
        for (coroutine* const c : batch) {
            if (!is_fresh(*c)) append(*c);
        }
        // From behind, so that the oldest of the batch is the first to be taken.
        for (std::size_t i = batch.size(); i-- != 0;) {
            if (is_fresh(*batch[i]) && !fresh_.push_front(batch[i])) append(*batch[i]);
        }
        publish_size();
    }

    /// Fills `out`, leaving what is there for `processors - 1` others; returns how many.
    std::size_t take(std::span<coroutine*> out, std::size_t processors) noexcept {
        if (empty()) return 0;
        const std::lock_guard hold(lock_);
        return take_locked(out, share_of(size_locked(), processors), &global_queue::take_next);
    }

    /// For a turn in which nobody must be passed over: by turns a batch of those that have run, and the oldest of those
    /// that never have, alone. (A batch of these would start a walk in breadth.)
    std::size_t take_fairly(std::span<coroutine*> out, std::size_t processors) noexcept {
        if (empty()) return 0;
        const std::lock_guard hold(lock_);
        turn_of_fresh_ = !turn_of_fresh_;
        const std::size_t others = queue_.size() + overflow_.size();
        if (!fresh_.empty() && (turn_of_fresh_ || others == 0)) {
            return take_locked(out, 1, &global_queue::take_oldest_fresh);
        }
        return take_locked(out, share_of(others, processors), &global_queue::take_queued);
    }

    /// A snapshot; what decides to sleep by it has a fence before (edge *no lost wakeup*, idle.hpp).
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t size() const noexcept {
        return size_.load(std::memory_order_relaxed);
    }

    /// Gives the memory back. Empty, and nobody uses it.
    void release() noexcept {
        const std::lock_guard hold(lock_);
        queue_.release();
        fresh_.release();
    }

private:
    static constexpr unsigned queue_share = 16;

    static bool is_fresh(const coroutine& c) noexcept {
        return c.state.load(std::memory_order_relaxed) == co_state::runnable;
    }

    void append(coroutine& c) noexcept {
        // Nothing is lost when memory ends; only the order.
        if (!queue_.push_back(&c)) overflow_.push(c);
    }

    coroutine* take_queued() noexcept {
        return queue_.empty() ? overflow_.pop() : queue_.pop_front();
    }
    coroutine* take_oldest_fresh() noexcept { return fresh_.pop_back(); }
    coroutine* take_next() noexcept {
        const bool others = !queue_.empty() || !overflow_.empty();
        if (!fresh_.empty() && (!others || ++turn_ % queue_share != 0)) return fresh_.pop_front();
        return take_queued();
    }

    static std::size_t share_of(std::size_t there, std::size_t processors) noexcept {
        return std::min(there / processors + 1, there);
    }
    std::size_t take_locked(std::span<coroutine*> out, std::size_t count,
                            coroutine* (global_queue::*next)() noexcept) noexcept {
        count = std::min(count, out.size());
        for (std::size_t n = 0; n != count; ++n) {
            out[n] = (this->*next)();
            __builtin_prefetch(out[n], 1);
        }
        publish_size();
        return count;
    }

    [[nodiscard]] std::size_t size_locked() const noexcept {
        return queue_.size() + fresh_.size() + overflow_.size();
    }
    void publish_size() noexcept { size_.store(size_locked(), std::memory_order_relaxed); }

    ranked_lock lock_{lock_rank::global_queue};
    pointer_deque<coroutine> queue_;
    pointer_deque<coroutine> fresh_;
    intrusive_queue<coroutine, &coroutine::link> overflow_;
    bool turn_of_fresh_ = false;
    unsigned turn_ = 0;
    std::atomic<std::size_t> size_{0};
};

}  // namespace weft::detail
