// The queues that all processors serve: arrivals, the overflow of their run queues, and those whose slice is up.
//
//     arrivals_  made ready by threads without a processor: first in, first out, and ahead of the others (turns.hpp)
//     queue_     overflow that has run before: first in, first out
//     fresh_     overflow that has never run: last in, first out, or the oldest first when they have waited for long; and
//                ahead of the queue, but for one in `queue_share`
//     yielded_   gave way to all that waited: in the queue once as many have been taken
//     expired_   preempted at the end of their slice: first in, first out, and one at a time
//
// A coroutine of queue_, fresh_ or expired_ that has waited for long is *overdue*, and comes ahead of what a processor has
// itself: after two turns, or after 4 to 32 if it has never run. Nobody reads a clock for it, because each queue counts by
// turns how old its coroutines are.
//
// Why fresh ones are different: a coroutine that has not run holds a descriptor, one that has holds a stack too, and
// mostly started others that it waits for. Were fresh ones served in order, a tree of coroutines would be walked in
// breadth, with all of a level started before the first is done: skynet with a million leaves peaked at 135,000
// coroutines and 23,000 stacks. In depth it is 28,000 and 3,300 (counted, and simulated), in caches that know them.
//
// But a burst of requests is to be served in order, because otherwise its first would wait for its end. What tells the two
// apart is what the oldest does: near the root of a tree it starts others, and in a burst it does not. So the first that
// has waited for four turns is run as a *probe*. If it starts none, all are served in order after four turns from then on;
// if it does, they are after 32: a tree is done, or deep, after a third of a second. (With four or five turns for all
// skynet took 1.3 to 1.5 times the time and 1.6 to 2 times the memory of `bench/run --only s5`.)
//
// Why expired ones are taken one at a time: a processor that took a share of them would take its own back with it, and
// three loops on two processors would go on having 0.75, 0.75 and 1.5 of a fair part each.
//
// Pointers rather than a list through the coroutines: half a run queue comes and goes at a time, and a list
// would touch each descriptor, a cache line nobody needs yet, once to link and once to unlink it.
#pragma once

#include "base/intrusive_list.hpp"
#include "base/value_deque.hpp"
#include "os/ranked_lock.hpp"
#include "sched/ages.hpp"
#include "sched/coroutine.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

namespace weft::detail {

/// Taken from in batches, so that the lock is rare. A turn is the number of the present one; see turns.hpp.
class global_queue {
public:
    constexpr global_queue() noexcept = default;
    global_queue(const global_queue&) = delete;
    global_queue& operator=(const global_queue&) = delete;

    void push_arrival(coroutine& c) noexcept;
    /// Oldest first.
    void push_arrivals(std::span<coroutine* const> batch) noexcept;

    /// What a run queue spills, oldest first.
    void spill(std::span<coroutine* const> batch, std::uint64_t turn) noexcept {
        const std::lock_guard hold(lock_);
        for (coroutine* const c : batch) {
            if (!is_fresh(*c)) append_queued(*c, turn);
        }
        // From behind, so that the oldest of the batch is the first to be taken.
        std::size_t fresh = 0;
        for (std::size_t i = batch.size(); i-- != 0;) {
            if (!is_fresh(*batch[i])) continue;
            if (fresh_.push_front(batch[i])) {
                ++fresh;
            } else {
                append_queued(*batch[i], turn);
            }
        }
        fresh_ages_.add(fresh, turn);
        publish();
    }

    void push_expired(coroutine& c, std::uint64_t turn) noexcept;
    /// One that yields while others wait here: it comes behind as many.
    void push_yielded(coroutine& c, std::uint64_t turn) noexcept;

    /// Fills `out` with arrivals, oldest first, leaving what is there for `processors - 1` others; returns how many.
    std::size_t take_arrivals(std::span<coroutine*> out, std::size_t processors) noexcept {
        if (!has_arrivals()) return 0;
        const std::lock_guard hold(lock_);
        return take_locked(out, share_of(arrivals_.size(), processors),
                           [this] { return arrivals_.pop_front(); });
    }

    /// The same of overflow.
    std::size_t take(std::span<coroutine*> out, std::size_t processors,
                     std::uint64_t turn) noexcept {
        if (empty()) return 0;
        const std::lock_guard hold(lock_);
        advance(turn);
        let_yielders_in();
        const bool in_order = serves_in_order(turn);
        const std::size_t fresh = fresh_.size();
        const std::size_t queued = queued_locked();
        const std::size_t n = fill(out, share_of(queued + fresh, processors),
                                   [this, in_order] { return take_next(in_order); });
        if (in_order) {
            fresh_ages_.take_oldest(fresh - fresh_.size());
        } else {
            fresh_ages_.take_newest(fresh - fresh_.size());
        }
        queue_ages_.take_oldest(queued - queued_locked());
        taken_ever_ += n;
        publish();
        return n;
    }

