// What happens between two coroutines when all goes well: inline, so that a switch is one function.
//
// The depth of calls matters here more than elsewhere: each frame between the program and the jump is a return
// that the CPU must predict on behalf of another stack (see arch/x86_64/jump.S).
#pragma once

#include "base/config.hpp"
#include "sched/idle.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"

namespace weft::detail {

/// `next` comes first, but not for ever: after so many in a row one of the ring has its turn. For short dispatches;
/// long ones have the slice of the chain.
inline constexpr unsigned next_streak_max = tiny_limits ? 4 : 64;

/// push_ring() for a full ring: half of it goes to the global queue. In find_work.cpp.
void spill_ring(processor& p, coroutine& c) noexcept;

/// Appends to the ring, spilling to the global queue. Owner only.
inline void push_ring(processor& p, coroutine& c) noexcept {
    if (!p.ring.push(c)) [[unlikely]]
        spill_ring(p, c);
}

/// `next`, then the ring; with a limit to how often `next` comes first. Owner only.
[[nodiscard, gnu::always_inline]] inline coroutine* take_own(processor& p) noexcept {
    const std::uint64_t chain = p.chain;
    if ((chain & processor::streak_bits) < next_streak_max) {
        if (coroutine* const c = p.next.take(p.owner_bias)) {
            p.chain = chain + 1;
            return c;
        }
        p.chain = (chain | processor::streak_bits) + 1;
    } else {
        p.chain = chain & ~processor::streak_bits;
    }
    if (coroutine* const c = p.ring.pop()) return c;
    return p.next.take(p.owner_bias);
}

/// Whether something waits that only the scheduler stack can see to.
[[nodiscard, gnu::always_inline]] inline bool needs_scheduler(machine& m, processor& p) noexcept {
    return p.tick.read() + 1 >= p.look_at || !p.incoming.empty() || m.locked.get() != nullptr ||
           requests_of(*m.block.get()) != 0;
}

/// The next coroutine out of the processor's own queues, or null when a look further is due. It still
/// has to be entered.
[[nodiscard, gnu::always_inline]] inline coroutine* pick_local(machine& m, processor& p) noexcept {
    if (needs_scheduler(m, p)) [[unlikely]]
        return nullptr;
    coroutine* const c = take_own(p);
    if (c == nullptr) [[unlikely]]
        return nullptr;
    if ((c->traits & trait_locked) != 0) [[unlikely]] {
        m.handover = c;  // Only the scheduler stack can give the processor to another machine.
        return nullptr;
    }
    p.tick.add();
    return c;
}

/// requeue() where there is no processor, or a simulation. In park.cpp.
void requeue_elsewhere(machine& m, coroutine& c) noexcept;

/// Queues a coroutine that has just left `m` for the scheduler stack. In park.cpp.
void requeue_at_look(machine& m, coroutine& c) noexcept;

[[gnu::always_inline]] inline void requeue_on(machine& m, processor& p, coroutine& c) noexcept {
    if ((c.traits & (trait_cut | trait_sticky | trait_expired)) != 0) [[unlikely]] {
        requeue_marked(m, p, c);
        return;
    }
    push_ring(p, c);
    // No fence: the processor goes on running, and if a machine goes to sleep just now it watches.
    if (sched.idle_count.load(std::memory_order_relaxed) != 0 &&
        sched.spinning.load(std::memory_order_relaxed) == 0) [[unlikely]] {
        wake_one();
    }
}

/// Queues a coroutine that has just left `m` for another.
inline void requeue(machine& m, coroutine& c) noexcept {
    processor* const p = m.p;
    if (p == nullptr || sched.sim.load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
        requeue_elsewhere(m, c);
        return;
    }
    requeue_on(m, *p, c);
}

}  // namespace weft::detail
