// Parking a coroutine and making it ready again: what everything that blocks is built on.
//
//       waiter                                      waker
//       lock the object                             lock the object
//       prepare_park(self)                          take the waiter off the queue
//       put self on the object's queue              unlock
//       unlock                                      ready(waiter)
//       park(self)
//
// No lock is held across the switch, and nothing is done behind it on behalf of the coroutine that left, so
// a waker may come while the waiter is still on its own stack: ready() then only leaves ready_pending, and
// whoever runs next on the waiter's machine queues it (finish_switch).
//
// Edge *parked*: finish_switch() moves parking -> parked by a CAS with release; ready() and the claimers read
// the state with acquire, so who sees `parked` sees the saved context.
//
// Edge *overtaken*: ready() that finds the coroutine still parking moves it to parking_ready with release, and
// finish_switch() loads the state with acquire before it queues it: so what ready() was called for is seen by the
// coroutine in this case, too.
#pragma once

#include "base/assert.hpp"
#include "base/tsan.hpp"
#include "sched/coroutine.hpp"
#include "sched/preempt.hpp"
#include "sched/thread_sleeper.hpp"
#include "stack/segment.hpp"

namespace weft::detail {

/// The calling coroutine; there must be one.
[[nodiscard]] coroutine& current_coroutine() noexcept;

/// It is about to wait while it holds a lock of the thread library, where that is seen (split stacks, builds with
/// assertions): others of its thread may block on it. Says so, a few times a process.
void report_park_with_lock(const coroutine& self) noexcept;

/// From here on ready() may come, once; and nothing may be done that parks, yields or throws until park().
inline void prepare_park(coroutine& self) noexcept {
    WEFT_ASSERT(self.state.load(std::memory_order_relaxed) == co_state::running);
    if constexpr (assertions) {
        if (self.lock_depth != 0) [[unlikely]]
            report_park_with_lock(self);
        const stack_ref stack = self.stack;
        WEFT_ASSERT(!stack.is_split() || stack.newest()->canary_intact());
    }
    if ((self.traits & trait_sticky) != 0) [[unlikely]]
        unstick(self);
    // Relaxed: the lock or the CAS that shows the waiter to others publishes it.
    self.state.store(co_state::parking, std::memory_order_relaxed);
}
/// Takes prepare_park() back. Nobody has called ready(), nor will.
inline void cancel_park(coroutine& self) noexcept {
    WEFT_ASSERT(self.state.load(std::memory_order_relaxed) == co_state::parking);
    self.state.store(co_state::running, std::memory_order_relaxed);
}
/// Runs others until ready() has come.
void park(coroutine& self) noexcept;

/// prepare_park() and park() in one, for wakers that come later for sure.
void park_current() noexcept;

/// Makes a parked (or parking) coroutine runnable. Any thread. Exactly once a park.
void ready(coroutine& c) noexcept;

// In line, for to pass a ticket on would be a good part of it.
// What the caller has written before it calls is seen by the woken, by the queue through which it comes (or edge
// *overtaken*); by a thread through *handing over*.
inline void wake_claimed(ticket t) noexcept {
    if (sleeper::is_thread(t)) [[unlikely]] {
        thread_sleeper::hand_over(t);
        return;
    }
    hand_over(t.who);  // For the sanitizer: a processor may hand it to itself.
    ready(*static_cast<coroutine*>(t.who));
}

/// ready() by a timer, on the scheduler stack: while others wait for the processor it goes before them.
void ready_woken(coroutine& c) noexcept;

/// Puts a coroutine that is parked, and nobody else's, on a run queue. Any thread.
void enqueue(coroutine& c) noexcept;

/// Lets others run, if there are any.
void yield_current(coroutine& self) noexcept;

}  // namespace weft::detail
