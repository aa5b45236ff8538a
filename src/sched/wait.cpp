#include "sched/wait.hpp"

#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/thread_sleeper.hpp"

namespace weft::detail {

ticket waiting::begin_on_thread(wait_kind kind) noexcept {
    return this_thread_sleeper().begin_wait(false, false, kind);
}

void waiting::abandon(coroutine* self, detail::ticket t) noexcept {
    if (!sleeper::claim(t, wake_reason::none)) {
        // A cancellation got it first, and is about to ready us: let it.
        if (self != nullptr) park(*self);
        return;
    }
    if (self != nullptr) cancel_park(*self);
}

WEFT_NOIPA wake_reason waiting::finish_slow(coroutine* waiter, bool cancellable, detail::ticket t,
                                            std::int64_t deadline) {
    WEFT_CALLS("timers.add");
    WEFT_CALLS("timers.forget");
    if (waiter == nullptr) return this_thread_sleeper().sleep(t, deadline);
    coroutine& self = *waiter;
    processor* timed = nullptr;
    if (deadline != never) {
        try {
            timed = &sched.hooks.timers->add(*this_machine()->p, deadline, timer_event::wake(t));
        } catch (...) {
            if (sleeper::claim(t, wake_reason::none)) {
                cancel_park(self);
                throw;
            }
            // It is over already, so there is no need of a timer.
        }
    }
    // Behind the lock of the timers: a sleep has no other.
    wake_reason why = wake_reason::cancelled;
    if (!cancelled_meanwhile(&self, cancellable, t)) {
        park(self);
        take_over(static_cast<sleeper*>(&self));  // From wake_claimed().
        why = self.reason();
    }
    if (timed != nullptr && why != wake_reason::timeout) sched.hooks.timers->forget(*timed);
    return why;
}

// While a coroutine waits it is in no queue, and its link holds this instead. Whoever ends the wait changes the
// sleeper's word first and queues it then, so a link read between two looks at a word that says "waiting" is ours.
const void* waits_on(const coroutine& c) noexcept {
    const unrecorded unseen;  // Of a link that may be a queue's by now.
    const std::uint64_t before = c.waiting_epoch();
    if (before == 0) return nullptr;
    const void* const object = *const_cast<coroutine* const volatile*>(&c.link);
    std::atomic_thread_fence(std::memory_order_acquire);
    return c.waiting_epoch() == before ? object : nullptr;
}

void throw_wait_ended(wake_reason why) {
    if (why == wake_reason::deadlock) throw_deadlock();
    throw_cancelled(*this_coroutine());
}

}  // namespace weft::detail
