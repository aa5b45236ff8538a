// One wait of the calling coroutine or thread, with everything that may end it.
//
//       waiting w(cancellation::honoured, wait_kind::join);         // throws `cancelled`, if that is due, before anything has happened
//       lock; queue.push({w.ticket(), ...}); unlock;
//       switch (w.finish(deadline)) ...  // signalled, timeout, cancelled
//
// Between construction and finish() nothing may park, yield or throw, and something must be changed by an atomic
// read-modify-write: the object's lock, mostly. (Where there is a deadline the lock of the timers will do, which finish()
// takes.) That is the full fence of edge *cancel*, which would cost a quarter of a hand-over if a wait had one of its
// own. After a reason other than `signalled` the caller takes its waiter off the queue, under the object's lock.
#pragma once

#include "arch/cpu.hpp"
#include "base/tsan.hpp"
#include "os/clock.hpp"
#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/sleeper.hpp"

namespace weft::detail {

enum class cancellation : std::uint8_t {
    ignored,
    honoured,
    // Honoured, by a caller that has been at a cancellation point and has done nothing since but wait in vain. What came
    // meanwhile is seen behind the wait's beginning (edge *cancel*), unless it need not wait any more: what has been
    // handed over wins.
    checked,
};

/// What `c` waits for, if that has an address: for reports. `c` is parked and claimed by the caller.
[[nodiscard]] const void* waits_on(const coroutine& c) noexcept;

/// What a wait throws that was ended by `cancelled` or `deadlock`, once its waiter is off every queue.
[[noreturn]] void throw_wait_ended(wake_reason why);
/// Its half in runtime/deadlock.cpp.
[[noreturn]] void throw_deadlock();

class waiting {
public:
    /// With `honoured` on a coroutine this is a cancellation point.
    /// `object`: what is waited for, for reports.
    [[gnu::always_inline]] waiting(cancellation how, wait_kind kind, const void* object = nullptr)
        : self_(this_coroutine()) {
        if (self_ == nullptr) [[unlikely]] {
            const detail::ticket begun = begin_on_thread(kind);
            who_ = begun.who;
            word_ = begun.word;
            return;
        }
        if (how != cancellation::checked) simulation_point();
        bool may_throw = false;
        if (how != cancellation::ignored) {
            if (how == cancellation::honoured) cancellation_point(*self_);
            may_throw = this_machine()->exceptions->uncaught == 0;
            cancellable_ = may_throw && self_->no_cancel == 0;
        }
        prepare_park(*self_);
        {
            const unrecorded unseen;  // Whoever last took us off a queue read the link.
            self_->link = static_cast<coroutine*>(const_cast<void*>(object));  // See waits_on().
        }
        who_ = self_;
        word_ = self_->begin_wait(cancellable_, may_throw, kind).word;
    }
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

    [[nodiscard]] detail::ticket ticket() const noexcept { return {who_, word_}; }

    /// Sleeps until somebody has fired the ticket, or until `deadline`. `deadlock` comes only to main, in a
    /// wait that was not begun with `ignored` (inside no_cancel too). Throws std::bad_alloc, as if it
    /// had been abandoned, if there is no memory for the timer.
    wake_reason finish(std::int64_t deadline = never) {
        if (self_ == nullptr || deadline != never) [[unlikely]]
            return finish_slow(self_, cancellable_, ticket(), deadline);
        if (cancelled_meanwhile(self_, cancellable_, ticket())) [[unlikely]]
            return wake_reason::cancelled;
        park(*self_);
        take_over(static_cast<sleeper*>(self_));  // From wake_claimed().
        return self_->reason();
    }

    /// Ends the wait without sleeping. Whoever has seen the ticket finds it stale.
    void abandon() noexcept { abandon(self_, ticket()); }

private:
    // The slow halves get what they need by value: with the address of a wait outside, all of it would lie in memory.
    static detail::ticket begin_on_thread(wait_kind kind) noexcept;
    static wake_reason finish_slow(coroutine* self, bool cancellable, detail::ticket t,
                                   std::int64_t deadline);
    static void abandon(coroutine* self, detail::ticket t) noexcept;

    // Edge *cancel*, the sleeper's third step. If the request came before our word was there, we end the wait
    // ourselves; failing that, somebody has ended it already and is about to ready us.
    [[gnu::always_inline]] static bool cancelled_meanwhile(coroutine* self, bool cancellable,
                                                           const detail::ticket& t) noexcept {
        fence_behind_rmw();
        if (!cancellable ||
            (self->attention.load(std::memory_order_seq_cst) & attention_requests) == 0 ||
            !sleeper::claim(t, wake_reason::cancelled)) {
            return false;
        }
        cancel_park(*self);
        return true;
    }

    coroutine* self_;  // Null on a thread.
    bool cancellable_ = false;
    sleeper* who_ = nullptr;  // The ticket's two halves.
    std::uint64_t word_ = 0;
};

}  // namespace weft::detail
