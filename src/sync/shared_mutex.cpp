// The shared mutex, where somebody must wait.
//
// One queue for both sides, served in order: what is released is handed over, to one writer or to all the readers
// that come before the next writer. So neither side starves, and nobody competes; a mutex makes another choice, but
// here the sections are long, or it would be a mutex.
//
// Invariant, where nobody has the guard: whoever waits first could not have the lock now. Kept by serve(), which is
// called whenever something is released, and when somebody who came first has gone without: behind a writer may be
// readers.
#include <weft/sync/shared_mutex.hpp>

#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "sched/simulation.hpp"
#include "sync/waiter.hpp"

#include <stdexcept>

namespace weft::detail {

struct shared_waiter : waiter {
    explicit shared_waiter(bool e, agent a) noexcept : exclusive(e), self(a) {}
    const bool exclusive;
    const agent self;
};

struct shared_mutex_core::wish {
    bool exclusive;
    cancellation how = cancellation::ignored;
    std::int64_t deadline = never;
};

void shared_mutex_core::lock_slow(bool exclusive) {
    WEFT_PARKS;
    (void)lock_as({.exclusive = exclusive});
}
void shared_mutex_core::lock_or_cancel(bool exclusive) {
    cancellable_operation_point();
    (void)lock_as({.exclusive = exclusive, .how = cancellation::honoured});
}
bool shared_mutex_core::lock_until(bool exclusive, clock::time_point deadline) {
    return lock_as({.exclusive = exclusive, .deadline = deadline.time_since_epoch().count()});
}

bool shared_mutex_core::lock_as(const wish& what) {
    const agent self = this_agent();
    shared_waiter me(what.exclusive, self);
    const auto take_locked = [&](word w) {
        const word in_the_way =
            guarded_word::waiters | writer | (what.exclusive ? ~(reader - 1) : 0);
        if ((w & in_the_way) != 0) return false;
        if (what.exclusive) owner_.store(self, std::memory_order_relaxed);
        word_.leave(what.exclusive ? w | writer : w + reader);
        return true;
    };
    word w = word_.enter();
    if (take_locked(w)) return true;
    word_.leave(w);

    if (owner_.load(std::memory_order_relaxed) == self) {
        throw std::logic_error("weft: a shared_mutex is locked by who has it locked exclusively "
                               "already; unlock it first");
    }
    if (what.deadline != never && now_ns() >= what.deadline) return false;
    waiting wait(what.how, wait_kind::shared_mutex, this);
    me.who = wait.ticket();
    w = word_.enter();
    if (take_locked(w)) {
        wait.abandon();
        return true;
    }
    queue_.push(me);
    word_.leave(w | guarded_word::waiters);
    return wait_succeeded(finish_in_list(wait, what.deadline, [&] { leave_queue(me); }));
}

bool shared_mutex_core::try_lock_shared_slow() noexcept {
    const word w = word_.enter();
    const bool free = (w & (writer | guarded_word::waiters)) == 0;
    word_.leave(free ? w + reader : w);
    return free;
}

// Hands over to those who are first as far as that goes. With the guard; returns the word to leave with.
shared_mutex_core::word shared_mutex_core::serve(word now, wake_chain& woken) noexcept {
    while (waiter* const first = queue_.first()) {
        auto& next = *static_cast<shared_waiter*>(first);
        const bool free =
            next.exclusive ? (now & ~guarded_word::waiters) == 0 : (now & writer) == 0;
        if (!free) return now | guarded_word::waiters;
        queue_.remove(next);
        if (!sleeper::claim_to_hand_over(next.who)) continue;
        if (next.exclusive) owner_.store(next.self, std::memory_order_relaxed);
        now = next.exclusive ? now | writer : now + reader;
        woken.add(next);
    }
    return now & ~guarded_word::waiters;
}

void shared_mutex_core::leave_queue(shared_waiter& me) noexcept {
    wake_chain woken;
    word w = word_.enter();
    queue_.remove(me);
    word_.leave(serve(w, woken));
    woken.wake();
}

void shared_mutex_core::unlock_slow() noexcept {
    wake_chain woken;
    const word w = word_.enter();
    word_.leave(serve(w & ~writer, woken));
    woken.wake();
}

void shared_mutex_core::unlock_shared_slow() noexcept {
    wake_chain woken;
    const word w = word_.enter();
    WEFT_ASSERT(w >= reader && "a shared_mutex is unlocked that nobody shares");
    word_.leave(serve(w - reader, woken));
    woken.wake();
}

void shared_mutex_core::unlock_checked() noexcept {
    WEFT_ASSERT(owner_.load(std::memory_order_relaxed) == this_agent() &&
                "a shared_mutex is unlocked by who has not locked it");
    if (outside_simulation()) {
        // Such a thread must not wake what is in it.
        word_.leave(word_.enter() & ~writer);
        return;
    }
    simulation_point();  // Others find it locked,
    owner_.store(0, std::memory_order_relaxed);
    unlock_slow();
    simulation_point();  // and free.
}

void shared_mutex_core::unlock_shared_simulated() noexcept {
    if (outside_simulation()) {
        word_.leave(word_.enter() - reader);
        return;
    }
    simulation_point();
    unlock_shared_quietly();
    simulation_point();
}

}  // namespace weft::detail
