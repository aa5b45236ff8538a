#include "sched/idle.hpp"

#include "base/assert.hpp"
#include "os/futex.hpp"
#include "sched/monitor.hpp"
#include "sched/pick.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <mutex>

namespace weft::detail {

namespace {

// With this many timers pending, those due within `timer_window` of each other share a wake-up: a sleep with a
// timeout costs 10 us of CPU in a virtual machine (the timer is programmed by an exit), many times the work
// that a timer usually brings. With fewer, every timer is as exact as the kernel's.
constexpr std::size_t timers_many = 64;
constexpr std::int64_t timer_window = 70'000;

// How often to look whether a suspected deadlock has become one.
constexpr std::int64_t look_again = 500'000'000;

}  // namespace

std::int64_t earliest_timer() noexcept {
    std::int64_t earliest = never;
    for (const processor* p : sched.all_processors()) {
        earliest = std::min(earliest, p->earliest_deadline.load(std::memory_order_relaxed));
    }
    return earliest;
}

bool many_timers() noexcept {
    std::size_t count = 0;
    for (const processor* p : sched.all_processors()) {
        count += p->timer_count.load(std::memory_order_relaxed);
    }
    return count >= timers_many;
}

namespace {

// Under idle_lock. -------------------------------------------------------------------------------------

void push_idle_locked(processor& p) noexcept {
    WEFT_ASSERT(!p.idle);
    p.idle = true;
    sched.idle_processors.push(p);
    sched.idle_count.fetch_add(1, std::memory_order_seq_cst);
}

processor* pop_idle_locked(processor* preferred) noexcept {
    processor* p = preferred;
    if (p != nullptr && p->idle) {
        sched.idle_processors.remove(*p);
    } else {
        p = sched.idle_processors.pop();
    }
    if (p == nullptr) return nullptr;
    p->idle = false;
    sched.idle_count.fetch_sub(1, std::memory_order_seq_cst);
    rouse_monitor_locked();
    return p;
}

void dismiss_keeper_locked() noexcept {
    sched.keeper = nullptr;
    sched.wakes_at.store(never, std::memory_order_relaxed);
}

// A sleeping machine, the keeper only when there is no other.
machine* pop_machine_locked() noexcept {
    machine* m = sched.idle_machines.pop();
    if (m == nullptr) return nullptr;
    if (m == sched.keeper) {
        if (machine* const other = sched.idle_machines.pop()) {
            sched.idle_machines.push(*m);
            m = other;
        } else {
            dismiss_keeper_locked();
        }
    }
    m->idle = false;
    return m;
}

// A timer that can no longer fire would put off the look for a deadlock until its time.
void drop_forgotten_timers() noexcept {
    const std::int64_t earliest = earliest_timer();
    if (earliest == never || earliest - now_ns() < look_again) return;
    for (processor* p : sched.all_processors()) sched.hooks.timers->drop_forgotten(*p);
}

// ------------------------------------------------------------------------------------------------------

bool has_work(const processor& p) noexcept {
    return !p.ring.empty() || !p.incoming.empty() || !p.woken.empty();
}

// Step 3 of go_idle. What sits in a `next` is left to the monitor.
bool work_visible() noexcept {
    if (!sched.global.empty()) return true;
    for (const processor* p : sched.all_processors()) {
        if (has_work(*p)) return true;
    }
    const std::int64_t earliest = earliest_timer();
    return earliest != never && !many_timers() && earliest <= now_ns();
}

// Under idle_lock, so that `m` is still there: it leaves the list of machines under the lock as well. The futex
// is woken behind it, by address alone.
void assign_locked(machine& m, processor* p, coroutine* c) noexcept {
    m.assigned = p;
    m.assigned_coroutine = c;
    m.note.store(1, std::memory_order_release);
}

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

bool try_wake_one(processor* preferred) noexcept;

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

// Whether nothing runs, waits in a queue or waits for a time, while all but `held` processors are idle. Exact
// under idle_lock: processors are taken under it, who gives one back has queued before what it had, and nobody
// fires a timer or pushes to a ring without one. What runs in a blocking call, and comes back by the global
// queue, is counted until it is queued.
bool nothing_left_locked(unsigned held) noexcept {
    return sched.idle_count.load(std::memory_order_seq_cst) + held ==
               sched.active_count.load(std::memory_order_relaxed) &&
           sched.spinning.load(std::memory_order_seq_cst) == 0 &&
           sched.blocking_calls.load(std::memory_order_seq_cst) == 0 && !work_visible() &&
           earliest_timer() == never;
}

// Whether it is time to ask so at all, with everything idle. Somebody asked lately, and a foreign thread was there
// that may still help: asking reads /proc, and is not done each time such a program idles.
bool may_be_deadlock_locked() noexcept {
    return sched.detects_deadlock && (sched.suspicion_at == 0 || now_ns() >= sched.suspicion_at) &&
           nothing_left_locked(0);
}

}  // namespace

void wake_one(processor* preferred) noexcept {
    while (!try_wake_one(preferred)) {}
}

namespace {

// False: what others queued meanwhile, seeing a machine look for work that then was none, still waits.
bool try_wake_one(processor* preferred) noexcept {
    // seq_cst: behind the fence or the locked instruction by which the caller has made its work visible.
    if (sched.idle_count.load(std::memory_order_seq_cst) == 0) return true;
    unsigned none = 0;
    if (!sched.spinning.compare_exchange_strong(none, 1, std::memory_order_seq_cst)) return true;

    processor* p = nullptr;
    processor* successor = nullptr;  // For a machine that takes the keeper's place.
    machine* m = nullptr;
    {
        const std::lock_guard hold(sched.idle_lock);
        if (!sched.stopping.load(std::memory_order_relaxed)) p = pop_idle_locked(preferred);
        if (p != nullptr) {
            const bool kept = sched.keeper != nullptr;
            m = pop_machine_locked();
            if (kept && sched.keeper == nullptr) successor = pop_idle_locked(nullptr);
            if (m != nullptr) {
                m->spinning = true;  // It sleeps, and reads this behind the note.
                assign_locked(*m, p, nullptr);
            }
        }
    }
    if (p == nullptr) {
        sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
        std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
        if (sched.stopping.load(std::memory_order_relaxed)) return true;
        // With everything idle, too: then somebody has to look whether this is a deadlock.
        const unsigned idle = sched.idle_count.load(std::memory_order_relaxed);
        return idle == 0 ||
               (!work_visible() && idle != sched.active_count.load(std::memory_order_relaxed));
    }
    if (successor != nullptr) sched.spinning.fetch_add(1, std::memory_order_seq_cst);
    if (m != nullptr) {
        futex_wake(m->note);
    } else {
        start_machine(*p);
    }
    if (successor != nullptr) start_machine(*successor);
    return true;
}

}  // namespace

void wake_for(processor& p, bool surplus) noexcept {
    if (sched.has_one_processor()) return;
    if (!surplus && p.ring.empty() && monitor_runs()) return;
    std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
    if (sched.idle_count.load(std::memory_order_relaxed) == 0 ||
        sched.spinning.load(std::memory_order_relaxed) != 0) {
        return;
    }
    wake_one();
}

void keep_timers(processor& p) noexcept {
    if (!p.new_deadline) return;
    p.new_deadline = false;
    const std::int64_t earliest = p.earliest_deadline.load(std::memory_order_relaxed);
    if (!sched.has_one_processor()) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (sched.idle_count.load(std::memory_order_relaxed) != 0) {
            if (earliest < sched.wakes_at.load(std::memory_order_relaxed)) wake_one();
            return;
        }
    }
    tell_monitor_of(earliest);
}

