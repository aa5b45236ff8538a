// Who wakes whom, and processors that change hands.
#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "os/futex.hpp"
#include "sched/idle_lists.hpp"
#include "sched/monitor.hpp"
#include "sched/pick.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulated_processors.hpp"
#include "sched/simulation.hpp"

#include <mutex>

namespace weft::detail {

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
    bool polls = false;
    {
        const std::lock_guard hold(sched.idle_lock);
        if (!sched.stopping.load(std::memory_order_relaxed)) p = pop_idle_locked(preferred);
        if (p != nullptr) {
            const bool kept = sched.keeper != nullptr;
            m = pop_machine_locked();
            if (kept && sched.keeper == nullptr) successor = pop_idle_locked(nullptr);
            if (m != nullptr) {
                m->spinning = true;  // It sleeps, and reads this behind the note.
                polls = assign_locked(*m, p, nullptr);
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
        wake_assigned(*m, polls);
    } else {
        start_machine(*p);
    }
    if (successor != nullptr) start_machine(*successor);
    return true;
}

// Something was put into `next` alone. Mostly whoever did parks soon, and it runs here. Not so if it went on computing the
// last time; and when nobody knows, the monitor shall see.
bool wants_a_thief() noexcept {
    if (sched.idle_count.load(std::memory_order_relaxed) == 0) return false;
    coroutine* const self = this_coroutine();
    if (self != nullptr && goes_on(*self)) return true;
    rouse_lazy_monitor();
    return false;
}

// False: no keeper sleeps in the poller. On a futex it would have to run to plan again.
bool keeper_plans_again(std::int64_t earliest) noexcept {
    if (sched.io.load(std::memory_order_relaxed) == nullptr) return false;
    const std::lock_guard hold(sched.idle_lock);
    if (!keeper_polls_locked()) return false;
    plan_again_locked(wake_up_for(earliest));
    return true;
}

}  // namespace

[[gnu::noinline]] void wake_one(processor* preferred) noexcept {
    WEFT_DEEP;
    if (simulated_processors* const all = simulated_queues()) [[unlikely]] {
        all->wake_one(preferred);
        return;
    }
    while (!try_wake_one(preferred)) {}
}

[[gnu::noinline]] void wake_for(processor& p, bool surplus) noexcept {
    WEFT_DEEP;
    if (sched.has_one_processor()) return;
    if (!surplus && p.ring.empty() && monitor_runs() && !wants_a_thief()) return;
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
    const std::int64_t earliest = p.timer_owner->earliest_deadline.load(std::memory_order_relaxed);
    if (!sched.has_one_processor()) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (sched.idle_count.load(std::memory_order_relaxed) != 0) {
            if (wake_up_for(earliest) < sched.wakes_at.load(std::memory_order_relaxed) &&
                !keeper_plans_again(earliest)) {
                wake_one();
            }
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
    bool more = !sched.global.empty() || (earliest_timer() != never && !timers_share());
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
    leave_spinners(m);
    offer_processor(let_go(m));
}

void offer_processor(processor& p) noexcept {
    if (sched.detects_deadlock) drop_forgotten_timers(1);
    // Nobody watches the `next` of an idle processor.
    if (coroutine* const c = p.next.take(p.owner_bias)) push_ring(p, *c);
    if (has_work(p)) p.handoffs.add();
    bool kept = false;
    bool polled = false;
    bool last = false;  // Nobody else would look whether this is a deadlock.
    {
        const std::lock_guard hold(sched.idle_lock);
        push_idle_locked(p);
        polled = sched.io.load(std::memory_order_relaxed) != nullptr;
        kept = polled ? keeper_polls_locked() : sched.keeper != nullptr;
        last = sched.detects_deadlock && !kept && nothing_left_locked(0);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup
    // A processor is idle now: if a timer is pending, or a descriptor, somebody must be the keeper.
    const std::int64_t timer = earliest_timer();
    const bool unkept = !kept && (timer != never || polled);
    if (unkept || last || wake_up_for(timer) < sched.wakes_at.load(std::memory_order_relaxed) ||
        work_visible()) {
        wake_one();
    }
}

void give_to_locked(machine& from, machine& to, coroutine& c) noexcept {
    processor* const p = &let_go(from);
    leave_spinners(from);
    bool polls = false;
    {
        const std::lock_guard hold(sched.idle_lock);
        polls = assign_locked(to, p, &c);
    }
    wake_assigned(to, polls);
}

void start_processor(processor& p) noexcept {
    machine* m = nullptr;
    bool polls = false;
    sched.spinning.fetch_add(1, std::memory_order_seq_cst);
    {
        const std::lock_guard hold(sched.idle_lock);
        m = pop_machine_locked();
        if (m != nullptr) {
            m->spinning = true;
            polls = assign_locked(*m, &p, nullptr);
        }
    }
    if (m != nullptr) {
        wake_assigned(*m, polls);
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
    leave_spinners(m);
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
        m->note.store(machine::note_assigned, std::memory_order_release);
        futex_wake(m->note);
    }
    if (const io_source* const io = sched.io.load(std::memory_order_relaxed)) io->interrupt();
}

}  // namespace weft::detail