    /// For a turn in which nobody must be passed over: by turns a batch of those that have run, and the oldest of those
    /// that never have, alone. (A batch of these would start a walk in breadth.)
    std::size_t take_fairly(std::span<coroutine*> out, std::size_t processors) noexcept {
        if (empty()) return 0;
        const std::lock_guard hold(lock_);
        let_yielders_in();
        turn_of_fresh_ = !turn_of_fresh_;
        if (!fresh_.empty() && (turn_of_fresh_ || queued_locked() == 0)) {
            return take_locked(out, 1, [this] { return take_oldest_fresh(); });
        }
        return take_locked(out, share_of(queued_locked(), processors),
                           [this] { return take_queued(); });
    }

    /// One of those that are overdue, of each kind by turns and the oldest of it; null.
    coroutine* take_overdue(std::uint64_t turn) noexcept {
        if (!has_overdue(turn)) return nullptr;
        const std::lock_guard hold(lock_);
        advance(turn);
        let_yielders_in();
        coroutine* c = nullptr;
        for (unsigned kinds = 0; kinds != 3 && c == nullptr; ++kinds) {
            switch (overdue_turn_++ % 3) {
            case 0:
                if (fresh_due() <= turn) c = take_oldest_fresh();
                break;
            case 1:
                if (queue_due() <= turn) c = take_queued();
                break;
            default:
                if (expired_due() <= turn) c = first_expired();
            }
        }
        publish();
        return c;
    }

    /// What take_overdue() gave had never run, and has now: whether it has started others.
    void judge_probe(bool starts_others) noexcept {
        const fresh_kind seen = starts_others ? fresh_kind::trees : fresh_kind::requests;
        if (fresh_kind_.load(std::memory_order_relaxed) == seen) return;
        const std::lock_guard hold(lock_);
        fresh_kind_.store(seen, std::memory_order_relaxed);
        publish();
    }

    /// The one that expired first, or null.
    coroutine* take_expired() noexcept {
        if (empty()) return nullptr;
        const std::lock_guard hold(lock_);
        if (expired_.empty()) return nullptr;
        coroutine* const c = first_expired();
        publish();
        return c;
    }

