// Going to sleep.
#include "sched/idle.hpp"

#include "base/assert.hpp"
#include "base/backoff.hpp"
#include "base/config.hpp"
#include "os/fence.hpp"
#include "os/futex.hpp"
#include "sched/idle_lists.hpp"
#include "sched/monitor.hpp"
#include "sched/poll.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <mutex>

namespace weft::detail {

namespace {

// A machine that is more than needed sleeps for so long before its thread ends.
constexpr std::int64_t surplus_kept = tiny_limits ? 20'000'000 : 2'000'000'000;
// So long after it looks again whether all have forgotten it, then after twice as long, up to `surplus_kept`.
constexpr std::int64_t forgotten_soonest = 10'000'000;

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

// Until when `m` sleeps, and whether it is the keeper meanwhile; m.polls then says where it sleeps. Under idle_lock.
std::int64_t plan_sleep_locked(machine& m) noexcept {
    const unsigned idle = sched.idle_count.load(std::memory_order_relaxed);
    if (idle == 0) return never;  // Whoever has a processor sees to its timers and to descriptors.

    std::int64_t until = earliest_timer();
    if (until != never && timers_share()) {
        share_wake_up_locked();
        until = std::max(until, sched.shared_wake.load(std::memory_order_relaxed));
    }
    if (idle == sched.active_count.load(std::memory_order_relaxed) && sched.detects_deadlock &&
        sched.suspicion_at != 0) {
        until = std::min(until, now_ns() + look_again);
    }
    const bool polls = sched.io.load(std::memory_order_relaxed) != nullptr;
    if (keeper_polls_locked()) {
        plan_again_locked(until);
        return never;
    }
    // A keeper on a futex does not hear of descriptors.
    if (!polls && until >= sched.wakes_at.load(std::memory_order_relaxed)) return never;
    sched.keeper = &m;
    sched.wakes_at.store(until, std::memory_order_relaxed);
    m.polls = polls;
    return until;
}

void await_note(machine& m) noexcept {
    while (m.note.load(std::memory_order_acquire) == 0) futex_wait(m.note, 0, never);
}

// False: somebody has taken `m` off the list just now, and its note is on the way.
bool remove_idle_locked(machine& m) noexcept {
    if (!m.idle) return false;
    m.idle = false;
    m.polls = false;
    sched.idle_machines.remove(m);
    if (sched.keeper == &m) dismiss_keeper_locked();
    // Whatever it does next, it plans again.
    if (m.note.load(std::memory_order_relaxed) == machine::note_plan_again) {
        m.note.store(0, std::memory_order_relaxed);
    }
    return true;
}

// The time for which `m` was the keeper has come. It takes an idle processor, if there is one. False: as above.
bool leave_idle_list(machine& m) noexcept {
    const std::lock_guard hold(sched.idle_lock);
    if (!remove_idle_locked(m)) return false;
    sched.last_timer_wake = now_ns();
    if (sched.stopping.load(std::memory_order_relaxed)) return true;
    if (processor* const p = pop_idle_locked(nullptr)) {
        detail::hold(m, *p);
        m.spinning = true;
        sched.spinning.fetch_add(1, std::memory_order_seq_cst);
    }
    return true;
}

// The keeper comes out of the poller. With events it takes an idle processor, if there is one; it does not look for work then,
// because it has some. False: as above.
bool leave_idle_list_with(machine& m, bool events) noexcept {
    const std::lock_guard hold(sched.idle_lock);
    if (!remove_idle_locked(m)) return false;
    if (!events || sched.stopping.load(std::memory_order_relaxed)) return true;
    if (processor* const p = pop_idle_locked(nullptr)) detail::hold(m, *p);
    return true;
}

enum class woken_to : std::uint8_t { run, sleep_on, stop };

// Sleeps as the keeper in the poller. `run`: m has a processor.
woken_to keep_in_poller(machine& m, std::int64_t until) noexcept {
    io_batch batch;
    bool in_time = true;
    do {
        sleep_in_poller(m, batch, until);
        in_time = until == never || now_ns() < until;
    } while (in_time && batch.count == 0 && m.note.load(std::memory_order_acquire) == 0);
    const bool only_time = !in_time && batch.count == 0;
    const bool left = only_time ? leave_idle_list(m) : leave_idle_list_with(m, batch.count != 0);
    if (!left) {
        await_note(m);
        if (!take_assignment(m)) return woken_to::stop;
    }
    if (batch.count != 0) deliver_events(m, batch);
    return m.p.get() != nullptr ? woken_to::run : woken_to::sleep_on;
}

// More machines sleep than there are processors, as after a spike of locked coroutines or of substitutes. Under idle_lock,
// with `m` among those that sleep.
bool is_surplus_locked(const machine& m) noexcept {
    return m.is_thread && sched.idle_machines.size() > sched.processor_count;
}

// Whether all who may have found `m` as the holder of a processor are done with it. That is read only in between two
// dispatches, by foreign threads on a visit, and by the monitor; and from now on it leads nobody here. Each of them is waited
// for once. False: stopping.
bool await_forgotten(machine& m) noexcept {
    std::int64_t wait = forgotten_soonest;
    const auto pause = [&m, &wait] {
        static_cast<void>(futex_wait(m.note, 0, now_ns() + wait));
        wait = std::min(2 * wait, surplus_kept);
        return !sched.stopping.load(std::memory_order_acquire);
    };
    const std::uint64_t look = monitor_looks();
    for (const processor* const p : sched.all_processors()) {
        const std::uint64_t tick = p->tick.read();
        // Idle, or out of use: nobody has it to look around for.
        while (p->tick.read() == tick && p->holder.load(std::memory_order_relaxed) != nullptr) {
            if (!pause()) return false;
        }
    }
    while (sched.foreign_users.load(std::memory_order_seq_cst) != 0 || is_same_look(look)) {
        if (!pause()) return false;
    }
    heavy_fence();  // We have seen them go on: by the fence we see, too, all that they did to the machine before.
    return true;
}

// Whether `m`, which nobody has needed for long, is still more than needed: then its thread ends.
bool leave_for_good(machine& m) noexcept {
    {
        const std::lock_guard hold(sched.idle_lock);
        if (!m.idle || !is_surplus_locked(m) || sched.stopping.load(std::memory_order_relaxed) ||
            m.sticky_count.load(std::memory_order_relaxed) != 0 || !is_listed_locked(m)) {
            return false;
        }
        m.idle = false;
        sched.idle_machines.remove(m);
    }
    if (await_forgotten(m)) unlist(m);
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
        drop_forgotten_timers(m.p.get() != nullptr ? 1 : 0);
        std::int64_t until = never;
        bool surplus = false;
        bool polls = false;
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
                polls = m.polls;
                m.idle = true;
                sched.idle_machines.push(m);
                surplus = until == never && !polls && is_surplus_locked(m);
            }
        }
        if (surplus) until = now_ns() + surplus_kept;
        if (m.p.get() != nullptr) {
            if (sched.hooks.deadlock()) {
                sched.suspicion_at = 0;
                return !sched.stopping.load(std::memory_order_relaxed);
            }
            if (!nothing_else_left()) return true;
            sched.suspicion_at = now_ns() + look_again;
            continue;
        }

        if (polls) {
            const woken_to what = keep_in_poller(m, until);
            if (what == woken_to::sleep_on) continue;
            return what == woken_to::run;
        }
        bool in_time = true;
        while (m.note.load(std::memory_order_acquire) == 0 && in_time) {
            in_time = futex_wait(m.note, 0, until);
            if (in_time || !surplus) continue;
            if (leave_for_good(m)) return false;
            surplus = false;  // It is wanted after all.
            until = never;
            in_time = true;
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
