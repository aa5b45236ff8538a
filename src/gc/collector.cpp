#include "gc/collector.hpp"

#include <weft/go.hpp>

#include "base/assert.hpp"
#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "gc/cycle.hpp"
#include "gc/destroyers.hpp"
#include "gc/fork.hpp"
#include "gc/handshake.hpp"
#include "gc/heap/heap.hpp"
#include "gc/life/destructors.hpp"
#include "gc/life/roots.hpp"
#include "gc/life/weak.hpp"
#include "gc/mutator.hpp"
#include "gc/outcome.hpp"
#include "gc/pacer.hpp"
#include "gc/shade.hpp"
#include "gc/stacks.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/thread.hpp"
#include "sched/collector.hpp"
#include "sched/idle.hpp"
#include "sched/scheduler.hpp"
#include "sched/switch.hpp"
#include "sched/wait.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>

#include <unistd.h>

namespace weft::detail {
namespace {

// Who waits for a cycle, in its own frame.
struct cycle_waiter {
    ticket who;
    bool for_destructors = false;
    destructor_waiter then;  // Behind the cycle.
    cycle_waiter* next = nullptr;
};

class waiter_list {
public:
    void push(cycle_waiter& w) noexcept {
        w.next = first_;
        first_ = &w;
    }
    [[nodiscard]] waiter_list take() noexcept {
        waiter_list all = *this;
        first_ = nullptr;
        return all;
    }
    [[nodiscard]] cycle_waiter* pop() noexcept {
        cycle_waiter* const w = first_;
        if (w != nullptr) first_ = w->next;
        return w;
    }

private:
    cycle_waiter* first_ = nullptr;
};

struct coordinator {
    spin_lock lock;
    // Under the lock.
    bool started = false;
    bool stopped = false;  // Of this runtime: no more cycles.
    waiter_list waiting;
    thread_handle thread{};
    ticket end;  // Who waits for the thread to be done.