    /// Snapshots; what decides to sleep by one has a fence before (edge *no lost wakeup*, idle.hpp).
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t size() const noexcept {
        return size_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool has_arrivals() const noexcept {
        return arrival_count_.load(std::memory_order_relaxed) != 0;
    }

    [[nodiscard]] bool has_overflow() const noexcept {
        return overflow_count_.load(std::memory_order_relaxed) != 0;
    }
    [[nodiscard]] bool has_overdue(std::uint64_t turn) const noexcept {
        return turn >= overdue_at_.load(std::memory_order_relaxed);
    }

    /// Gives the memory back, and is as a new one. Empty, and nobody uses it.
    void release() noexcept {
        const std::lock_guard hold(lock_);
        arrivals_.release();
        queue_.release();
        fresh_.release();
        yielded_.release();
        expired_.release();
        fresh_kind_.store(fresh_kind::unknown, std::memory_order_relaxed);
        taken_ever_ = 0;
        fresh_ages_ = {};
        expired_ages_ = {};
        queue_ages_ = {};
        turn_of_fresh_ = false;
        overdue_turn_ = 0;
        taken_ = 0;
    }

private:
    using deque = value_deque<coroutine*>;
    // It may come once so many have been taken.
    struct yielder {
        coroutine* c;
        std::uint64_t after;
    };
    static constexpr unsigned queue_share = 16;
    static constexpr std::uint64_t patience = 2;
    static constexpr std::uint64_t fresh_patience = 32;
    static constexpr std::uint64_t fresh_patience_least = 2;
    enum class fresh_kind : std::uint8_t { unknown, requests, trees };

    static bool is_fresh(const coroutine& c) noexcept {
        return c.state.load(std::memory_order_relaxed) == co_state::runnable;
    }

    // Nothing is lost when memory ends; only the order.
    void append_queued(coroutine& c, std::uint64_t turn) noexcept {
        if (!queue_.push_back(&c)) without_memory_.push(c);
        queue_ages_.add(1, turn);
    }

    void append_arrival(coroutine& c) noexcept {
        if (!arrivals_.push_back(&c)) append_queued(c, 0);
    }

    [[nodiscard]] std::size_t queued_locked() const noexcept {
        return queue_.size() + without_memory_.size();
    }
    coroutine* first_queued() noexcept {
        return queue_.empty() ? without_memory_.pop() : queue_.pop_front();
    }
    coroutine* take_queued() noexcept {
        ++taken_ever_;
        queue_ages_.take_oldest(1);
        return first_queued();
    }
    coroutine* take_oldest_fresh() noexcept {
        ++taken_ever_;
        fresh_ages_.take_oldest(1);
        return fresh_.pop_back();
    }
    // Their age counts from here, because until now they let others go first.
    void let_yielders_in() noexcept {
        while (!yielded_.empty() && yielded_.front().after <= taken_ever_)
            append_queued(*yielded_.pop_front().c, 0);
    }
    coroutine* first_expired() noexcept {
        expired_ages_.take_oldest(1);
        return expired_.pop_front();
    }
    // The ages are the caller's to note.
    coroutine* take_next(bool in_order) noexcept {
        if (fresh_.empty() || (queued_locked() != 0 && ++taken_ % queue_share == 0))
            return first_queued();
        return in_order ? fresh_.pop_back() : fresh_.pop_front();
    }

    // From which turn on the oldest of a kind is overdue.
    static std::uint64_t after(std::uint64_t came, std::uint64_t turns) noexcept {
        return came == no_turn ? no_turn : came + turns;
    }
    std::uint64_t fresh_due() noexcept {
        if (fresh_.empty()) return no_turn;
        const bool trees = fresh_kind_.load(std::memory_order_relaxed) == fresh_kind::trees;
        return after(fresh_ages_.oldest(), trees ? fresh_patience : fresh_patience_least);
    }
    // While nothing is known, the probe alone is out of order.
    bool serves_in_order(std::uint64_t turn) noexcept {
        return fresh_kind_.load(std::memory_order_relaxed) == fresh_kind::unknown
                   ? after(fresh_ages_.oldest(), fresh_patience) <= turn
                   : fresh_due() <= turn;
    }
    std::uint64_t queue_due() noexcept { return after(queue_ages_.oldest(), patience); }
    std::uint64_t expired_due() noexcept { return after(expired_ages_.oldest(), patience); }
    void advance(std::uint64_t turn) noexcept {
        fresh_ages_.advance(turn);
        queue_ages_.advance(turn);
        expired_ages_.advance(turn);
    }

    static std::size_t share_of(std::size_t there, std::size_t processors) noexcept {
        return std::min(there / processors + 1, there);
    }
    template <class Next>
    static std::size_t fill(std::span<coroutine*> out, std::size_t count, Next&& next) noexcept {
        count = std::min(count, out.size());
        for (std::size_t n = 0; n != count; ++n) {
            out[n] = next();
            __builtin_prefetch(out[n], 1);
        }
        return count;
    }
    template <class Next>
    std::size_t take_locked(std::span<coroutine*> out, std::size_t count, Next&& next) noexcept {
        const std::size_t n = fill(out, count, next);
        publish();
        return n;
    }

    void publish() noexcept {
        arrival_count_.store(arrivals_.size(), std::memory_order_relaxed);
        const std::size_t overflow = queued_locked() + fresh_.size() + yielded_.size();
        overflow_count_.store(overflow, std::memory_order_relaxed);
        size_.store(arrivals_.size() + overflow + expired_.size(), std::memory_order_relaxed);
        overdue_at_.store(std::min({fresh_due(), queue_due(), expired_due()}),
                          std::memory_order_relaxed);
    }

    ranked_lock lock_{lock_rank::global_queue};
    deque arrivals_;
    deque queue_;
    deque fresh_;
    value_deque<yielder> yielded_;
    deque expired_;
    intrusive_queue<coroutine, &coroutine::link> without_memory_;
    ages<fresh_patience> fresh_ages_;
    ages<patience> expired_ages_;
    ages<patience> queue_ages_;  // Of `without_memory_`, too.
    bool turn_of_fresh_ = false;
    unsigned overdue_turn_ = 0;
    unsigned taken_ = 0;
    std::uint64_t taken_ever_ = 0;                             // Of queue_ and fresh_.
    std::atomic<fresh_kind> fresh_kind_{fresh_kind::unknown};  // Changed under the lock.
    std::atomic<std::size_t> size_{0};
    std::atomic<std::size_t> arrival_count_{0};
    std::atomic<std::size_t> overflow_count_{0};
    std::atomic<std::uint64_t> overdue_at_{no_turn};
};

}  // namespace weft::detail
