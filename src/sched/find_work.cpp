// Where to look for the next coroutine, in order.
#include "arch/cpu.hpp"
#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "os/clock.hpp"
#include "sched/arrivals.hpp"
#include "sched/collector.hpp"
#include "sched/compensate.hpp"
#include "sched/idle.hpp"
#include "sched/park.hpp"
#include "sched/pick.hpp"
#include "sched/poll.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/sources.hpp"

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

void relax() noexcept {
    if (simulated()) return;                    // Nothing happens meanwhile.
    for (int i = 0; i != 40; ++i) cpu_pause();  // About a microsecond.
}

// While there are substitutes, some processors do not look at their timers, and one waits for this one's help.
void help_others(processor& p) noexcept {
    for (processor* const one : sched.timer_owners()) {
        if (one != &p) run_timers(*one);
    }
    // The one that it stands in for may have stood in for another, and so on: nobody else comes for what those have, as long
    // as all others have work of their own.
    std::size_t left = sched.slot_count.load(std::memory_order_relaxed);
    for (processor* helper = &p; left != 0; --left) {
        processor* const stuck = helper->compensates;
        // Back at ourselves: the one that we stand in for was put to use for us earlier, and has not gone yet.
        if (stuck == nullptr || stuck == &p) return;
        free_sticky_of_stuck(*helper, p);
        take_incoming(*stuck, p);
        p.ring.steal_from(stuck->woken);
        p.ring.steal_from(stuck->ring);
        if (coroutine* const c = stuck->next.peek(); c != nullptr && stuck->next.steal(c)) {
            push_ring(p, *c);
        }
        helper = stuck;
    }
}

// While the collector marks, all switches go by way of the scheduler stack, where it follows who enters and leaves.
std::uint64_t next_look(std::uint64_t tick) noexcept { return is_marking() ? 0 : tick; }

// Looks at the clock for timers and for those who come first for a part of the time, and says when to look again.
void look_around(machine& m, processor& p) noexcept {
    const std::uint64_t tick = p.tick.read();
    // What timers woke at the last look, without waking anybody for it, is still not done: that is worth a helper.
    if (!p.ring.empty() && sched.idle_count.load(std::memory_order_relaxed) != 0 &&
        sched.spinning.load(std::memory_order_relaxed) == 0) {
        wake_one();
    }
    const bool helps = sched.has_substitutes();
    if (helps) [[unlikely]]
        help_others(p);
    const bool polls = sched.io.load(std::memory_order_relaxed) != nullptr;
    // Without timers or descriptors, nor anybody who comes first for a part of the time or waits for all processors, no clock is needed.
    if (!helps && !polls && p.earliest_deadline.load(std::memory_order_relaxed) == never &&
        p.woken.empty() && sched.global.empty() && !p.turn.ahead_under_way() &&
        m.sticky_count.load(std::memory_order_relaxed) == 0) {
        p.look_at = next_look(tick + 1 + fairness_ticks);
        p.look_tick = tick;
        p.look_ns = 0;
        return;
    }
    run_timers(p);
    std::int64_t now = now_ns();
    if (polls && poll_if_due(p, now) != 0) now = now_ns();
    if (p.turn.ahead_under_way()) return;  // These are not the dispatches to judge by.
    const auto dispatches = static_cast<std::int64_t>(tick - p.look_tick);
    const std::int64_t took = std::max<std::int64_t>(now - p.look_ns, 1);
    const std::int64_t fitting = dispatches * look_interval_ns / took;
    p.look_at =
        next_look(tick + 1 +
                  static_cast<std::uint64_t>(std::clamp<std::int64_t>(fitting, 1, fairness_ticks)));
    p.look_tick = tick;
    p.look_ns = now;
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
        // The coroutine that left it there may compute on, and do so the next time.
        victim.stolen_at.store(now_ns(), std::memory_order_relaxed);
        victim.stolen_tick.store(victim.tick.read(), std::memory_order_relaxed);
        if (machine* const m = victim.holder.load(std::memory_order_relaxed)) {
            request_look(*m, preempt_stolen);
        }
        return stale_next;
    }
    return nullptr;
}

coroutine* steal(machine& m) noexcept {
    const unsigned count = sched.slot_count.load(std::memory_order_acquire);
    if (sched.has_one_processor() || !may_spin(m)) return nullptr;
    processor& p = *m.p;
    // What comes from outside comes by the poller then, and if nobody else runs nothing else comes at all.
    const bool alone = sched.io.load(std::memory_order_relaxed) != nullptr &&
                       sched.idle_count.load(std::memory_order_relaxed) + 1 ==
                           sched.active_count.load(std::memory_order_relaxed);
    const unsigned rounds = alone ? 1 : steal_rounds;

    for (unsigned round = 0; round != rounds; ++round) {
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
        if (!alone) relax();
    }
    return nullptr;
}

