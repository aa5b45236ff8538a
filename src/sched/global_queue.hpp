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
// itself: after two turns; if it has never run, after 2 or 32. Nobody reads a clock for it, because each queue counts by
// turns how old its coroutines are.
//
// Why fresh ones are different: a coroutine that has not run holds a descriptor, one that has holds a stack too, and
// mostly started others that it waits for. Were fresh ones served in order, a tree of coroutines would be walked in
// breadth, with all of a level started before the first is done: skynet with a million leaves peaked at 135,000
// coroutines and 23,000 stacks. In depth it is 28,000 and 3,300 (counted, and simulated), in caches that know them.
//
// But a burst of requests is to be served in order, because otherwise its first would wait for its end. The oldest tells
// the two apart: near the root of a tree it starts others, and in a burst it mostly does not. So one that has waited for two turns runs as a *probe*, one a turn. While more of the last probes have started none, all are served in order
// after two turns, and each that comes ahead is a probe. Otherwise they are after 32: a tree is done, or deep, after a third of a
// second. (With five turns for all skynet took 1.3 to 1.5 times the time and 1.6 to 2 times the memory of
// `bench/run --only s5`.)
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
        const bool in_order = in_order_from() <= turn;
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
        coroutine* c = nullptr;
        for (unsigned kinds = 0; kinds != 3 && c == nullptr; ++kinds) {
            switch (overdue_turn_++ % 3) {
            case 0:
                if (fresh_due() > turn) break;
                probed_in_ = turn;
                c = take_oldest_fresh();
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

    /// The coroutine from take_overdue() had never run, and has now: whether it has started others.
    void judge_probe(bool starts_others) noexcept {
        const int seen = trees_.load(std::memory_order_relaxed);
        if (seen == (starts_others ? sure : -sure)) return;
        const std::lock_guard hold(lock_);
        const int next = trees_.load(std::memory_order_relaxed) + (starts_others ? 1 : -1);
        trees_.store(std::clamp(next, -sure, sure), std::memory_order_relaxed);
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
        trees_.store(0, std::memory_order_relaxed);
        probed_in_ = 0;
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
    static constexpr int sure = 4;

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
    // From which turn on the fresh ones are served oldest first.
    std::uint64_t in_order_from() noexcept {
        if (fresh_.empty()) return no_turn;
        return after(fresh_ages_.oldest(), are_requests() ? fresh_patience_least : fresh_patience);
    }
    // While they are not known to be requests, a probe a turn is all that comes before.
    std::uint64_t fresh_due() noexcept {
        if (fresh_.empty()) return no_turn;
        return std::min(in_order_from(), std::max(after(fresh_ages_.oldest(), fresh_patience_least),
                                                  probed_in_ + 1));
    }
    [[nodiscard]] bool are_requests() const noexcept {
        return trees_.load(std::memory_order_relaxed) < 0;
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
        let_yielders_in();
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
    std::uint64_t taken_ever_ = 0;  // Of queue_ and fresh_.
    // How many more probes have started others than have not, at most `sure` either way. Changed under the lock.
    std::atomic<int> trees_{0};
    std::uint64_t probed_in_ = 0;  // The turn of the last one.
    std::atomic<std::size_t> size_{0};
    std::atomic<std::size_t> arrival_count_{0};
    std::atomic<std::size_t> overflow_count_{0};
    std::atomic<std::uint64_t> overdue_at_{no_turn};
};

}  // namespace weft::detail
