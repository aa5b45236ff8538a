#include "sched/wait.hpp"

#include "arch/cpu.hpp"
#include "base/assert.hpp"
#include "base/tsan.hpp"
#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/thread_sleeper.hpp"

namespace weft::detail {

waiting::waiting(cancellation how, wait_kind kind, const void* object) : self_(this_coroutine()) {
    if (self_ == nullptr) {
        ticket_ = this_thread_sleeper().begin_wait(false, false, kind);
        return;
    }
    simulation_point();
    bool may_throw = false;
    if (how == cancellation::honoured) {
        cancellation_point(*self_);
        cancellable_ = cancellation_allowed(*self_);
        may_throw = this_machine()->exceptions->uncaught == 0;
    }
    prepare_park(*self_);
    self_->link = static_cast<coroutine*>(const_cast<void*>(object));  // See waits_on().
    ticket_ = self_->begin_wait(cancellable_, may_throw, kind);
}

void waiting::abandon() noexcept {
    if (!sleeper::claim(ticket_, wake_reason::none)) {
        // A cancellation got it first, and is about to ready us: let it.
        if (self_ != nullptr) park(*self_);
        return;
    }
    if (self_ != nullptr) cancel_park(*self_);
}

wake_reason waiting::finish(std::int64_t deadline) {
    return self_ == nullptr ? finish_thread(deadline) : finish_coroutine(deadline);
}

wake_reason waiting::finish_thread(std::int64_t deadline) noexcept {
    return this_thread_sleeper().sleep(ticket_, deadline);
}

wake_reason waiting::finish_coroutine(std::int64_t deadline) {
    coroutine& self = *self_;

    // Edge *cancel*, the sleeper's second step. If the request came before our word was there, we end the
    // wait ourselves; failing that, somebody has ended it already and is about to ready us.
    fence_behind_rmw();
    constexpr std::uint32_t requests = attention_cancel | attention_deadline;
    if (cancellable_ && (self.attention.load(std::memory_order_seq_cst) & requests) != 0 &&
        sleeper::claim(ticket_, wake_reason::cancelled)) {
        cancel_park(self);
        return wake_reason::cancelled;
    }

    processor* timed = nullptr;
    if (deadline != never) {
        timed = this_machine()->p;
        try {
            sched.hooks.timers->add(*timed, deadline, timer_event::wake(ticket_));
        } catch (...) {
            if (sleeper::claim(ticket_, wake_reason::none)) {
                cancel_park(self);
                throw;
            }
            timed = nullptr;  // Somebody has ended the wait already, so no timer was needed.
        }
    }
    park(self);
    take_over(static_cast<sleeper*>(&self));  // From wake_claimed().

    const wake_reason why = self.reason();
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
