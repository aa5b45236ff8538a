// The barrier.
//
// Invariants
//   - `missing_` counts those of this phase who have not arrived. When it reaches 0 the phase is *closed*: whoever
//     brought it there runs the completion, without the guard, and then opens the next phase.
//   - Who waits is in the queue until the next phase is opened; from there everybody is woken. That store is the last
//     access of whoever opens it, so who sees the new phase may destroy the barrier.
//
// Who is asked to stop while it waits in arrive_and_wait() takes its arrival back, as if it had not come, unless the
// phase is closed: then its end is certain, and is waited for.
#include <weft/sync/barrier.hpp>

#include "base/stack_facts.hpp"
#include "sync/waiter.hpp"

#include <stdexcept>

namespace weft::detail {
namespace {

[[noreturn, gnu::cold]] void throw_too_many() {
    throw std::logic_error("weft: barrier: more have arrived than are expected in this phase; it "
                           "must be made with the number of those who take part");
}

}  // namespace

bool barrier_core::arrive(std::int64_t n, bool drop, phase_number& now) {
    operation_point();
    if (n <= 0) throw std::logic_error("weft: barrier: arrive() of none");
    const word w = word_.enter();
    now = w / unit;
    const bool too_many = n > missing_;
    bool last = false;
    if (!too_many) {
        if (drop) --expected_;
        missing_ -= n;
        last = missing_ == 0;
    }
    word_.leave(w);
    if (too_many) throw_too_many();
    return last;
}

void barrier_core::next_phase() noexcept {
    wake_chain woken;
    const word w = word_.enter();
    missing_ = expected_;
    woken.take_all(queue_);
    word_.leave((w / unit + 1) * unit);
    woken.wake();
}

void barrier_core::wait(phase_number arrived) {
    WEFT_PARKS;
    cancellable_operation_point();
    if (word_.load(std::memory_order_acquire) / unit != arrived) return;
    bool last = false;
    wait_slow(arrived, false, last);
}

bool barrier_core::arrive_and_wait() {
    cancellable_operation_point();
    bool last = false;
    wait_slow(0, true, last);
    return last;
}

void barrier_core::wait_slow(phase_number arrived, bool arriving, bool& last) {
    waiting wait(cancellation::honoured, wait_kind::barrier, this);
    waiter me{wait.ticket()};
    word w = word_.enter();
    if (arriving) arrived = w / unit;
    const bool too_many = arriving && missing_ == 0;
    last = arriving && missing_ == 1;
    if (too_many || last || w / unit != arrived) {
        if (last) missing_ = 0;
        word_.leave(w);
        wait.abandon();
        if (too_many) throw_too_many();
        return;
    }
    if (arriving) --missing_;
    queue_.push(me);
    word_.leave(w | guarded_word::waiters);

    bool over = false;
    bool closed = false;
    const wake_reason why = finish_in_list(wait, never, [&] {
        w = word_.enter();
        queue_.remove(me);
        over = w / unit != arrived;
        closed = !over && missing_ == 0;
        if (arriving && !over && !closed) ++missing_;
        word_.leave(queue_.empty() ? w & ~guarded_word::waiters : w);
    });
    if (over) return;
    if (arriving && closed) {
        wait_for_completion(arrived);
    } else {
        (void)wait_succeeded(why);
    }
}

void barrier_core::wait_for_completion(phase_number arrived) {
    waiting wait(cancellation::ignored, wait_kind::barrier, this);
    waiter me{wait.ticket()};
    const word w = word_.enter();
    if (w / unit != arrived) {
        word_.leave(w);
        wait.abandon();
        return;
    }
    queue_.push(me);
    word_.leave(w | guarded_word::waiters);
    (void)wait.finish();
}

}  // namespace weft::detail
