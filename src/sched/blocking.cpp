#include "sched/blocking.hpp"

#include <weft/go.hpp>

#include "arch/calls.hpp"
#include "arch/cpu.hpp"
#include "base/assert.hpp"
#include "sched/blocking_threads.hpp"
#include "sched/collector.hpp"
#include "sched/extras.hpp"
#include "sched/idle.hpp"
#include "sched/monitor.hpp"
#include "sched/park.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/switch.hpp"
#include "sched/wait.hpp"

#include <atomic>
#include <new>

namespace weft::detail {
namespace {

constexpr std::uint32_t short_ns = 10'000;
constexpr std::uint32_t slow_ns = 1'000'000;
constexpr std::size_t big_stack = std::size_t{64} * 1024;

std::atomic<std::uint64_t> last_call{0};

// The thread shows neither coroutine nor machine while a call runs in place. The collector, which may take the processor,
// reads the stack of the coroutine from `sp` on meanwhile: what called us has left all registers that may hold anything of
// the program's above that.
void hide(machine& m, coroutine& self, void* sp) noexcept {
    self.context = static_cast<context_ref>(sp);
    self.calls.store(true, std::memory_order_release);
    hide_heap(*m.block.get());
    m.block->caller.store(&self, std::memory_order_relaxed);
    m.block->current.store(nullptr, std::memory_order_relaxed);
    m.block->owner.store(nullptr, std::memory_order_relaxed);
    m.block->attention.store(&no_attention, std::memory_order_relaxed);
}
void show(machine& m, coroutine& self) noexcept {
    self.calls.store(false, std::memory_order_relaxed);
    m.block->current.store(&self, std::memory_order_relaxed);
    m.block->owner.store(&m, std::memory_order_relaxed);
    m.block->attention.store(&self.attention, std::memory_order_relaxed);
}

struct timed_call {
    blocking_site& site;
    void (*f)(void*);
    void* argument;
};
// The scheduler stack is a large one, and the scheduler waits for us.
void run_on_big_stack(bool on_split_stack, blocking_site& site, void (*f)(void*),
                      void* argument) noexcept {
    timed_call call{site, f, argument};
    if (on_split_stack) {
        on_scheduler_stack([&call] {
            // However deep it goes: what is called from there runs there.
            thread_block& block = *this_thread_block();
            void* const sp = block.scheduler_sp.exchange(nullptr, std::memory_order_relaxed);
            run_timed(call.site, call.f, call.argument);
            block.scheduler_sp.store(sp, std::memory_order_relaxed);
        });
        return;
    }
    try {
        call_on_big_stack(
            [](void* what) {
                const auto& c = *static_cast<timed_call*>(what);
                run_timed(c.site, c.f, c.argument);
            },
            &call, big_stack);
    } catch (const std::bad_alloc&) {
        run_timed(
            site, f,
            argument);  // There is no such stack, and the call has not begun: then on this one.
    }
}

// While the collector marks, the coroutine passes through the scheduler, which sees to what has to be read of it.
void queue_again(machine& m, coroutine& self) noexcept {
    self.state.store(co_state::parking_ready, std::memory_order_relaxed);
    switch_to_scheduler(m, self);
}

// Behind a call in place without a processor: an idle one, or a place in the queue.
void find_processor(machine& m, coroutine& self) noexcept {
    if (processor* const p = take_idle_processor()) {
        hold(m, *p);
        show(m, self);
        // Behind hold(): from here on the collector asks us, and not itself, for what it wants of the processor.
        if (is_marking()) queue_again(m, self);
        return;
    }
    show(m, self);
    queue_again(m, self);
}

struct marked_as_blocking {
    explicit marked_as_blocking(coroutine& self) noexcept : self_(self) {
        self_.mark(trait_blocking);
    }
    ~marked_as_blocking() { self_.unmark(trait_blocking); }
    marked_as_blocking(const marked_as_blocking&) = delete;
    marked_as_blocking& operator=(const marked_as_blocking&) = delete;

private:
    coroutine& self_;
};

void call_in_place(machine& m, coroutine& self, blocking_site& site, void (*f)(void*),
                   void* argument) {
    processor& p = *m.p;
    const std::uint64_t number = last_call.fetch_add(1, std::memory_order_relaxed) + 1;
    p.call_site = &site;
    __builtin_unwind_init();
    hide(m, self, stack_pointer());
    p.call.store(number, std::memory_order_release);  // call
    run_on_big_stack(self.stack.get().is_split(), site, f, argument);
    std::uint64_t seen = number;
    if (p.call.compare_exchange_strong(seen, 0, std::memory_order_acq_rel)) {  // call
        show(m, self);
        show_heap(*m.block.get(), p);
        end_call_in_place();
        if (is_marking()) queue_again(m, self);
        return;
    }
    m.p = nullptr;
    end_call_in_place();
    find_processor(m, self);
    // Last: until the coroutine is queued or runs, this counts as something that will happen.
    sched.blocking_calls.fetch_sub(1, std::memory_order_seq_cst);
}

[[gnu::noinline]] void call_locked(coroutine& self, blocking_site& site, void (*f)(void*),
                                   void* argument) {
    sched.blocking_calls.fetch_add(1, std::memory_order_seq_cst);
    wait_for_call_in_place();
    machine& m = *this_machine();
    release_sticky(m);
    if (is_marking()) tell_of_leaving(m, self);  // Nobody answers for its stack from here on.
    __builtin_unwind_init();
    hide(m, self, stack_pointer());
    release_processor(m);
    run_on_big_stack(self.stack.get().is_split(), site, f, argument);
    end_call_in_place();
    find_processor(m, self);
    sched.blocking_calls.fetch_sub(1, std::memory_order_seq_cst);
}

[[gnu::noinline]] void call_elsewhere(coroutine& self, blocking_site& site, void (*f)(void*),
                                      void* argument) {
    sched.blocking_calls.fetch_add(1, std::memory_order_seq_cst);
    waiting wait(cancellation::ignored, wait_kind::blocking_call);
    blocking_call call{f, argument, &site, wait.ticket(), {}, 0, nullptr};
    {
        machine& m = *this_machine();
        call.exceptions = *m.exceptions;
        call.error_number = *m.error_number;
    }
    if (submit_blocking(call)) {
        wait.finish();
        machine& m = *this_machine();
        *m.exceptions = call.exceptions;
        *m.error_number = call.error_number;
        sched.blocking_calls.fetch_sub(1, std::memory_order_seq_cst);
        return;
    }
    wait.abandon();
    sched.blocking_calls.fetch_sub(1, std::memory_order_seq_cst);
    call_locked(self, site, f, argument);
}

}  // namespace

void call_blocking(blocking_site& site, void (*f)(void*), void* argument) {
    coroutine& self = *this_coroutine();
    preemption_point(self);
    machine& m = *this_machine();
    ensure_monitor();
    const marked_as_blocking mark(self);
    if ((self.traits & trait_locked) != 0) {
        call_locked(self, site, f, argument);
    } else if (site.typical_ns.load(std::memory_order_relaxed) < short_ns &&
               m.sticky_count.load(std::memory_order_relaxed) == 0 && monitor_runs() &&
               !is_marking() && begin_call_in_place()) {
        call_in_place(m, self, site, f, argument);
    } else {
        call_elsewhere(self, site, f, argument);
    }
}

bool take_from_call(processor& p, std::uint64_t call) noexcept {
    // Counted first: the machine's own step down comes behind its CAS, which sees ours.
    sched.blocking_calls.fetch_add(1, std::memory_order_seq_cst);
    if (!p.call.compare_exchange_strong(call, 0, std::memory_order_acq_rel)) {  // call
        end_call();
        return false;
    }
    p.holder.store(nullptr, std::memory_order_relaxed);
    return true;
}

bool retake_processor(processor& p, std::uint64_t call) noexcept {
    blocking_site* const site = p.call_site;
    if (!take_from_call(p, call)) return false;
    site->typical_ns.store(slow_ns, std::memory_order_relaxed);
    p.retakes.add();
    offer_processor(p);
    return true;
}

}  // namespace weft::detail
