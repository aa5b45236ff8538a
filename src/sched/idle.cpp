// Going to sleep.
#include "sched/idle.hpp"

#include "base/assert.hpp"
#include "os/futex.hpp"
#include "sched/idle_lists.hpp"
#include "sched/monitor.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <mutex>

namespace weft::detail {

namespace {

// With many timers pending, those due within this time of each other share a wake-up: a sleep with a timeout costs 10 us
// of CPU in a virtual machine (the timer is programmed by an exit), many times the work that a timer usually brings. With
// fewer, every timer is as exact as the kernel's.
constexpr std::int64_t timer_window = 70'000;

// What the waker assigned. False: stopping.
bool take_assignment(machine& m) noexcept {
    m.note.store(0, std::memory_order_relaxed);
    if (sched.stopping.load(std::memory_order_relaxed)) return false;
    if (processor* const p = m.assigned) hold(m, *p);
    m.handover = m.assigned_coroutine.get();
    m.assigned = nullptr;
    m.assigned_coroutine = nullptr;
    WEFT_ASSERT(m.p.get() != nullptr);
    return true;
}

// Until when `m` sleeps, and whether it is the keeper meanwhile. Under idle_lock.
std::int64_t plan_sleep_locked(machine& m) noexcept {
    const unsigned idle = sched.idle_count.load(std::memory_order_relaxed);
    if (idle == 0) return never;  // Whoever has a processor sees to its timers.

    std::int64_t until = earliest_timer();
    if (until != never && many_timers())
        until = std::max(until, sched.last_timer_wake + timer_window);
    if (idle == sched.active_count.load(std::memory_order_relaxed) && sched.detects_deadlock &&
        sched.suspicion_at != 0) {
        until = std::min(until, now_ns() + look_again);
    }
    if (until >= sched.wakes_at.load(std::memory_order_relaxed)) return never;
    sched.keeper = &m;
    sched.wakes_at.store(until, std::memory_order_relaxed);
    return until;
}

void await_note(machine& m) noexcept {
    while (m.note.load(std::memory_order_acquire) == 0) futex_wait(m.note, 0, never);
}

// The time for which `m` was the keeper has come. It takes an idle processor, if there is one. False: somebody
// has taken it off the list just now, and its note is on the way.
bool leave_idle_list(machine& m) noexcept {
    const std::lock_guard hold(sched.idle_lock);
    if (!m.idle) return false;
    m.idle = false;
    sched.idle_machines.remove(m);
    if (sched.keeper == &m) dismiss_keeper_locked();
    sched.last_timer_wake = now_ns();
    if (sched.stopping.load(std::memory_order_relaxed)) return true;
    if (processor* const p = pop_idle_locked(nullptr)) {
        detail::hold(m, *p);
        m.spinning = true;
        sched.spinning.fetch_add(1, std::memory_order_seq_cst);
    }
    return true;
}

// Whether it is time to ask so at all, with everything idle. Somebody asked lately, and a foreign thread was there
// that may still help: asking reads /proc, and is not done each time such a program idles.
bool may_be_deadlock_locked() noexcept {
    return sched.detects_deadlock && (sched.suspicion_at == 0 || now_ns() >= sched.suspicion_at) &&
           nothing_left_locked(0);
}

}  // namespace

bool nothing_else_left() noexcept {
    const std::lock_guard hold(sched.idle_lock);
    return nothing_left_locked(1);
}

bool go_idle(machine& m) noexcept {
    {
        const std::lock_guard hold(sched.idle_lock);
        if (sched.stopping.load(std::memory_order_relaxed)) return false;
        if (!sched.global.empty() || m.sticky_count.load(std::memory_order_relaxed) != 0)
            return true;
        push_idle_locked(let_go(m));
    }
    leave_spinners(m);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
    if (work_visible()) {
        if (processor* const p = take_idle_processor()) {
            hold(m, *p);
            m.spinning = true;
            sched.spinning.fetch_add(1, std::memory_order_seq_cst);
            return true;
        }
    }
    return sleep_machine(m);
}

bool sleep_machine(machine& m) noexcept {
    for (;;) {
        if (sched.detects_deadlock) drop_forgotten_timers();
        std::int64_t until = never;
        {
            const std::lock_guard hold(sched.idle_lock);
            if (m.p.get() != nullptr) {
                push_idle_locked(let_go(m));
                std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
                if (work_visible()) {
                    detail::hold(m, *pop_idle_locked(nullptr));
                    return true;
                }
            }
            if (sched.stopping.load(std::memory_order_relaxed)) return false;
            if (may_be_deadlock_locked()) {
                detail::hold(m, *pop_idle_locked(nullptr));
            } else {
                until = plan_sleep_locked(m);
                m.idle = true;
                sched.idle_machines.push(m);
            }
        }
        if (m.p.get() != nullptr) {
            if (sched.hooks.deadlock()) {
                sched.suspicion_at = 0;
                return !sched.stopping.load(std::memory_order_relaxed);
            }
            if (!nothing_else_left()) return true;
            sched.suspicion_at = now_ns() + look_again;
            continue;
        }

        bool in_time = true;
        while (m.note.load(std::memory_order_acquire) == 0 && in_time) {
            in_time = futex_wait(m.note, 0, until);
        }
        if (in_time || !leave_idle_list(m)) {
            await_note(m);
            return take_assignment(m);
        }
        if (m.p.get() != nullptr) return true;
    }
}

bool sleep_locked(machine& m) noexcept {
    await_note(m);
    return take_assignment(m);
}

}  // namespace weft::detail
