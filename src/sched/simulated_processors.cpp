#include "sched/simulated_processors.hpp"

#include "base/assert.hpp"
#include "sched/cancel.hpp"
#include "sched/collector.hpp"
#include "sched/idle.hpp"
#include "sched/idle_lists.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/switch.hpp"
#include "sched/wait.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace weft::detail {

void simulated_processors::prepare() {
    for (processor* const p : sched.all_processors()) cpus_.push_back(std::make_unique<cpu>(*p));
    monitor_.emplace();
}

std::int64_t simulated_processors::between(std::uint32_t least, std::uint32_t most) noexcept {
    return least + sim_.below(most - least + 1);
}

void simulated_processors::borrow_thread(const machine& here) noexcept {
    for (const auto& one : cpus_) {
        machine& m = one->m;
        m.block = here.block.get();
        m.exceptions = here.exceptions.get();
        m.error_number = here.error_number.get();
        m.stack_bottom = here.stack_bottom.get();
        m.stack_size = here.stack_size.get();
        m.tsan_fiber = here.tsan_fiber.get();
        m.stack_limit = &one->no_stack_limit;
        m.shared_block.store(&one->requests, std::memory_order_relaxed);
    }
    outside_.block = here.block.get();
    const std::lock_guard hold(sched.idle_lock);
    sched.idle_processors = {};  // From here on wake_one() here chooses, by their cpus.
}

void simulated_processors::return_thread(machine& here) noexcept {
    for (const auto& one : cpus_) {
        if (one->state != does::nothing) static_cast<void>(let_go(one->m));
    }
    here_ = nullptr;
    sched.spinning.store(0, std::memory_order_relaxed);
    sched.idle_count.store(sched.processor_count, std::memory_order_relaxed);
    sched.wakes_at.store(never, std::memory_order_relaxed);
    here.block->preempt.store(preempt_none, std::memory_order_relaxed);
    here.block->owner.store(&here, std::memory_order_relaxed);
}

void simulated_processors::run(machine& here) noexcept {
    borrow_thread(here);
    processor& first = let_go(here);
    cpu& one = *cpus_[first.index];
    hold(one.m, first);
    one.m.handover = here.handover.get();
    here.handover = nullptr;
    one.state = does::looks;
    one.when = sim_.now_ns;
    turn_to(one);  // So that time is virtual.
    while (!sched.stopping.load(std::memory_order_relaxed)) step();
    monitor_.reset();
    return_thread(here);
}

// The first whose time comes, and when that is. One that computes is disturbed by what is asked of it.
simulated_processors::cpu* simulated_processors::first_due(std::int64_t& when) noexcept {
    cpu* first = nullptr;
    when = never;
    const auto count = static_cast<std::uint32_t>(cpus_.size());
    const std::uint32_t begin = count == 1 ? 0 : sim_.below(count);
    for (std::uint32_t i = 0; i != count; ++i) {
        cpu& one = *cpus_[(begin + i) % count];
        std::int64_t due = one.when;
        if (one.state == does::stays && is_asked(one)) due = sim_.now_ns;
        if (due < when) {
            first = &one;
            when = due;
        }
    }
    return first;
}

void simulated_processors::step() noexcept {
    std::int64_t when = never;
    cpu* const one = first_due(when);
    const std::int64_t looks = monitor_->due();
    const std::int64_t ends = calls_.empty() ? never : calls_.top().ends;
    // An idle machine sleeps for the earliest timer, unless one looks about already.
    std::int64_t wakes = never;
    if (sched.idle_count.load(std::memory_order_relaxed) != 0)
        wakes = wake_up_for(earliest_timer());
    sched.wakes_at.store(wakes, std::memory_order_relaxed);
    if (sched.spinning.load(std::memory_order_relaxed) != 0) wakes = never;

    const std::int64_t next = std::min({when, looks, ends, wakes});
    if (std::min({when, ends, wakes}) == never) {
        stand_still();
        return;
    }
    sim_.now_ns = std::max(sim_.now_ns, next);
    if (ends == next) {
        end_call();
    } else if (wakes == next) {
        detail::wake_one();
    } else if (looks <= next) {
        monitor_->look();
    } else {
        turn_to(*one);
        if (one->state == does::looks) {
            look(*one);
        } else {
            run(*one);
        }
    }
}

// Nothing runs, no timer is pending, and no call is under way.
void simulated_processors::stand_still() noexcept {
    cpu& one = *cpus_[0];
    wake(one, 0);
    turn_to(one);
    WEFT_CHECK(sched.hooks.deadlock());
}

void simulated_processors::end_call() noexcept {
    const call ended = calls_.top();
    calls_.pop();
    // Another thread brings it, which has no processor.
    outside_.block->owner.store(&outside_, std::memory_order_relaxed);
    fire(ended.who, wake_reason::signalled);
    outside_.block->owner.store(&here_->m, std::memory_order_relaxed);
    detail::end_call();
}

// From here on the thread is this machine.
void simulated_processors::turn_to(cpu& one) noexcept {
    here_ = &one;
    thread_block& block = *one.m.block.get();
    block.owner.store(&one.m, std::memory_order_relaxed);
    block.segments.store(&one.p.segments, std::memory_order_relaxed);
    show_heap(block, one.p);
}