// The machine's part of what turns::pick() chooses from.
class sources : public queue_sources {
public:
    sources(machine& m, processor& p) noexcept : queue_sources(p), m_(m) {}

    [[nodiscard]] static std::int64_t now() noexcept { return now_ns(); }
    [[nodiscard]] bool has_sticky() const noexcept {
        return m_.sticky_count.load(std::memory_order_relaxed) != 0;
    }
    [[nodiscard]] coroutine* sticky() noexcept { return ahead(take_sticky(m_)); }
    void end_chain() noexcept { detail::end_chain(p_); }
    // And what is ready outside. The only processor sleeps in the poller next, if there is nothing at all.
    [[nodiscard]] bool timers() noexcept {
        const bool fired = run_timers(p_) != 0;
        return (!sched.has_one_processor() && poll_now(p_) != 0) || fired;
    }
    [[nodiscard]] coroutine* steal() noexcept { return detail::steal(m_); }

private:
    machine& m_;
};

// Does what was asked of the coroutine that ran here, by the monitor or by who brought an arrival.
void heed(preempt_request request, processor& p) noexcept {
    if (request == preempt_none) return;
    p.look_at = 0;
    if (request == preempt_slice) {
        end_chain(p);
    } else if (request == preempt_cut) {
        p.turn.make_room(now_ns(), p.next.peek());
        // It has run longest of all, and may be asked on account of another's timers.
        for (processor* const one : sched.timer_owners()) run_timers(*one);
        poll_now(p);
    }
}

void fire_due(const simulation& sim, processor& p) noexcept {
    while (p.earliest_deadline.load(std::memory_order_relaxed) <= sim.now_ns &&
           sched.hooks.timers->run_due(p, sim.now_ns) != 0) {}
}

coroutine* find_simulated(simulation& sim, machine& m) noexcept {
    processor& p = *m.p;
    for (;;) {
        if (sched.stopping.load(std::memory_order_relaxed)) return nullptr;
        if (coroutine* const c = m.handover) {
            m.handover = nullptr;
            return c;
        }
        fire_due(sim, p);  // Somebody may have computed.
        if (coroutine* const c = sim.pick()) {
            p.tick.add();
            return c;
        }
        const std::int64_t next = p.earliest_deadline.load(std::memory_order_relaxed);
        if (next == never) {
            WEFT_CHECK(sched.hooks.deadlock());
            continue;
        }
        sim.now_ns = std::max(sim.now_ns, next);
        fire_due(sim, p);
    }
}

}  // namespace

[[gnu::noinline]] void spill_ring(processor& p, coroutine& c) noexcept {
    WEFT_DEEP;
    do {
        std::array<coroutine*, run_queue::half> spilled;
        if (const std::size_t n = p.ring.spill(spilled); n != 0) {
            sched.global.spill(std::span(spilled.data(), n),
                               sched.turn.load(std::memory_order_relaxed));
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

coroutine* look_for_work(machine& m) noexcept {
    processor& p = *m.p;
    if (coroutine* const c = m.handover) {
        m.handover = nullptr;
        // This one is not what anything was asked of.
        if (take_request(m) != preempt_none) p.look_at = 0;
        p.tick.add();
        return c;
    }
    heed(take_request(m), p);
    take_incoming(p, p);
    if (p.tick.read() + 1 >= p.look_at) look_around(m, p);
    sources from(m, p);
    from.end_probe();
    coroutine* const c = p.turn.pick(from);
    if (c == nullptr) return nullptr;
    p.tick.add();
    if (m.spinning) stop_spinning(m);
    keep_timers(p);
    return c;
}

// The caller holds a processor and stands on the scheduler stack. Null: stopping.
coroutine* find_work(machine& m) noexcept {
    if (simulation* const bag = simulated_bag()) return find_simulated(*bag, m);
    for (;;) {
        if (sched.stopping.load(std::memory_order_acquire)) return nullptr;
        if (m.p->retiring.load(std::memory_order_acquire)) [[unlikely]] {
            if (coroutine* const c = m.handover) {
                m.handover = nullptr;
                coroutine* const one[] = {c};
                arrive_together(one);
            }
            retire_substitute(m);
            if (!(m.locked.get() != nullptr ? sleep_locked(m) : sleep_machine(m))) return nullptr;
            continue;
        }
        answer_collector(m);
        if (coroutine* const c = look_for_work(m)) return c;
        if (!go_idle(m)) return nullptr;
    }
}

}  // namespace weft::detail
