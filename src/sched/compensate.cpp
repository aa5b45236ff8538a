#include "sched/compensate.hpp"

#include "base/intrusive_list.hpp"
#include "sched/arrivals.hpp"
#include "sched/idle.hpp"
#include "sched/pick.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/watched.hpp"

#include <array>
#include <atomic>
#include <mutex>
#include <new>

namespace weft::detail {
namespace {

// Under idle_lock.
intrusive_stack<processor, &processor::idle_link> spares;
unsigned in_use = 0;

std::atomic<bool> refused{false};
std::atomic<std::uint64_t> added{0};
std::atomic<std::uint64_t> unstuck{0};

// Whether the thread waits in the kernel, or has had the CPU for long enough to respond.
bool is_stuck(watched& w) noexcept {
    const int id = w.machine_seen->thread_id.load(std::memory_order_relaxed);
    if (w.probe.state(id) == thread_state::sleeping) return true;
    if (w.asked_at == 0) return false;
    const std::int64_t cpu = thread_probe::cpu_ns(id);
    return cpu < 0 || w.cpu_then < 0 || cpu - w.cpu_then >= unresponsive_after;
}

void put_away(processor& substitute) noexcept {
    const std::lock_guard hold(sched.idle_lock);
    substitute.retiring.store(false, std::memory_order_relaxed);
    substitute.compensates = nullptr;
    substitute.spare = true;
    spares.push(substitute);
    --in_use;
    refused.store(false, std::memory_order_relaxed);
    // Nobody steals any more, and what the substitutes stole they stole before they took the lock to go.
    if (in_use == 0 && sched.processor_count == 1) sched.processors[0]->owner_bias.restore();
}

}  // namespace

bool compensate(processor& p, watched& w) {
    if (!is_stuck(w)) return false;
    processor* substitute = nullptr;
    {
        const std::lock_guard hold(sched.idle_lock);
        if (sched.stopping.load(std::memory_order_relaxed)) return false;
        if (in_use == sched.processor_slots_max - sched.processor_count) {
            refused.store(true, std::memory_order_relaxed);
            return false;
        }
        substitute = spares.pop();
        if (substitute == nullptr &&
            sched.slot_count.load(std::memory_order_relaxed) == sched.processor_slots_max) {
            return false;  // All are on their way out of use.
        }
        if (substitute != nullptr) substitute->spare = false;
        ++in_use;
        // Here, and not when it is started: it is seen, by the heavy fence of revoke(), before anybody steals or waits for
        // being woken.
        sched.active_count.fetch_add(1, std::memory_order_relaxed);
    }
    if (substitute == nullptr) {
        try {
            substitute = &add_processor();
        } catch (const std::bad_alloc&) {
            const std::lock_guard hold(sched.idle_lock);
            sched.active_count.fetch_sub(1, std::memory_order_relaxed);
            --in_use;
            return false;
        }
    }
    // From now on there is somebody who steals.
    if (sched.processor_count == 1) sched.processors[0]->owner_bias.revoke();
    added.fetch_add(1, std::memory_order_relaxed);
    {
        // Others look at these under the lock, in a chain of substitutes.
        const std::lock_guard hold(sched.idle_lock);
        substitute->compensates = &p;
        substitute->stuck_tick = w.tick;
    }
    substitute->look_at = 0;
    w.substitute = substitute;
    w.probe.close();  // A file for each of a thousand stuck threads would be the program's files.
    start_processor(*substitute);
    return true;
}

void watched::responded() noexcept {
    if (substitute == nullptr) return;
    processor& s = *substitute;
    substitute = nullptr;
    s.retiring.store(true, std::memory_order_release);
    if (stop_idle_processor(s)) {
        put_away(s);
    } else if (machine* const m = s.holder.load(std::memory_order_relaxed)) {
        request_preemption(*m, preempt_slice);
    }
}

void free_sticky_of_stuck(const processor& substitute, processor& to) noexcept {
    // Under the lock, for who called run() takes its machine along when the runtime stops, and a substitute may be taken
    // out of use meanwhile.
    const std::lock_guard hold(sched.idle_lock);
    if (substitute.compensates == nullptr) return;
    const processor& stuck = *substitute.compensates.get();
    machine* const m = stuck.holder.load(std::memory_order_relaxed);
    if (m == nullptr || sched.stopping.load(std::memory_order_relaxed)) return;
    if (m->sticky_count.load(std::memory_order_relaxed) == 0) return;
    if (stuck.tick.read() != substitute.stuck_tick) return;
    const std::size_t broken = break_stickiness(*m, to);
    unstuck.fetch_add(broken, std::memory_order_relaxed);
}

void retire_substitute(machine& m) noexcept {
    release_sticky(m);
    processor& p = *m.p;
    std::array<coroutine*, run_queue::half> batch;
    std::size_t n = 0;
    const auto flush = [&] {
        arrive_together(std::span(batch.data(), n));
        n = 0;
    };
    const auto add = [&](coroutine& c) {
        batch[n++] = &c;
        if (n == batch.size()) flush();
    };
    while (coroutine* const c = p.woken.pop()) add(*c);
    while (coroutine* const c = take_own(p)) add(*c);
    for (coroutine* c = p.incoming.take_all(); c != nullptr;) {
        coroutine* const rest = c->link;
        hand_over(c);
        add(*c);
        c = rest;
    }
    flush();
    put_away(stop_held_processor(m));
}

bool compensation_used_up() noexcept { return refused.load(std::memory_order_relaxed); }

compensation_counts compensations() noexcept {
    const std::lock_guard hold(sched.idle_lock);
    return {added.load(std::memory_order_relaxed), unstuck.load(std::memory_order_relaxed), in_use};
}

void reset_compensation() noexcept {
    const std::lock_guard hold(sched.idle_lock);
    spares = {};
    in_use = 0;
    refused.store(false);
    added.store(0);
    unstuck.store(0);
}

}  // namespace weft::detail