void stop_spinning(machine& m) noexcept {
    m.spinning = false;
    if (sched.spinning.fetch_sub(1, std::memory_order_seq_cst) != 1) return;
    std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
    if (sched.idle_count.load(std::memory_order_relaxed) == 0) return;
    // There may be more where this came from, and those who queued it saw a spinner. What timers have just put into
    // our own queues is soon done, mostly: look_around() asks for help when it is not.
    bool more = !sched.global.empty() || (earliest_timer() != never && !many_timers());
    for (const processor* p : sched.all_processors()) more = more || (p != m.p && has_work(*p));
    if (more) wake_one();
}

bool give_back_unstarted(processor& p) noexcept {
    const std::lock_guard hold(sched.idle_lock);
    push_idle_locked(p);
    sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
    return sched.idle_count.load(std::memory_order_relaxed) !=
               sched.active_count.load(std::memory_order_relaxed) ||
           sched.blocking_calls.load(std::memory_order_relaxed) != 0;
}

void end_call() noexcept {
    sched.blocking_calls.fetch_sub(1, std::memory_order_seq_cst);
    if (sched.detects_deadlock && sched.idle_count.load(std::memory_order_seq_cst) ==
                                      sched.active_count.load(std::memory_order_relaxed)) {
        wake_one();
    }
}

