#include "sched/scheduler.hpp"

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/bits.hpp"
#include "base/off_heap.hpp"
#include "base/tsan.hpp"
#include "context/sanitizer.hpp"
#include "os/cpu_limit.hpp"
#include "os/fence.hpp"
#include "sched/blocking_threads.hpp"
#include "sched/collector.hpp"
#include "sched/compensate.hpp"
#include "sched/idle.hpp"
#include "sched/monitor.hpp"
#include "sched/park.hpp"
#include "sched/poll.hpp"
#include "sched/simulation.hpp"
#include "sched/split_stack.hpp"
#include "sched/stall.hpp"
#include "sched/trim.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <thread>
#include <utility>

namespace weft::detail {

// NOLINTNEXTLINE(cert-err58-cpp): constinit, so nothing runs that could throw.
constinit scheduler sched;

namespace {

// Ids are given out to processors in blocks, so that a spawn touches nothing shared.
constexpr std::uint64_t id_block = 64;

// Whatever the options say: a processor is some 10 KiB, and a thread more than that.
constexpr unsigned compensation_max = 4096;

std::uint64_t sum(counter processor::*which) noexcept {
    std::uint64_t total = 0;
    for (const processor* p : sched.all_processors()) total += (p->*which).read();
    return total;
}

}  // namespace

foreign_visit::foreign_visit() noexcept {
    // seq_cst on both sides: either stop sees the visitor, or the visitor sees that it is too late.
    sched.foreign_users.fetch_add(1, std::memory_order_seq_cst);
    inside_ = sched.up.load(std::memory_order_seq_cst);
    if (!inside_) sched.foreign_users.fetch_sub(1, std::memory_order_seq_cst);
}

foreign_visit::~foreign_visit() {
    if (inside_) sched.foreign_users.fetch_sub(1, std::memory_order_release);
}

std::uint64_t live_coroutines() noexcept {
    // The ends first: a coroutine that starts and ends between the two sums is then counted as alive, and
    // never the other way round.
    const std::uint64_t ended =
        sum(&processor::finished) + sched.foreign_finished.load(std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return sum(&processor::spawned) + sched.foreign_spawned.load(std::memory_order_seq_cst) - ended;
}

void note_finished() noexcept {
    // Of two coroutines that end last at the same time, at least one sees the other's count: each has
    // added its own before the fence.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!sched.drain_waits.load(std::memory_order_seq_cst)) return;
    if (live_coroutines() > sched.drain_left) return;
    if (sched.drain_waits.exchange(false, std::memory_order_seq_cst)) {
        fire(sched.drain_ticket, wake_reason::signalled);
    }
}

namespace {

using descriptor_batch = std::array<coroutine*, decltype(processor::coroutines)::capacity / 2>;

void refill_descriptors(processor& p) noexcept {
    descriptor_batch batch;
    for (std::size_t i = sched.coroutines.take(batch.data(), batch.size()); i != 0; --i) {
        hand_over(batch[i - 1]);
        p.coroutines.push(batch[i - 1]);
    }
}

void return_descriptors(processor& p) noexcept {
    descriptor_batch batch;
    for (coroutine*& slot : batch) {
        slot = p.coroutines.pop();
        take_over(slot);
    }
    sched.coroutines.give(batch.data(), batch.size());
}

}  // namespace

coroutine* take_descriptor() noexcept {
    machine* const m = this_machine();
    processor* const p = m == nullptr ? nullptr : m->p.get();
    if (p == nullptr) return sched.coroutines.take();
    if (p->coroutines.empty()) {
        on_scheduler_stack([p] { refill_descriptors(*p); });
        if (p->coroutines.empty()) return nullptr;
    }
    coroutine* const c = p->coroutines.pop();
    take_over(c);
    return c;
}

void give_descriptor(coroutine& c) noexcept {
    take_over(&c);  // From the inbox it may once have been in.
    drop_extras(c);
    if (c.flags.big_frame) {
        free_unread(c.frame_address());
        c.flags.big_frame = false;
    }
    c.scope = nullptr;
    machine* const m = this_machine();
    processor* const p = m == nullptr ? nullptr : m->p.get();
    if (p == nullptr) {
        sched.coroutines.give(c);
        return;
    }
    if (p->coroutines.full()) on_scheduler_stack([p] { return_descriptors(*p); });
    hand_over(&c);
    p->coroutines.push(&c);
}

void return_idle_descriptors() noexcept {
    for (processor* const p : sched.all_processors()) {
        std::array<coroutine*, decltype(processor::coroutines)::capacity> batch;
        std::size_t n = 0;
        {
            // A machine takes it into use under the lock, too.
            const std::lock_guard hold(sched.idle_lock);
            if (!p->idle) continue;
            while (!p->coroutines.empty()) {
                batch[n] = p->coroutines.pop();
                take_over(batch[n++]);
            }
        }
        sched.coroutines.give(batch.data(), n);
    }
}

std::uint64_t take_id() noexcept {
    machine* const m = this_machine();
    processor* const p = m == nullptr ? nullptr : m->p.get();
    if (p == nullptr) return sched.last_id.fetch_add(1, std::memory_order_relaxed) + 1;
    if (p->next_id > p->last_id || p->last_id == 0) {
        const std::uint64_t last = sched.last_id.fetch_add(id_block, std::memory_order_relaxed);
        p->next_id = last + 1;
        p->last_id = last + id_block;
    }
    const std::uint64_t id = p->next_id;
    p->next_id = id + 1;
    return id;
}

[[gnu::cold]] processor& add_processor() {
    const unsigned index = sched.slot_count.load(std::memory_order_relaxed);
    WEFT_CHECK(index != sched.processor_slots_max);
    const unrecorded unseen;  // Who comes to hold it finds it through its machine.
    processor* const p = off_heap_new<processor>(index, sched.processor_count > 1 || index != 0,
                                                 sched.env.steal_seed + 0x5eed + index);
    p->seen = static_cast<glimpse*>(
        off_heap_allocate(sched.processor_slots_max * sizeof(glimpse), alignof(glimpse)));
    p->timers = sched.hooks.timers->create();
    sched.processors[index] = p;
    p->timer_owner = sched.processors[index % sched.processor_count];
    sched.slot_count.store(index + 1, std::memory_order_release);
    return *p;
}

[[gnu::cold]] void start_scheduler(const options& opts, const environment& env,
                                   const scheduler_hooks& hooks, unsigned processor_count,
                                   simulation* sim) {
    prepare_fences();
    sched.generation.fetch_add(1);
    sched.opts = opts;
    sched.env = env;
    sched.hooks = hooks;
    if (opts.pin) sched.cpus = cpu_mask::of_this_thread();
    sched.signals = signal_mask::of_this_thread();
    sched.stack_log2 = std::clamp(log2_ceil(std::max<std::size_t>(opts.stack_size, 1)),
                                  stack_store::log2_min, stack_store::log2_max);
    sched.stack_log2 =
        std::min(sched.stack_log2, std::max(stack_store::log2_min,
                                            log2_ceil(std::max<std::size_t>(opts.max_stack, 1))));
    sched.stacks.configure(env.guard_canary, sched.stack_log2);
    sched.processor_count = processor_count;
    sched.processor_slots_max =
        processor_count + (sim == nullptr ? std::min(opts.max_compensation, compensation_max) : 0);
    // NOLINTBEGIN(bugprone-sizeof-expression): an array of pointers.
    sched.processors = static_cast<processor**>(
        off_heap_allocate(sched.processor_slots_max * sizeof(processor*), alignof(processor*)));
    // NOLINTEND(bugprone-sizeof-expression)
    for (unsigned i = 0; i != processor_count; ++i) add_processor();
    sched.wakes_at.store(never);
    sched.last_timer_wake = 0;
    sched.shared_wake.store(0);
    sched.has_split_stacks.store(false);
    sched.suspicion_at = 0;
    sched.keeper = nullptr;
    sched.spinning.store(0);
    sched.blocking_calls.store(0);
    sched.stopping.store(false);
    sched.draining.store(false);
    sched.drain_waits.store(false);
    sched.main.store(nullptr);
    sched.foreign_spawned.store(0);
    sched.foreign_finished.store(0);
    sched.turn.store(0);
    sched.looks_asked.store(0);
    sched.io_taken.store(false);
    sched.io_looked_at.store(0);
    sched.outside_waiters.store(0);
    sched.sim.store(sim);
    // So that the fast paths of headers send foreign threads to where they are refused.
    if (sim != nullptr) no_attention.store(attention_point, std::memory_order_relaxed);
    set_simulation_detour(sim != nullptr);
    switches_are_edges(sim != nullptr);
    for (unsigned i = processor_count; i != 0; --i) {
        processor& p = *sched.processors[i - 1];
        p.idle = true;
        sched.idle_processors.push(p);
    }
    sched.idle_count.store(processor_count);
    sched.active_count.store(processor_count);
    if (const collector_hooks* const gc = collector.load(std::memory_order_acquire)) gc->start();
}

void admit_foreign_threads() noexcept { sched.up.store(true, std::memory_order_seq_cst); }

void request_stop_scheduler() noexcept {
    // Its coordinator asks processors for answers, so it ends while they can still give them.
    if (const collector_hooks* const gc = collector.load(std::memory_order_acquire)) gc->stop();
    stop_monitor();  // It looks at machines, and at thread-local storage of theirs.
    wake_all_to_stop();
}

[[gnu::cold]] void stop_scheduler() noexcept {
    sched.up.store(false, std::memory_order_seq_cst);
    while (sched.foreign_users.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
    stop_monitor();  // Again: a foreign thread may have come in before it was refused.
    stop_blocking_threads();

    // A machine that is leaving may just have started another: until none is left. All are joined before the
    // first is deleted, for they may still be waking each other.
    intrusive_stack<machine, &machine::all_link> joined;
    for (;;) {
        machine* m = nullptr;
        {
            const std::lock_guard hold(sched.idle_lock);
            m = sched.all_machines;
            if (m != nullptr) {
                sched.all_machines = m->all_link;
            } else {
                m = std::exchange(sched.ended_machine, nullptr);
            }
        }
        if (m == nullptr) break;
        join_thread(m->thread);
        joined.push(*m);
    }
    static_cast<void>(sched.stacks_left.load(std::memory_order_acquire));
    while (machine* const m = joined.pop()) off_heap_delete(m);
    sched.machine_count.store(0);
    sched.idle_machines = {};
    sched.idle_processors = {};
    sched.idle_count.store(0);

    const collector_hooks* const gc = collector.load(std::memory_order_acquire);
    for (processor* p : sched.all_processors()) {
        empty_segment_cache(*p);
        while (!p->coroutines.empty()) sched.coroutines.give(*p->coroutines.pop());
        sched.hooks.timers->destroy(p->timers);
        if (gc != nullptr) gc->give_back(*p);
        off_heap_free(p->seen);
        off_heap_delete(p);
    }
    off_heap_free(sched.processors);
    sched.processors = nullptr;
    sched.processor_count = 0;
    sched.slot_count.store(0);
    sched.active_count.store(0);
    run_stop_hooks();  // Behind the timers, which name descriptors.
    no_attention.store(0, std::memory_order_relaxed);
    sched.sim.store(nullptr);
    set_simulation_detour(false);
    reset_compensation();
    reset_stalls();
    reset_trim();
    sched.global.release();
    sched.stacks.release(&delete_tsan_fiber);
    sched.segments.release();
    sched.coroutines.release();
    sched.extras.release();
    if (gc != nullptr) gc->stopped();
}

}  // namespace weft::detail
