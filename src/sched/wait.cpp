#include "sched/wait.hpp"

#include "base/assert.hpp"
#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/thread_sleeper.hpp"

namespace weft::detail {

waiting::waiting(cancellation how, wait_kind kind) : self_(this_coroutine()) {
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
            abandon();
            throw;
        }
    }
    park(self);

    const wake_reason why = self.reason();
    if (timed != nullptr && why != wake_reason::timeout) sched.hooks.timers->forget(*timed);
    return why;
}

void throw_wait_ended(wake_reason why) {
    if (why == wake_reason::deadlock) throw_deadlock();
    throw_cancelled(*this_coroutine());
}

}  // namespace weft::detail
