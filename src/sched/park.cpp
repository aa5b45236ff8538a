#include "sched/park.hpp"

#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "sched/arrivals.hpp"
#include "sched/idle.hpp"
#include "sched/pick.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulated_processors.hpp"
#include "sched/simulation.hpp"

namespace weft::detail {

coroutine& current_coroutine() noexcept {
    coroutine* const self = this_coroutine();
    WEFT_ASSERT(self != nullptr);
    return *self;
}

namespace {

// Whether `c` has been parked and is the caller's to queue. Otherwise finish_switch() will.
[[gnu::always_inline]] inline bool take_parked(coroutine& c) noexcept {
    co_state seen = c.state.load(std::memory_order_acquire);  // parked
    if (seen == co_state::parking &&
        c.state.compare_exchange_strong(seen, co_state::parking_ready,
                                        std::memory_order_acq_rel)) {  // overtaken
        return false;
    }
    WEFT_ASSERT(c.state.load(std::memory_order_relaxed) == co_state::parked || c.claim.load() != 0);
    return true;
}

[[gnu::noinline]] void kick(processor& p, coroutine& kicked) noexcept {
    push_ring(p, kicked);
    wake_for(p, true);
}

// It runs next; whoever was to, queues.
[[gnu::always_inline]] inline void put_next(processor& p, coroutine& c) noexcept {
    coroutine* const kicked = p.next.put(&c, p.owner_bias);
    if (kicked != nullptr) [[unlikely]] {
        kick(p, *kicked);
    } else if (!sched.has_one_processor()) {
        wake_for(p, false);
    }
}

// To the inbox of the processor that it would like, if that is another than `here`. False: anywhere will do, also because
// so many wait there already that a hint would only make it wait.
[[gnu::noinline]] bool send_to_hinted(coroutine& c, const processor* here) noexcept {
    const auto wanted = static_cast<unsigned>(c.affinity.get());
    if (wanted >= sched.processor_count) return false;
    processor& there = *sched.processors[wanted];
    if (&there == here || there.incoming.length() >= run_queue::capacity) return false;
    there.incoming.push(c);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
    wake_one(&there);
    return true;
}

}  // namespace

void ready_woken(coroutine& c) noexcept {
    if (!take_parked(c)) return;
    processor& p = *this_machine()->p;
    if (simulated_bag() != nullptr || (c.traits & trait_affinity) != 0) {
        enqueue(c);
        return;
    }
    // Nobody is woken for it: mostly it is done before a thread would be awake. look_around() asks for help otherwise.
    if (!p.cuts_in || !p.woken.push(c)) push_ring(p, c);
}

namespace {

// Where enqueue_here() does not do.
[[gnu::noinline]] void enqueue_elsewhere(coroutine& c) noexcept {
    if (simulation* const bag = simulated_bag()) {
        bag->push(c);
        return;
    }
    machine* const m = this_machine();
    processor* const p = m == nullptr ? nullptr : m->p.get();
    if (p == nullptr) {
        const foreign_visit visit;
        if ((c.traits & trait_affinity) != 0 && send_to_hinted(c, nullptr)) return;
        arrive(c);
        return;
    }
    if (!send_to_hinted(c, p)) put_next(*p, c);
}

// A good part of every hand-over: the rest is out of line, so that this has hardly a frame.
[[gnu::always_inline]] inline void enqueue_here(coroutine& c) noexcept {
    machine* const m = this_machine();
    processor* const p = m == nullptr ? nullptr : m->p.get();
    if (p == nullptr || sched.sim.load(std::memory_order_relaxed) != nullptr ||
        (c.traits & trait_affinity) != 0) [[unlikely]] {
        enqueue_elsewhere(c);
        return;
    }
    put_next(*p, c);
}

}  // namespace

void ready(coroutine& c) noexcept {
    if (take_parked(c)) enqueue_here(c);
}

void enqueue(coroutine& c) noexcept { enqueue_here(c); }

// A processor whose dispatches are long comes by here after each, others now and then. Who yields then goes behind all that
// wait for any processor, not only behind those of this one: so that a few that yield every millisecond do not keep
// thousands waiting.
void requeue_at_look(machine& m, coroutine& c) noexcept {
    processor* const p = m.p;
    bool yields = p != nullptr && p->yielded == &c;
    if (p != nullptr) p->yielded = nullptr;
    if (sched.sim.load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
        // There all switches come by here.
        yields =
            yields && simulated_queues() != nullptr && simulated_processors::look_is_due(m, *p);
    }
    if (yields && sched.global.has_overflow() &&
        (c.traits & (trait_cut | trait_sticky | trait_expired)) == 0) {
        sched.global.push_yielded(c, sched.turn.load(std::memory_order_relaxed));
        // No fence, as in requeue(): this processor goes on.
        if (sched.idle_count.load(std::memory_order_relaxed) != 0 &&
            sched.spinning.load(std::memory_order_relaxed) == 0) {
            wake_one();
        }
        return;
    }
    requeue(m, c);
}

[[gnu::noinline]] void requeue_elsewhere(machine& m, coroutine& c) noexcept {
    WEFT_DEEP;
    if (simulation* const bag = simulated_bag()) {
        bag->push(c);
        return;
    }
    if (processor* const p = m.p) {
        requeue_on(m, *p, c);
        return;
    }
    // It came out of a blocking call and found no processor; the machine is about to sleep.
    const foreign_visit visit;
    arrive(c);
}

}  // namespace weft::detail