    std::atomic<int> process{0};  // Whose threads these are.
    std::atomic<std::uint32_t> calls{0};
    std::atomic<bool> wanted{false};
    std::atomic<bool> running{false};
    std::atomic<bool> stop{false};
};
constinit coordinator self;
constinit std::atomic<bool> open{false};

void wake_coordinator() noexcept {
    self.calls.fetch_add(1, std::memory_order_release);
    futex_wake(self.calls);
}

void fire_all(waiter_list waiters) noexcept {
    while (cycle_waiter* const w = waiters.pop()) {
        // Its frame may be gone as soon as it is fired.
        const ticket who = w->who;
        fire(who, wake_reason::signalled);
    }
}

// Who waited for a cycle that is over now.
void end_waits(waiter_list waiters) noexcept {
    waiter_list now;
    while (cycle_waiter* const w = waiters.pop()) {
        if (w->for_destructors) {
            w->then.who = w->who;
            if (!all_have_returned(w->then)) continue;
        }
        now.push(*w);
    }
    fire_all(now);
}

void after_cycle(const cycle_result& result) noexcept {
    note_outcome(result);
    run_due(result.destructors);
}

void* coordinator_main(void*) {
    name_this_thread("weft-gc");
    while (!self.stop.load(std::memory_order_acquire)) {
        const std::uint32_t calls = self.calls.load(std::memory_order_acquire);
        if (!self.wanted.load(std::memory_order_acquire)) {
            futex_wait(self.calls, calls, look_after_destroyers());
            continue;
        }
        waiter_list waiters;
        {
            const std::lock_guard hold(self.lock);
            self.running.store(true, std::memory_order_relaxed);
            self.wanted.store(false, std::memory_order_relaxed);
            waiters = self.waiting.take();
        }
        after_cycle(run_cycle());
        self.running.store(false, std::memory_order_release);
        end_waits(waiters);
        // Last: it has kept a standstill from being looked into.
        end_call();
    }
    waiter_list left;
    ticket end;
    {
        const std::lock_guard hold(self.lock);
        left = self.waiting.take();
        end = self.end;
    }
    fire_all(left);
    fire(end, wake_reason::signalled);
    return nullptr;
}

// Under the lock. False: there will be no cycle.
bool start_locked() noexcept {
    if (self.stopped) return false;
    if (self.started) return true;
    self.stop.store(false);
    if (start_thread(self.thread, coordinator_main, nullptr)) return false;
    sched.helper_threads.fetch_add(1, std::memory_order_relaxed);
    self.started = true;
    return true;
}

// Under the lock.
void want_locked() noexcept {
    if (self.wanted.exchange(true, std::memory_order_release)) return;
    // Until it is over there will be somebody to wake.
    sched.blocking_calls.fetch_add(1, std::memory_order_seq_cst);
    wake_coordinator();
}

void entering(machine& m, coroutine& c) noexcept {
    thread_block& block = *m.block.get();
    gc_mutator* const mutator = block.mutator.load(std::memory_order_relaxed);
    if (mutator == nullptr) return;
    const std::uint8_t round = mutator->round;
    if (round == 0 || c.scan_stamp.load(std::memory_order_relaxed) == round) return;
    const busy_section busy(block);
    WEFT_CHECK(read_own_stack(*mutator, c, c.context.get()));
    // Before the stamp: the collector, which sees that, has what was found.
    mutator->shaded.flush(gc_notes.shaded);
    c.scan_stamp.store(round, std::memory_order_release);
    // What the coroutine does to its stack comes behind the stamp, for who reads it optimistically.
    std::atomic_thread_fence(std::memory_order_release);
}

void leaving(machine& m, coroutine& c) noexcept {
    thread_block& block = *m.block.get();
    const busy_section busy(block);
    if (gc_mutator* const mutator = block.mutator.load(std::memory_order_relaxed)) {
        if (mutator->round == 0 || c.scan_stamp.load(std::memory_order_relaxed) == stamp_listed) {
            return;
        }
        c.scan_stamp.store(stamp_listed, std::memory_order_release);
        mutator->left.push(reinterpret_cast<std::uintptr_t>(&c), gc_notes.left);
        return;
    }
    // It comes back from a call, and has no processor yet.
    word_chunk& one = take_chunk();
    one.words[0] = reinterpret_cast<std::uintptr_t>(&c);
    one.count = 1;
    c.scan_stamp.store(stamp_listed, std::memory_order_release);
    gc_notes.left.push(one);
}

void answer(machine& m, coroutine* visitor) noexcept {
    if (sched.sim.load(std::memory_order_relaxed) == nullptr) {
        answer_here(m, visitor);
        return;
    }
    m.block->collector.exchange(0, std::memory_order_acq_rel);
    if (visitor != nullptr) after_cycle(run_cycle_at_once());
    show_heap(*m.block.get(), *m.p.get());
    m.p->answered.store(collector_request.load(std::memory_order_relaxed),
                        std::memory_order_relaxed);
}

// What the scheduler plugged in. Processors are about to go.
void stop() noexcept {
    {
        const std::lock_guard hold(self.lock);
        self.stopped = true;
    }
    if (self.started) {
        sched.blocking_calls.fetch_add(1,
                                       std::memory_order_seq_cst);  // No deadlock: it will wake us.
        waiting wait(cancellation::ignored, wait_kind::shutdown);
        {
            const std::lock_guard hold(self.lock);
            self.end = wait.ticket();
        }
        self.stop.store(true, std::memory_order_release);
        wake_coordinator();
        static_cast<void>(wait.finish());
        sched.blocking_calls.fetch_sub(1, std::memory_order_seq_cst);
        join_thread(self.thread);
        sched.helper_threads.fetch_sub(1, std::memory_order_relaxed);
        self.started = false;
    }
}

// The runtime has stopped: its processors' mutators go, and with the last object the heap.
void stopped() noexcept {
    remove_nudges();
    free_what_was_kept();
    self.wanted.store(false);
    // Until the next runtime starts nobody can be asked anything, so `stopped` stays.
    forget_destroyers();
    if (any_root() || any_attached()) return;
    // What is left of objects nobody can reach.
    collector.store(nullptr, std::memory_order_release);
    store_request({});  // The next runtime's processors have nothing to answer.
    open.store(false, std::memory_order_release);
    forget_all_weak();
    forget_destructors();
    close_heap();
    // A mutator that has read `gc_marking` before the last cycle ended may have noted a word after it. Under the lock threads
    // that are no mutators look at it once more, so from here on none of them notes anything.
    flush_foreign_words();
    static_cast<void>(gc_notes.shaded.take_all());
    static_cast<void>(gc_notes.left.take_all());
    release_chunks();
    reset_pacer();
}

// What the runtime's options and the environment say, for a runtime that starts, or the one that is up.
void take_options() noexcept {
    self.stopped = is_forked_child();
    self.process.store(::getpid(), std::memory_order_relaxed);
    set_gc_percent(sched.opts.gc_percent);
    set_gc_limit(sched.opts.memory_limit);
    poison_free_slots.store(sched.env.gc_poison, std::memory_order_relaxed);
}

constexpr collector_hooks hooks{
    .start = &take_options,
    .answer = &answer,
    .entering = &entering,
    .leaving = &leaving,
    .shade_words = &report_words,
    .free_later = &free_after_cycle,
    .stop = &stop,
    .give_back = &give_mutator_of,
    .stopped = &stopped,
};

}  // namespace

bool open_collector() noexcept {
    if (open.load(std::memory_order_acquire)) return true;
    const std::lock_guard hold(self.lock);
    if (open.load(std::memory_order_relaxed)) return true;
    if (!is_ready_for_forks() || !open_heap()) return false;
    begin_counting();
    if (sched.slot_count.load(std::memory_order_acquire) != 0) take_options();
    gc_has_opened.store(true, std::memory_order_relaxed);
    collector.store(&hooks, std::memory_order_release);
    open.store(true, std::memory_order_release);
    return true;
}

void want_cycle() noexcept {
    if (self.wanted.load(std::memory_order_relaxed) ||
        self.running.load(std::memory_order_relaxed)) {
        return;
    }
    const std::lock_guard hold(self.lock);
    if (!self.running.load(std::memory_order_relaxed) && start_locked()) want_locked();
}

void lock_coordinator() noexcept { self.lock.lock(); }
void unlock_coordinator() noexcept { self.lock.unlock(); }

void forget_coordinator() noexcept {
    self.started = false;
    self.stopped = true;
    self.wanted.store(false, std::memory_order_relaxed);
    self.running.store(false, std::memory_order_relaxed);
}

bool collects_on_the_spot() noexcept {
    return sched.sim.load(std::memory_order_relaxed) != nullptr;
}

namespace {

// In a simulation: the cycle is over when this returns.
void collect_on_the_spot(coroutine& here, bool with_destructors) {
    visit_scheduler(*this_machine(), here);
    if (!with_destructors || is_destroyer(&here)) return;
    waiting wait(cancellation::ignored, wait_kind::other);
    destructor_waiter mine;
    mine.who = wait.ticket();
    if (all_have_returned(mine)) {
        wait.abandon();
    } else {
        static_cast<void>(wait.finish());
    }
}

}  // namespace

void collect_and_wait(bool with_destructors) {
    coroutine* const here = this_coroutine();
    std::optional<foreign_visit> visit;
    if (here == nullptr) {
        visit.emplace();
        if (!*visit) throw std::logic_error("weft: gc::collect() while no runtime is up");
    }
    if (!open_collector()) return;
    // Also in a child that no handler was called in: _Fork(), or a clone by hand.
    if (is_forked_child() || ::getpid() != self.process.load(std::memory_order_relaxed)) {
        throw std::logic_error(
            "weft: gc::collect() in the child of a fork, which may allocate and not collect");
    }
    if (collects_on_the_spot()) {
        if (here == nullptr) {
            throw std::logic_error("weft: gc::collect() on a foreign thread during a simulation");
        }
        collect_on_the_spot(*here, with_destructors);
        return;
    }
    cycle_waiter mine;
    mine.for_destructors = with_destructors && here != nullptr && !is_destroyer(here);
    waiting wait(cancellation::ignored, wait_kind::other);
    mine.who = wait.ticket();
    bool begun = false;
    {
        const std::lock_guard hold(self.lock);
        begun = start_locked();
        if (begun) {
            self.waiting.push(mine);
            want_locked();
        }
    }
    if (begun) {
        static_cast<void>(wait.finish());
    } else {
        wait.abandon();
    }
}

}  // namespace weft::detail
