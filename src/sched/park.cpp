#include "sched/park.hpp"

#include "base/assert.hpp"
#include "sched/idle.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/switch.hpp"

namespace weft::detail {

coroutine& current_coroutine() noexcept {
    coroutine* const self = this_coroutine();
    WEFT_ASSERT(self != nullptr);
    return *self;
}

void prepare_park(coroutine& self) noexcept {
    WEFT_ASSERT(self.state.load(std::memory_order_relaxed) == co_state::running);
    // Relaxed: the lock or the CAS that shows the waiter to others publishes it.
    self.state.store(co_state::parking, std::memory_order_relaxed);
}

void cancel_park(coroutine& self) noexcept {
    WEFT_ASSERT(self.state.load(std::memory_order_relaxed) == co_state::parking);
    self.state.store(co_state::running, std::memory_order_relaxed);
}

void park(coroutine& self) noexcept {
    machine& m = *this_machine();
    m.p->parks.add();
    switch_away(m, self);
}

void park_current() noexcept {
    coroutine& self = current_coroutine();
    prepare_park(self);
    park(self);
}

void ready(coroutine& c) noexcept {
    co_state seen = c.state.load(std::memory_order_acquire);  // parked
    if (seen == co_state::parking &&
        c.state.compare_exchange_strong(seen, co_state::parking_ready, std::memory_order_acq_rel)) {
        return;  // finish_switch() queues it.
    }
    WEFT_ASSERT(c.state.load(std::memory_order_relaxed) == co_state::parked ||
                c.claim.load() != claim_state::none);
    enqueue(c);
}

void enqueue(coroutine& c) noexcept {
    if (simulation* const sim = sched.sim.load(std::memory_order_relaxed)) [[unlikely]] {
        sim->push(c);
        return;
    }
    machine* const m = this_machine();
    processor* const p = m == nullptr ? nullptr : m->p.get();
    if (p == nullptr) [[unlikely]] {
        const foreign_visit visit;
        sched.global.push(c);
        std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
        wake_one();
        return;
    }
    if ((c.traits & trait_affinity) != 0) [[unlikely]] {
        const auto wanted = static_cast<unsigned>(c.affinity.get());
        if (wanted < sched.processor_count && wanted != p->index) {
            sched.processors[wanted]->incoming.push(c);
            wake_for(*p, true);
            return;
        }
    }
    coroutine* const kicked = p->next.put(&c);
    if (kicked != nullptr) push_ring(*p, *kicked);
    wake_for(*p, kicked != nullptr);
}

void requeue(machine& m, coroutine& c) noexcept {
    if (simulation* const sim = sched.sim.load(std::memory_order_relaxed)) [[unlikely]] {
        sim->push(c);
        return;
    }
    processor* const p = m.p;
    if (p == nullptr) [[unlikely]] {
        // It came out of a blocking call and found no processor; the machine is about to sleep.
        const foreign_visit visit;
        sched.global.push(c);
        std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
        wake_one();
        return;
    }
    push_ring(*p, c);
    // No fence: the processor goes on running, and if a machine goes to sleep just now it watches.
    if (sched.idle_count.load(std::memory_order_relaxed) != 0 &&
        sched.spinning.load(std::memory_order_relaxed) == 0) {
        wake_one();
    }
}

void yield_current(coroutine& self) noexcept {
    machine& m = *this_machine();
    processor& p = *m.p;
    const bool alone = p.ring.empty() && p.next.peek() == nullptr && sched.global.empty() &&
                       !needs_scheduler(m, p);
    if (alone) {
        p.tick.add();
        if (p.earliest_deadline.load(std::memory_order_relaxed) == never || run_timers(p) == 0) return;
    }
    // Nobody else may touch the state of a coroutine that has ready_pending set already.
    self.state.store(co_state::parking_ready, std::memory_order_relaxed);
    switch_away(m, self);
}

}  // namespace weft::detail
