#include "sched/preempt.hpp"

#include "arch/x86_64/offsets.h"
#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "os/fence.hpp"
#include "sched/idle_lists.hpp"
#include "sched/park.hpp"
#include "sched/pick.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/switch.hpp"

#include <mutex>

namespace weft::detail {

void request_preemption(machine& m, preempt_request what) noexcept {
    // A machine whose thread has not begun yet has none.
    thread_block* const block = m.shared_block.load(std::memory_order_acquire);
    if (block == nullptr) return;
    block->preempt.store(what, std::memory_order_relaxed);
    if (sched.has_split_stacks.load(std::memory_order_relaxed)) poison(m);
}

bool request_look(machine& m, preempt_request what) noexcept {
    thread_block* const block = m.shared_block.load(std::memory_order_acquire);
    if (block == nullptr) return false;
    std::uint32_t none = preempt_none;
    if (block->preempt.load(std::memory_order_relaxed) != none) return false;
    return block->preempt.compare_exchange_strong(none, what, std::memory_order_relaxed);
}

void poison(machine& m) noexcept {
    thread_block& block = *m.shared_block.load(std::memory_order_acquire);
    block.poisoned.store(1, std::memory_order_relaxed);
    heavy_fence();  // poison
    if (block.limit.load(std::memory_order_relaxed) == 0) return;
    block.call_limit.store(static_cast<std::uintptr_t>(POISON), std::memory_order_relaxed);
    m.stack_limit->store(static_cast<std::uintptr_t>(POISON), std::memory_order_relaxed);
}

void preemption_point_slow(coroutine& self) noexcept {
    machine& m = *this_machine();
    if (m.block->collector.load(std::memory_order_relaxed) != 0) visit_scheduler(m, self);
    std::uint32_t request = m.block->preempt.load(std::memory_order_relaxed);
    if (request == preempt_none || request == preempt_simulated) return;
    processor& p = *m.p;
    if (request == preempt_look || request == preempt_stolen) {
        p.look_at = 0;
        // Only if it really goes on: a thief may come between two steps of a hand-over, which is better left to one
        // processor. If it is too early to tell, the monitor asks again.
        if (request == preempt_stolen &&
            p.stolen_tick.load(std::memory_order_relaxed) == p.tick.read() &&
            now_ns() - p.stolen_at.load(std::memory_order_relaxed) >= goes_on_least_ns) {
            self.mark(trait_goes_on);
        }
        // If it is not this any more, then what came instead stays.
        m.block->preempt.compare_exchange_strong(request, preempt_none, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);  // look
        return;
    }
    if (self.no_preempt_depth != 0) return;
    p.look_at = 0;  // What it is to make room for may still be a timer.
    if (request == preempt_cut) {
        p.cut_ins.add();
        self.mark(trait_cut);
    } else {
        p.preemptions.add();
        self.mark(trait_expired);
    }
    yield_current(self);
    self.unmark(trait_cut);
    self.unmark(trait_expired);
}

void preempt_implicitly(coroutine& self) noexcept {
    machine& m = *this_machine();
    processor& p = *m.p;
    p.look_at = 0;  // What it is to make room for may still be a timer.
    (m.block->preempt.load(std::memory_order_relaxed) == preempt_cut ? p.cut_ins : p.preemptions)
        .add();
    self.mark(trait_sticky);
    self.state.store(co_state::parking_ready, std::memory_order_relaxed);
    switch_to_scheduler(m, self);
}

void unstick(coroutine& self) noexcept { self.unmark(trait_sticky); }

bool goes_on(coroutine& self) noexcept {
    if ((self.traits & trait_goes_on) == 0) return false;
    self.unmark(trait_goes_on);
    return true;
}

[[gnu::noinline]] void requeue_marked(machine& m, processor& p, coroutine& c) noexcept {
    WEFT_DEEP;
    if ((c.traits & trait_sticky) != 0) {
        take_over(&c);
        const std::lock_guard hold(m.sticky_lock);
        m.sticky.push(c);
        m.sticky_count.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    if ((c.traits & trait_expired) != 0) {
        // Where there is nothing else, its processor takes it back at once, and nobody has to be woken.
        const bool others = has_work(p) || p.next.peek() != nullptr || !sched.global.empty() ||
                            m.sticky_count.load(std::memory_order_relaxed) != 0;
        sched.global.push_expired(c, sched.turn.load(std::memory_order_relaxed));
        if (others) wake_for(p, true);
        return;
    }
    coroutine* const kicked = p.next.put(&c, p.owner_bias);
    if (kicked == nullptr) return;
    push_ring(p, *kicked);
    wake_for(p, true);
}

coroutine* take_sticky(machine& m) noexcept {
    if (m.sticky_count.load(std::memory_order_relaxed) == 0) return nullptr;
    const std::lock_guard hold(m.sticky_lock);
    coroutine* const c = m.sticky.pop();
    if (c == nullptr) return nullptr;
    hand_over(c);  // To whoever writes the link next.
    m.sticky_count.fetch_sub(1, std::memory_order_relaxed);
    return c;
}

void release_sticky(machine& m) noexcept {
    while (coroutine* const c = take_sticky(m)) {
        c->unmark(trait_sticky);
        sched.global.push_expired(*c, sched.turn.load(std::memory_order_relaxed));
        std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
        wake_one();
    }
}

std::size_t break_stickiness(machine& from, processor& to) noexcept {
    std::size_t broken = 0;
    while (coroutine* const c = take_sticky(from)) {
        c->unmark(trait_sticky);
        push_ring(to, *c);
        ++broken;
    }
    return broken;
}

}  // namespace weft::detail