processor* take_idle_processor() noexcept {
    const std::lock_guard hold(sched.idle_lock);
    if (sched.stopping.load(std::memory_order_relaxed)) return nullptr;
    return pop_idle_locked(nullptr);
}

void release_processor(machine& m) noexcept {
    if (m.spinning) {
        m.spinning = false;
        sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
    }
    offer_processor(let_go(m));
}

void offer_processor(processor& p) noexcept {
    if (sched.detects_deadlock) drop_forgotten_timers();
    // Nobody watches the `next` of an idle processor.
    if (coroutine* const c = p.next.take(p.owner_bias)) push_ring(p, *c);
    if (has_work(p)) p.handoffs.add();
    bool kept = false;
    bool last = false;  // Nobody else would look whether this is a deadlock.
    {
        const std::lock_guard hold(sched.idle_lock);
        push_idle_locked(p);
        kept = sched.keeper != nullptr;
        last = sched.detects_deadlock && !kept && nothing_left_locked(0);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
    // A processor is idle now: if a timer is pending, somebody must be the keeper.
    const std::int64_t timer = earliest_timer();
    const bool unkept = !kept && timer != never;
    if (unkept || last || timer < sched.wakes_at.load(std::memory_order_relaxed) || work_visible())
        wake_one();
}

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
    if (m.spinning) {
        m.spinning = false;
        sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
    }
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

void give_to_locked(machine& from, machine& to, coroutine& c) noexcept {
    processor* const p = &let_go(from);
    if (from.spinning) {
        from.spinning = false;
        sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
    }
    {
        const std::lock_guard hold(sched.idle_lock);
        assign_locked(to, p, &c);
    }
    futex_wake(to.note);
}

void start_processor(processor& p) noexcept {
    machine* m = nullptr;
    sched.spinning.fetch_add(1, std::memory_order_seq_cst);
    {
        const std::lock_guard hold(sched.idle_lock);
        sched.active_count.fetch_add(1, std::memory_order_relaxed);
        m = pop_machine_locked();
        if (m != nullptr) {
            m->spinning = true;
            assign_locked(*m, &p, nullptr);
        }
    }
    if (m != nullptr) {
        futex_wake(m->note);
    } else {
        start_machine(p);
    }
}

bool stop_idle_processor(processor& p) noexcept {
    const std::lock_guard hold(sched.idle_lock);
    if (!p.idle || has_work(p)) return false;
    p.idle = false;
    sched.idle_processors.remove(p);
    sched.idle_count.fetch_sub(1, std::memory_order_seq_cst);
    sched.active_count.fetch_sub(1, std::memory_order_relaxed);
    return true;
}

processor& stop_held_processor(machine& m) noexcept {
    if (m.spinning) {
        m.spinning = false;
        sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
    }
    processor& p = let_go(m);
    {
        const std::lock_guard hold(sched.idle_lock);
        sched.active_count.fetch_sub(1, std::memory_order_relaxed);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
    if (work_visible()) wake_one();
    return p;
}

void wake_all_to_stop() noexcept {
    const std::lock_guard hold(sched.idle_lock);
    sched.stopping.store(true, std::memory_order_seq_cst);
    for (machine* m = sched.all_machines; m != nullptr; m = m->all_link) {
        m->note.store(1, std::memory_order_release);
        futex_wake(m->note);
    }
}

}  // namespace weft::detail