void simulated_processors::run(cpu& one) noexcept {
    attention_word& asked = one.m.block->preempt;
    const std::uint32_t request =
        one.requests.preempt.exchange(preempt_none, std::memory_order_relaxed);
    asked.store(request != preempt_none ? request : std::uint32_t{preempt_simulated},
                std::memory_order_relaxed);
    stays_ = false;
    if (one.state == does::begins) {
        const bool ran = run_coroutine(one.m, *one.current);
        WEFT_CHECK(ran);  // There is no other thread that could have claimed it.
    } else {
        resume_coroutine(one.m, *one.current);
    }
    receive_visitors(one.m);
    // A request that is still there holds for the next coroutine, too, unless something else has been asked since.
    const std::uint32_t left = asked.exchange(preempt_none, std::memory_order_relaxed);
    if (left != preempt_simulated &&
        one.requests.preempt.load(std::memory_order_relaxed) == preempt_none) {
        one.requests.preempt.store(left, std::memory_order_relaxed);
    }
    if (stays_) {
        one.state = does::stays;
        one.m.current = one.current;
        return;
    }
    one.current = nullptr;
    look(one);
}

void simulated_processors::look(cpu& one) noexcept {
    one.m.block->preempt.store(
        one.requests.preempt.exchange(preempt_none, std::memory_order_relaxed),
        std::memory_order_relaxed);
    coroutine* const c = look_for_work(one.m);
    one.m.block->preempt.store(preempt_none, std::memory_order_relaxed);
    if (c == nullptr) {
        rest(one);
        return;
    }
    one.current = c;
    one.state = does::begins;
    one.when = sim_.now_ns + between(20, 100);
}

// go_idle() without the sleep.
void simulated_processors::rest(cpu& one) noexcept {
    leave_spinners(one.m);
    static_cast<void>(let_go(one.m));
    one.p.idle = true;
    one.state = does::nothing;
    one.when = never;
    sched.idle_count.fetch_add(1, std::memory_order_relaxed);
    if (work_visible()) detail::wake_one();
}

void simulated_processors::wake(cpu& one, std::int64_t latency) noexcept {
    hold(one.m, one.p);
    one.p.idle = false;
    one.m.spinning = true;
    one.state = does::looks;
    one.when = sim_.now_ns + latency;
    sched.idle_count.fetch_sub(1, std::memory_order_relaxed);
    sched.spinning.fetch_add(1, std::memory_order_relaxed);
    monitor_->processor_taken();
    one.m.block->segments.store(&here_->p.segments, std::memory_order_relaxed);
    show_heap(*one.m.block.get(), here_->p);
}

void simulated_processors::wake_one(const processor* preferred) noexcept {
    const unsigned idle = sched.idle_count.load(std::memory_order_relaxed);
    if (idle == 0 || sched.spinning.load(std::memory_order_relaxed) != 0) return;
    std::uint32_t skip = sim_.below(idle);
    cpu* chosen = nullptr;
    for (const auto& one : cpus_) {
        if (one->state != does::nothing) continue;
        if (skip-- == 0) chosen = one.get();
        if (&one->p == preferred) {
            chosen = one.get();
            break;
        }
    }
    wake(*chosen, between(3'000, 20'000));
}

bool simulated_processors::is_asked(const cpu& one) noexcept {
    return (one.heeds_requests &&
            one.requests.preempt.load(std::memory_order_relaxed) != preempt_none) ||
           (one.heeds_cancel && is_asked_to_stop(*one.current));
}

std::int64_t simulated_processors::later(std::int64_t ns) const noexcept {
    return ns < never - sim_.now_ns ? sim_.now_ns + ns : never - 1;
}

// The thread goes on with other machines. Returns how much of the time is left, if something was asked before it was over.
std::int64_t simulated_processors::stay(coroutine& self, std::int64_t ns, bool heeds_requests,
                                        bool heeds_cancel) noexcept {
    cpu& one = *here_;
    one.when = later(ns);
    one.heeds_requests = heeds_requests;
    one.heeds_cancel = heeds_cancel;
    one.current = &self;
    stays_ = true;
    switch_to_scheduler(one.m, self);  // Its state is running.
    return std::max<std::int64_t>(one.when - sim_.now_ns, 0);
}

void simulated_processors::operate(coroutine& self) noexcept {
    static_cast<void>(stay(self, between(10, 50), false, false));
}

std::int64_t simulated_processors::compute(coroutine& self, std::int64_t ns,
                                           bool heeds_cancel) noexcept {
    for (;;) {
        preemption_point(self);
        if (ns == 0 || (heeds_cancel && is_asked_to_stop(self))) return ns;
        // The end of a slice that it does not heed, inside no_preempt, is not to disturb it either.
        ns = stay(self, ns, !is_to_yield(here_->m), heeds_cancel);
    }
}

void simulated_processors::block(std::int64_t ns) {
    waiting wait(cancellation::ignored, wait_kind::blocking_call);
    try {
        calls_.push({later(ns), ++calls_begun_, wait.ticket()});
    } catch (...) {
        wait.abandon();
        throw;
    }
    sched.blocking_calls.fetch_add(1, std::memory_order_relaxed);
    wait.finish();
}

}  // namespace weft::detail
