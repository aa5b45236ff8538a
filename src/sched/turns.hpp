// The rules that decide whose turn it is on one processor, so that nobody who can run waits longer than a table says.
//
// The table, and why each rule is there, stand in docs/design/scheduler.md (Turns by time). This is all that decides: a
// type without clock, lock or thread. find_work() drives it with the runtime's queues, tests/sched/turns_test.cpp with
// the same queues for many processors over virtual time.
//
// Words:
//     slice      what a coroutine may run for in one go: options.preempt_after, 10 ms
//     chain      what runs from `next` in a row. It has one slice together
//     arrival    made ready by a timer, or by what holds no processor: the result of a blocking call, another thread
//     expired    preempted at the end of its slice
//     turn       10 ms of the whole runtime, counted by the monitor
//     overdue    has waited in a queue of all processors for several turns
#pragma once

#include "base/config.hpp"
#include "base/relaxed.hpp"
#include "sched/coroutine.hpp"

#include <algorithm>
#include <cstdint>

namespace weft::detail {

/// At least every so many dispatches a processor looks at its timers, and at the global queue first. 61 as in Go:
/// a prime, so that no rhythm of the program's falls in with it. For short dispatches; before long ones it looks by time.
inline constexpr unsigned fairness_ticks = 61;

/// When dispatches take longer than usual a processor looks around after about this time instead: it counts
/// dispatches between two looks and sets the number to the next accordingly, so no dispatch reads a clock.
inline constexpr std::int64_t look_interval_ns = 25'000;

/// Nobody is asked to make room for an arrival before.
inline constexpr std::int64_t least_run_ns = 500'000;

/// How long a turn lasts.
inline constexpr std::int64_t turn_ns = 10'000'000;

/// Some that come first, for at most half of the time: they run, and then the others have the processor for as long as
/// that took, or until they have nothing.
class half_of_time {
public:
    /// Whether they come first now. `waiting`: there are any.
    [[nodiscard]] bool comes_first(bool waiting, std::int64_t now) noexcept {
        if (since_ != 0 && (!waiting || now - since_ >= allowed_)) end(now);
        kept_waiting_ = waiting && (kept_waiting_ || now < others_until_);
        if (!waiting || now < others_until_) return false;
        if (since_ == 0) begin(now);
        return true;
    }

    /// One of them runs out of turn, because the others have nothing.
    void runs_alone(std::int64_t now) noexcept {
        if (since_ == 0) begin(now);
    }

    /// The others have just had the processor for `least_run_ns`, and one of them was asked to make room.
    void make_room(std::int64_t now) noexcept {
        // Not before the others have had what they have to come.
        if (since_ != 0 || now < others_until_) return;
        others_until_ = std::max<std::int64_t>(others_until_, now - least_run_ns);
        kept_waiting_ = true;
    }

    /// None was there after all: another processor was faster.
    void give_up(std::int64_t now) noexcept {
        if (since_ != 0) end(now);
    }

    [[nodiscard]] bool under_way() const noexcept { return since_ != 0; }
    /// How much of the time now is the others', for what these have had.
    [[nodiscard]] std::int64_t owed(std::int64_t now) const noexcept {
        return since_ != 0 ? now - since_ : std::max<std::int64_t>(others_until_ - now, 0);
    }
    /// Whether comes_first() has something to note though nobody waits.
    [[nodiscard]] bool is_open() const noexcept { return since_ != 0 || kept_waiting_; }

private:
    // These may have as much as the others had beyond their time while some of these waited, because a dispatch of others
    // can't be ended at will.
    void begin(std::int64_t now) noexcept {
        const std::int64_t beyond = kept_waiting_ ? now - others_until_ : 0;
        allowed_ = std::clamp(beyond, look_interval_ns, turn_ns);
        since_ = now;
    }
    void end(std::int64_t now) noexcept {
        others_until_ = now + (now - since_);
        kept_waiting_ = false;
        since_ = 0;
    }

