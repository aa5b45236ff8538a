// The life of an OS thread of the runtime.
#include "sched/machine.hpp"

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/off_heap.hpp"
#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "context/sanitizer.hpp"
#include "os/futex.hpp"
#include "os/nudge.hpp"
#include "os/signal.hpp"
#include "os/thread.hpp"
#include "os/thread_probe.hpp"
#include "sched/collector.hpp"
#include "sched/idle.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulated_processors.hpp"
#include "sched/simulation.hpp"
#include "sched/split_stack.hpp"
#include "sched/switch.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <mutex>
#include <utility>

namespace weft::detail {
namespace {

// Each in a function of its own, called once a thread: see docs/internals/rules.md.
[[gnu::noinline]] exception_globals* thread_exceptions() noexcept {
    return reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
}
[[gnu::noinline]] int* thread_errno() noexcept { return &errno; }

// `frame` is in the caller, for what the scheduler does is all below that.
void bind_to_thread(machine& m, const void* frame) noexcept {
    m.block = this_thread_block();
    m.exceptions = thread_exceptions();
    m.error_number = thread_errno();
    m.tsan_fiber = this_tsan_fiber();
    share_thread_storage();
    if constexpr (asan_build) {
        const stack_bounds bounds = this_thread_stack();
        m.stack_bottom = bounds.bottom;
        m.stack_size = bounds.size;
    }
    m.thread_id.store(this_thread_id(), std::memory_order_relaxed);
    m.block->preempt.store(0, std::memory_order_relaxed);
    m.block->collector.store(0, std::memory_order_relaxed);
    m.blocked_nudges = unblock_nudges();
    m.stack_limit = this_stack_limit();
    prepare_for_split_stacks(m, frame);
    m.block->owner.store(&m, std::memory_order_relaxed);
    m.shared_block.store(m.block.get(), std::memory_order_release);  // It is initialised.
}

void unbind_from_thread(machine& m) noexcept {
    m.block->owner.store(nullptr, std::memory_order_relaxed);
    m.block->caller.store(nullptr, std::memory_order_relaxed);
    m.block->preempt.store(0, std::memory_order_relaxed);
    m.block->collector.store(0, std::memory_order_relaxed);
    hide_heap(*m.block.get());
    if (m.blocked_nudges) block_nudges();
    forget_split_stacks(m);
}

// Who is listed may be joined, so its thread has been started. One that began to stop before it was listed has to be
// told here.
void enlist(machine& m) noexcept {
    const std::lock_guard hold(sched.idle_lock);
    m.all_link = sched.all_machines;
    sched.all_machines = &m;
    sched.machine_count.fetch_add(1, std::memory_order_relaxed);
    if (sched.stopping.load(std::memory_order_relaxed)) {
        m.note.store(machine::note_assigned, std::memory_order_release);
        futex_wake(m.note);
    }
}

void remove_listed_locked(machine& m) noexcept {
    for (machine** at = &sched.all_machines; *at != nullptr; at = &(*at)->all_link) {
        if (*at != &m) continue;
        *at = m.all_link;
        break;
    }
    sched.machine_count.fetch_sub(1, std::memory_order_relaxed);
}

// The machine is the calling thread's, and its own thread the only one to know of those that it names.
void join_ended_before(machine& m) noexcept {
    machine* const ended = std::exchange(m.ended_before, nullptr);
    if (ended == nullptr) return;
    join_thread(ended->thread);
    // Coroutines that ran there have read it, and are parked, or run elsewhere. They had left it before its thread ended,
    // which ThreadSanitizer, to which they are threads of their own, has not seen.
    const unrecorded unseen;
    off_heap_delete(ended);
}

void* thread_main(void* argument) {
    machine& m = *static_cast<machine*>(argument);
    char name[16];
    (void)std::snprintf(name, sizeof(name), "weft-%u", m.p->index);
    name_this_thread(name);
    set_timer_slack(1);
    const alternate_stack signal_stack;
    sched.signals.apply_to_this_thread();
    bind_to_thread(m, __builtin_frame_address(0));
    hold(m, *m.p);
    run_machine(m);
    unbind_from_thread(m);
    join_ended_before(m);
    return nullptr;
}

}  // namespace

[[gnu::noinline]] void start_machine(processor& p) noexcept {
    WEFT_DEEP;
    machine* m = nullptr;
    {
        const unrecorded unseen;  // Whoever comes to run there finds it through the thread.
        m = off_heap_new<machine>();
    }
    m->p = &p;
    m->spinning = true;
    m->is_thread = true;
    const std::error_code error = start_thread(m->thread, thread_main, m);
    if (!error) {
        enlist(*m);
        return;
    }
    off_heap_delete(m);
    // Fewer processors at work than there could be; but somebody must be.
    if (give_back_unstarted(p)) return;
    printer out;
    out << "weft: can't start a thread: " << error.message() << "\n";
    out.flush();
    abort_told();
}

bool is_listed_locked(const machine& m) noexcept {
    for (const machine* at = sched.all_machines; at != nullptr; at = at->all_link) {
        if (at == &m) return true;
    }
    return false;
}

void unlist(machine& m) noexcept {
    const std::lock_guard hold(sched.idle_lock);
    if (sched.stopping.load(std::memory_order_relaxed)) return;
    remove_listed_locked(m);
    m.ended_before = std::exchange(sched.ended_machine, &m);
}

void adopt_this_thread(machine& m) noexcept {
    enlist(m);
    bind_to_thread(m, __builtin_frame_address(0));
    processor* const p = take_idle_processor();
    WEFT_CHECK(p != nullptr);
    hold(m, *p);
}

void release_this_thread(machine& m) noexcept {
    static_cast<void>(
        sched.stacks_left.load(std::memory_order_acquire));  // Who ended here has read `m`.
    unbind_from_thread(m);
    if (m.pinned_to != machine::unpinned) sched.cpus.apply_to_this_thread();
    const std::lock_guard hold(sched.idle_lock);
    if (m.p.get() != nullptr) let_go(m);
    sched.idle_machines.remove(m);
    remove_listed_locked(m);
}

namespace {

void follow_processor(machine& m) noexcept {
    if (m.pinned_to == m.p->index) return;
    m.pinned_to = m.p->index;
    sched.cpus.pin_this_thread(m.pinned_to);
}

}  // namespace

void run_machine(machine& m) noexcept {
    if (simulated_processors* const all = simulated_queues()) {
        all->run(m);
        return;
    }
    for (;;) {
        coroutine* const c = find_work(m);
        if (c == nullptr) return;
        if (sched.opts.pin) follow_processor(m);
        coroutine_extras* const extras =
            (c->traits & trait_locked) != 0 ? peek_extras(*c) : nullptr;
        if (extras != nullptr && extras->locked_to != &m) {
            release_sticky(m);
            give_to_locked(m, *extras->locked_to.get(), *c);
            if (!sleep_machine(m)) return;
            continue;
        }
        run_coroutine(m, *c);
        receive_visitors(m);
        if (m.locked.get() != nullptr) {
            // Its coroutine has parked, and no other may run here.
            release_sticky(m);
            if (m.p.get() != nullptr) release_processor(m);
            if (!sleep_locked(m)) return;
        } else if (m.p.get() == nullptr) {
            if (!sleep_machine(m)) return;
        }
    }
}

}  // namespace weft::detail
