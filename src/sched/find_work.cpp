// Where to look for the next coroutine, in order.
#include "arch/cpu.hpp"
#include "base/assert.hpp"
#include "base/tsan.hpp"
#include "os/clock.hpp"
#include "sched/compensate.hpp"
#include "sched/idle.hpp"
#include "sched/park.hpp"
#include "sched/pick.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <array>

namespace weft::detail {
namespace {

constexpr unsigned steal_rounds = 4;

void take_incoming(processor& from, processor& to) noexcept {
    for (coroutine* c = from.incoming.take_all(); c != nullptr;) {
        coroutine* const rest = c->link;
        hand_over(c);  // To whoever writes the link next.
        push_ring(to, *c);
        c = rest;
    }
}

coroutine* take_global(processor& p, bool fairly = false) noexcept {
    std::array<coroutine*, run_queue::half> batch;
    const unsigned processors = sched.active_count.load(std::memory_order_relaxed);
    const std::size_t n =
        fairly ? sched.global.take_fairly(batch, processors) : sched.global.take(batch, processors);
    if (n == 0) return nullptr;
    for (std::size_t i = 1; i != n; ++i) push_ring(p, *batch[i]);
    return batch[0];
}

void relax() noexcept {
    for (int i = 0; i != 40; ++i) cpu_pause();  // About a microsecond.
}

// While there are substitutes, some processors do not look at their timers, and one waits for this one's help.
void help_others(processor& p) noexcept {
    for (processor* const one : sched.all_processors()) {
        if (one != &p) run_timers(*one);
    }
    processor* const stuck = p.compensates;
    if (stuck == nullptr) return;
    free_sticky_of_stuck(p);
    take_incoming(*stuck, p);
    p.ring.steal_from(stuck->woken);
    p.ring.steal_from(stuck->ring);
    if (coroutine* const c = stuck->next.peek(); c != nullptr && stuck->next.steal(c)) {
        push_ring(p, *c);
    }
}

// What a look at the clock is for: timers, and when to look again.
void look_around(processor& p) noexcept {
    const std::uint64_t tick = p.tick.read();
    // What timers woke at the last look, without waking anybody for it, is still not done: that is worth a helper.
    if (!p.ring.empty() && sched.idle_count.load(std::memory_order_relaxed) != 0 &&
        sched.spinning.load(std::memory_order_relaxed) == 0) {
        wake_one();
    }
    if (sched.slot_count.load(std::memory_order_relaxed) != sched.processor_count) [[unlikely]]
        help_others(p);
    if (p.earliest_deadline.load(std::memory_order_relaxed) == never) {
        p.look_at = tick + 1 + fairness_ticks;
        p.look_tick = tick;
        p.look_ns = 0;
        return;
    }
    run_timers(p);
    if (p.woken_since != 0) return;  // These are not the dispatches to judge by.
    const std::int64_t now = monotonic_ns();
    const auto dispatches = static_cast<std::int64_t>(tick - p.look_tick);
    const std::int64_t took = std::max<std::int64_t>(now - p.look_ns, 1);
    const std::int64_t fitting = dispatches * look_interval_ns / took;
    p.look_at =
        tick + 1 + static_cast<std::uint64_t>(std::clamp<std::int64_t>(fitting, 1, fairness_ticks));
    p.look_tick = tick;
    p.look_ns = now;
}

// Those that timers woke come first, for as long as a look takes; then the others have as much time as these took.
// So who slept does not wait behind a long queue, and the queue keeps at least half of the processor.
coroutine* take_woken(processor& p) noexcept {
    if (p.woken_since == 0 && p.woken.empty()) return nullptr;
    const std::int64_t now = monotonic_ns();
    if (p.woken_since != 0 && (p.woken.empty() || now - p.woken_since >= look_interval_ns)) {
        p.others_until = now + (now - p.woken_since);
        p.woken_since = 0;
    }
    if (p.woken.empty() || now < p.others_until) return nullptr;
    if (p.woken_since == 0) p.woken_since = now;
    p.look_at = 0;  // Ask again before the next.
    return p.woken.pop();
}

// Every other dispatch is the sticky coroutines', for they can't be taken by anybody else.
coroutine* take_turn_of_sticky(machine& m, processor& p) noexcept {
    if (m.sticky_count.load(std::memory_order_relaxed) == 0) [[likely]]
        return nullptr;
    p.look_at = 0;  // Come by here again before the next.
    return p.tick.read() % 2 == 0 ? take_sticky(m) : nullptr;
}

// Spinners at most half of the busy processors: more would only get into each other's way.
bool may_spin(machine& m) noexcept {
    if (m.spinning) return true;
    const unsigned busy = sched.active_count.load(std::memory_order_relaxed) -
                          sched.idle_count.load(std::memory_order_relaxed);
    if (2 * sched.spinning.load(std::memory_order_relaxed) >= busy) return false;
    m.spinning = true;
    sched.spinning.fetch_add(1, std::memory_order_seq_cst);
    return true;
}

coroutine* steal_from(processor& p, processor& victim, unsigned round,
                      coroutine* stale_next) noexcept {
    if (const std::size_t n = p.ring.steal_from(victim.woken) + p.ring.steal_from(victim.ring);
        n != 0) {
        p.steals.add(n);
        return p.ring.pop();
    }
    if (victim.earliest_deadline.load(std::memory_order_relaxed) != never &&
        run_timers(victim) != 0) {
        return take_own(p);
    }
    // What was put there for the victim alone is ours only when it does not come to it.
    if (round >= 2 && !victim.incoming.empty()) {
        take_incoming(victim, p);
        if (coroutine* const c = p.ring.pop()) return c;
    }
    if (stale_next != nullptr && victim.next.steal(stale_next)) {
        p.steals.add();
        return stale_next;
    }
    return nullptr;
}

coroutine* steal(machine& m) noexcept {
    const unsigned count = sched.slot_count.load(std::memory_order_acquire);
    if (count == 1 || !may_spin(m)) return nullptr;
    processor& p = *m.p;

    for (unsigned round = 0; round != steal_rounds; ++round) {
        const unsigned first = p.random.below(count);
        for (unsigned i = 0; i != count; ++i) {
            if (sched.stopping.load(std::memory_order_relaxed)) return nullptr;
            processor& victim = *sched.processors[(first + i) % count];
            if (&victim == &p) continue;
            glimpse& last = p.seen[victim.index];
            coroutine* const next = victim.next.peek();
            const std::uint64_t tick = victim.tick.read();
            const bool stale =
                round != 0 && next != nullptr && next == last.next && tick == last.tick;
            last = {next, tick};
            if (coroutine* const c = steal_from(p, victim, round, stale ? next : nullptr)) return c;
        }
        if (!sched.global.empty()) return nullptr;  // The caller looks there again.
        relax();
    }
    return nullptr;
}

coroutine* find_simulated(simulation& sim, machine& m) noexcept {
    processor& p = *m.p;
    for (;;) {
        if (sched.stopping.load(std::memory_order_relaxed)) return nullptr;
        if (coroutine* const c = m.handover) {
            m.handover = nullptr;
            return c;
        }
        if (coroutine* const c = sim.pick()) {
            p.tick.add();
            return c;
        }
        const std::int64_t next = p.earliest_deadline.load(std::memory_order_relaxed);
        if (next == never) {
            WEFT_CHECK(sched.hooks.deadlock());
            continue;
        }
        if (next > sim.now_ns) sim.now_ns = next;
        while (sched.hooks.timers->run_due(p, sim.now_ns) != 0) {}
    }
}

}  // namespace

void spill_ring(processor& p, coroutine& c) noexcept {
    do {
        std::array<coroutine*, run_queue::half> spilled;
        if (const std::size_t n = p.ring.spill(spilled); n != 0) {
            sched.global.push(std::span(spilled.data(), n));
        }
    } while (!p.ring.push(c));
}

std::size_t run_timers(processor& p) noexcept {
    const std::int64_t earliest = p.earliest_deadline.load(std::memory_order_relaxed);
    if (earliest == never) return 0;
    const std::int64_t now = now_ns();
    if (earliest > now) return 0;
    processor& here = *this_machine()->p;
    if (here.woken.size() > run_queue::half) return 0;  // Those that were due earlier first.
    here.cuts_in = !here.ring.empty() || here.next.peek() != nullptr || !sched.global.empty();
    const std::size_t fired = sched.hooks.timers->run_due(p, now);
    here.cuts_in = false;
    return fired;
}

// The caller holds a processor and stands on the scheduler stack. Null: stopping.
coroutine* find_work(machine& m) noexcept {
    if (simulation* const sim = sched.sim.load(std::memory_order_relaxed)) {
        return find_simulated(*sim, m);
    }
    for (;;) {
        if (sched.stopping.load(std::memory_order_acquire)) return nullptr;
        if (m.p->retiring.load(std::memory_order_acquire)) [[unlikely]] {
            if (coroutine* const c = m.handover) {
                m.handover = nullptr;
                sched.global.push(*c);
            }
            retire_substitute(m);
            if (!(m.locked.get() != nullptr ? sleep_locked(m) : sleep_machine(m))) return nullptr;
            continue;
        }
        processor& p = *m.p;
        if (coroutine* const c = m.handover) {
            m.handover = nullptr;
            p.tick.add();
            return c;
        }
        m.block->preempt.store(0, std::memory_order_relaxed);
        take_incoming(p, p);
        if (p.tick.read() + 1 >= p.look_at) look_around(p);
        coroutine* c = take_turn_of_sticky(m, p);
        // Before the global queue: that is due as often as a look, and would otherwise come first each time.
        if (c == nullptr) c = take_woken(p);
        if (c == nullptr && p.tick.read() - p.global_tick >= fairness_ticks) {
            p.global_tick = p.tick.read();
            c = take_global(p, true);
        }
        if (c == nullptr) c = take_own(p);
        if (c == nullptr) c = p.woken.pop();  // Out of turn, for there is nobody else.
        if (c == nullptr) c = take_global(p);
        if (c == nullptr && run_timers(p) != 0) c = take_own(p);
        if (c == nullptr) c = take_sticky(m);  // Out of turn, for there is nobody else.
        if (c == nullptr) c = steal(m);
        if (c == nullptr) c = take_global(p);
        if (c != nullptr) {
            p.tick.add();
            if (m.spinning) stop_spinning(m);
            keep_timers(p);
            return c;
        }
        if (!go_idle(m)) return nullptr;
    }
}

}  // namespace weft::detail