    relaxed<std::int64_t> since_{0};  // When they began to come first; 0: they do not.
    relaxed<std::int64_t> allowed_{0};
    relaxed<std::int64_t> others_until_{0};
    relaxed<bool> kept_waiting_{false};  // Some wait while the others have their time.
};

/// One processor's. Owner only.
class turns {
public:
    /// The next coroutine, or null when there is none. `from` is where they come from, asked in the order of the rules:
    ///
    ///     tick(), now()               dispatches of this processor, and the time, which is asked only when needed
    ///     has_sticky(), sticky()      those that only this thread may run
    ///     has_arrivals(), arrival()
    ///     has_overdue(), overdue()    those that wait in a queue of all for more than a few turns
    ///     shared(fairly)              overflow and fresh, for it has nothing itself; or, `fairly`, ahead of its own
    ///     own(), next()               `next` and the ring; what is in `next`
    ///     end_chain()                 puts what is in `next` behind the ring
    ///     timers()                    fires what is due; whether anything was
    ///     expired(), steal()
    template <class Sources>
    [[nodiscard]] coroutine* pick(Sources& from) noexcept {
        if (coroutine* const c = pick_ahead(from)) return c;
        const std::uint64_t tick = from.tick();
        if (tick - shared_tick_ >= fairness_ticks) {
            shared_tick_ = tick;
            if (coroutine* const c = from.shared(true)) return c;
        }
        if (coroutine* const c = from.own()) return c;
        if (coroutine* const c = from.arrival()) return c;
        if (coroutine* const c = from.shared(false)) return c;
        if (from.timers()) {
            if (coroutine* const c = from.own()) return c;
        }
        if (coroutine* const c = from.expired()) return c;
        if (coroutine* const c = from.steal()) return c;
        if (coroutine* const c = from.shared(false)) return c;
        coroutine* const c = from.sticky();
        if (c != nullptr) sticky_.runs_alone(from.now());
        return c;
    }

    /// One that ran was asked to make room for arrivals, and has; it is in `next` now, and follows nobody.
    void make_room(std::int64_t now, const coroutine* next) noexcept {
        arrivals_.make_room(now);
        kept_next_ = next;
    }

    /// How long arrivals have to wait because of what arrivals have just used. For tests.
    [[nodiscard]] std::int64_t owed_by_arrivals(std::int64_t now) const noexcept {
        return arrivals_.owed(now);
    }
    /// Whether some come first now: it is not these dispatches that tell how long one takes.
    [[nodiscard]] bool ahead_under_way() const noexcept {
        return arrivals_.under_way() || overdue_.under_way();
    }

private:
    template <class Sources>
    [[nodiscard]] coroutine* pick_ahead(Sources& from) noexcept {
        const bool arrivals = from.has_arrivals();
        const bool sticky = from.has_sticky();
        const bool overdue = from.has_overdue();
        if (!arrivals && !sticky && !overdue && !arrivals_.is_open() && !sticky_.is_open() &&
            !overdue_.is_open()) [[likely]]
            return nullptr;
        const std::int64_t now = from.now();
        if (coroutine* const c =
                pick_of(arrivals_, from, arrivals, now, [&] { return from.arrival(); }))
            return c;
        if (coroutine* const c = pick_of(sticky_, from, sticky, now, [&] { return from.sticky(); }))
            return c;
        return pick_of(overdue_, from, overdue, now, [&] { return from.overdue(); });
    }

    // Those who come first bring along what they make ready, while they have time; after that it goes behind the ring. Were
    // it to come out of `next` in the others' time, those in the ring would never have theirs.
    template <class Sources, class Take>
    [[nodiscard]] coroutine* pick_of(half_of_time& account, Sources& from, bool waiting,
                                     std::int64_t now, Take&& take) noexcept {
        const bool had_time = account.under_way();
        const coroutine* const next = from.next();
        const bool follows = had_time && next != nullptr && next != kept_next_;
        if (!account.comes_first(waiting || follows, now)) {
            if (follows) from.end_chain();
            return nullptr;
        }
        if (follows) return from.own();
        if (!had_time) kept_next_ = next;
        coroutine* const c = take();
        if (c == nullptr) account.give_up(now);
        return c;
    }

    half_of_time arrivals_;
    half_of_time sticky_;
    half_of_time overdue_;
    relaxed<const coroutine*> kept_next_{nullptr};  // What was in `next` before they came first.
    relaxed<std::uint64_t> shared_tick_{
        0};  // The last time the global queue came ahead of the processor's own.
};

}  // namespace weft::detail
