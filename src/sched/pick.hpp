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

/// At least every so many dispatches a processor looks at its timers, and at the global queue first. 61 as in Go:
/// a prime, so that no rhythm of the program's falls in with it.
inline constexpr unsigned fairness_ticks = 61;

/// When dispatches take longer than usual a processor looks at its timers after about this time instead: it counts
/// dispatches between two looks and sets the number to the next accordingly, so no dispatch reads a clock.
inline constexpr std::int64_t look_interval_ns = 25'000;

/// `next` comes first, but not for ever: after so many in a row the ring has its turn.
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
    if (p.next_streak < next_streak_max) {
        if (coroutine* const c = p.next.take(p.owner_bias)) {
            p.next_streak = p.next_streak + 1;
            return c;
        }
    }
    p.next_streak = 0;
    if (coroutine* const c = p.ring.pop()) return c;
    return p.next.take(p.owner_bias);
}

/// Whether something waits that only the scheduler stack can see to.
[[nodiscard, gnu::always_inline]] inline bool needs_scheduler(machine& m, processor& p) noexcept {
    return p.tick.read() + 1 >= p.look_at || !p.incoming.empty() || m.locked.get() != nullptr ||
           m.block->preempt.load(std::memory_order_relaxed) != 0;
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
void requeue_elsewhere(coroutine& c) noexcept;

/// Queues a coroutine that has just left `m`.
inline void requeue(machine& m, coroutine& c) noexcept {
    processor* const p = m.p;
    if (p == nullptr || sched.sim.load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
        requeue_elsewhere(c);
        return;
    }
    if ((c.traits & (trait_cut | trait_sticky)) != 0) [[unlikely]] {
        requeue_marked(m, *p, c);
        return;
    }
    push_ring(*p, c);
    // No fence: the processor goes on running, and if a machine goes to sleep just now it watches.
    if (sched.idle_count.load(std::memory_order_relaxed) != 0 &&
        sched.spinning.load(std::memory_order_relaxed) == 0) [[unlikely]] {
        wake_one();
    }
}

}  // namespace weft::detail
