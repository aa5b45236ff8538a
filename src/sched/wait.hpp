// One wait of the calling coroutine or thread, with everything that may end it.
//
//       waiting w(cancellation::honoured, wait_kind::join);         // throws `cancelled`, if that is due, before anything has happened
//       lock; queue.push({w.ticket(), ...}); unlock;
//       switch (w.finish(deadline)) ...  // signalled, timeout, cancelled
//
// Between construction and finish() nothing may park, yield or throw, and something must be changed by an atomic
// read-modify-write: the object's lock, mostly. That is the full fence of edge *cancel*, which would cost a quarter of
// a hand-over if a wait had one of its own. After a reason other than `signalled`
// the caller takes its waiter off the queue, under the object's lock.
#pragma once

#include "os/clock.hpp"
#include "sched/sleeper.hpp"

namespace weft::detail {

struct coroutine;

enum class cancellation : bool { ignored, honoured };

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
    waiting(cancellation how, wait_kind kind, const void* object = nullptr);
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

    [[nodiscard]] const detail::ticket& ticket() const noexcept { return ticket_; }

    /// Sleeps until somebody has fired the ticket, or until `deadline`. `deadlock` comes only to main, in a
    /// wait that was begun with `honoured` (inside no_cancel too). Throws std::bad_alloc, with the wait over and nobody else
    /// having ended it, if there is no memory for the timer.
    wake_reason finish(std::int64_t deadline = never);

    /// Ends the wait without sleeping. Whoever has seen the ticket finds it stale.
    void abandon() noexcept;

private:
    wake_reason finish_coroutine(std::int64_t deadline);
    wake_reason finish_thread(std::int64_t deadline) noexcept;

    coroutine* self_;  // Null on a thread.
    bool cancellable_ = false;
    detail::ticket ticket_;
};

}  // namespace weft::detail
