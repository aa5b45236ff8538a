#include "sched/idle_lists.hpp"

#include "base/assert.hpp"
#include "sched/monitor.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <algorithm>

namespace weft::detail {

namespace {

constexpr std::size_t timers_many = 64;  // See timer_window in idle.cpp.

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

void assign_locked(machine& m, processor* p, coroutine* c) noexcept {
    m.assigned = p;
    m.assigned_coroutine = c;
    m.note.store(1, std::memory_order_release);
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
    return earliest != never && !many_timers() && earliest <= now_ns();
}

bool nothing_left_locked(unsigned held) noexcept {
    return sched.idle_count.load(std::memory_order_seq_cst) + held ==
               sched.active_count.load(std::memory_order_relaxed) &&
           sched.spinning.load(std::memory_order_seq_cst) == 0 &&
           sched.blocking_calls.load(std::memory_order_seq_cst) == 0 && !work_visible() &&
           earliest_timer() == never;
}

void drop_forgotten_timers() noexcept {
    const std::int64_t earliest = earliest_timer();
    if (earliest == never || earliest - now_ns() < look_again) return;
    for (processor* p : sched.all_processors()) sched.hooks.timers->drop_forgotten(*p);
}

}  // namespace weft::detail
