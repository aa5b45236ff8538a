#include "sched/idle_lists.hpp"

#include "base/assert.hpp"
#include "os/futex.hpp"
#include "sched/monitor.hpp"
#include "sched/poll.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>

namespace weft::detail {

namespace {

// A sleep with a timeout costs 10 us of CPU in a virtual machine (the timer is programmed by an exit), many times the work
// that a timer usually brings. So timers share wake-ups; but fewer than these are each as exact as the kernel's, unless
// the program has set another slack than the default.
constexpr std::size_t timers_many = 64;
constexpr std::chrono::nanoseconds slack_of_many = options().timer_slack;

// Null when there is no timer.
processor* processor_of_earliest() noexcept {
    processor* first = nullptr;
    std::int64_t earliest = never;
    for (processor* p : sched.timer_owners()) {
        const std::int64_t when = p->earliest_deadline.load(std::memory_order_relaxed);
        if (when >= earliest) continue;
        earliest = when;
        first = p;
    }
    return first;
}

}  // namespace

std::int64_t earliest_timer() noexcept {
    std::int64_t earliest = never;
    for (const processor* p : sched.timer_owners()) {
        earliest = std::min(earliest, p->earliest_deadline.load(std::memory_order_relaxed));
    }
    return earliest;
}

bool timers_share() noexcept {
    const std::chrono::nanoseconds slack = sched.opts.timer_slack;
    if (slack > slack_of_many) return true;
    if (slack.count() == 0) return false;
    std::size_t count = 0;
    for (const processor* p : sched.timer_owners()) {
        count += p->timer_count.load(std::memory_order_relaxed);
    }
    return count >= timers_many;
}

std::int64_t wake_up_for(std::int64_t earliest) noexcept {
    if (earliest == never || !timers_share()) return earliest;
    return std::max(earliest, sched.shared_wake.load(std::memory_order_relaxed));
}

void share_wake_up_locked() noexcept {
    const std::int64_t now = now_ns();
    const std::int64_t slack = sched.opts.timer_slack.count();
    // One that is planned stays: put off again and again it would be later than the slack.
    if (sched.shared_wake.load(std::memory_order_relaxed) > now) return;
    if (now - sched.last_timer_wake >= slack) return;
    sched.shared_wake.store(now + slack, std::memory_order_relaxed);
}

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

bool keeper_polls_locked() noexcept { return sched.keeper != nullptr && sched.keeper->polls; }

void plan_again_locked(std::int64_t until) noexcept {
    if (until >= sched.wakes_at.load(std::memory_order_relaxed)) return;
    sched.wakes_at.store(until, std::memory_order_relaxed);
    machine& keeper = *sched.keeper;
    if (keeper.note.load(std::memory_order_relaxed) != 0) return;
    keeper.note.store(machine::note_plan_again, std::memory_order_release);
    sched.io.load(std::memory_order_relaxed)->interrupt();
}

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

bool assign_locked(machine& m, processor* p, coroutine* c) noexcept {
    const bool polls = m.polls;
    m.polls = false;
    m.assigned = p;
    m.assigned_coroutine = c;
    m.note.store(machine::note_assigned, std::memory_order_release);
    return polls;
}

void wake_assigned(const machine& m, bool polls) noexcept {
    if (polls) {
        sched.io.load(std::memory_order_relaxed)->interrupt();
    } else {
        futex_wake(m.note);
    }
}

void leave_spinners(machine& m) noexcept {
    if (!m.spinning) return;
    m.spinning = false;
    sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
}

bool has_work(const processor& p) noexcept {
    return !p.ring.empty() || !p.incoming.empty() || !p.woken.empty();
}

bool work_visible() noexcept {
    if (!sched.global.empty()) return true;
    for (const processor* p : sched.all_processors()) {
        if (has_work(*p)) return true;
    }
    const std::int64_t earliest = earliest_timer();
    return earliest != never && !timers_share() && earliest <= now_ns();
}

bool only_timers_left_locked(unsigned held) noexcept {
    return sched.idle_count.load(std::memory_order_seq_cst) + held ==
               sched.active_count.load(std::memory_order_relaxed) &&
           sched.spinning.load(std::memory_order_seq_cst) == 0 &&
           sched.blocking_calls.load(std::memory_order_seq_cst) == 0 && !work_visible() &&
           !waits_outside();
}

bool nothing_left_locked(unsigned held) noexcept {
    return only_timers_left_locked(held) && earliest_timer() == never;
}

namespace {

bool only_timers_left(unsigned held) noexcept {
    if (sched.idle_count.load(std::memory_order_relaxed) + held !=
        sched.active_count.load(std::memory_order_relaxed)) {
        return false;
    }
    const std::lock_guard hold(sched.idle_lock);
    return only_timers_left_locked(held);
}

}  // namespace

// Each step drops what it looks at, and stops at the first timer that matters. So all steps of all idle moments
// together look at each timer once, and at one more each.
void drop_forgotten_timers(unsigned held) noexcept {
    constexpr std::size_t few = 8;
    constexpr std::size_t step = 256;
    processor* p = processor_of_earliest();
    if (p == nullptr) return;
    if (p->earliest_deadline.load(std::memory_order_relaxed) <
        sched.wakes_at.load(std::memory_order_relaxed)) {
        sched.hooks.timers->drop_forgotten(*p, few);
    }
    if (!sched.detects_deadlock) return;
    while (only_timers_left(held)) {
        p = processor_of_earliest();
        if (p == nullptr || sched.hooks.timers->drop_forgotten(*p, step) == 0) return;
    }
}

}  // namespace weft::detail
