// The state that all processors share: one object, for there is one runtime a process.
//
// It has static storage and is never destroyed, only emptied: a thread that was late in waking somebody
// then reads a stopped scheduler, not freed memory.
#pragma once

#include <weft/runtime.hpp>

#include "base/environ.hpp"
#include "base/intrusive_list.hpp"
#include "base/relaxed.hpp"
#include "mem/fixed_pool.hpp"
#include "os/ranked_lock.hpp"
#include "os/thread.hpp"
#include "sched/extras.hpp"
#include "sched/first_class.hpp"
#include "sched/global_queue.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"
#include "sched/work_source.hpp"
#include "stack/reserved_stack.hpp"
#include "stack/segment_pool.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

class simulation;
struct unclaimed_end;

/// What the layers above plug in. Set before start(), by the composition root (runtime/runtime.cpp).
struct scheduler_hooks {
    const timer_source* timers = nullptr;
    /// An exception has left a child of a scope, which still runs.
    void (*scope_failure)(coroutine& child) noexcept = nullptr;
    /// A child of a scope has ended.
    void (*scope_exit)(coroutine& child) noexcept = nullptr;
    /// An exception left a coroutine that nobody joins. Does not return.
    void (*uncaught)(coroutine& c) noexcept = nullptr;
    /// An exception that nobody has taken for a second. On a scheduler stack. Null: nobody wants to hear of it.
    void (*unclaimed)(const unclaimed_end& what) noexcept = nullptr;
    /// Nothing will run again, it seems. Called on a machine that holds a processor, everything else
    /// asleep. True: something can run now. False: look again later.
    bool (*deadlock)() noexcept = nullptr;
    /// call_monitor_to_quit() has been called: the monitor asks what to do. Does not return.
    void (*quit)() noexcept = nullptr;
    /// Writes a stack to stderr. The monitor.
    void (*print_stack)(std::span<const std::uintptr_t> frames) noexcept = nullptr;
    /// Upper layers give back memory that they do not need any more: once a round of trimming, by the monitor. Returns how
    /// many bytes.
    std::size_t (*cool)() noexcept = nullptr;
};

struct scheduler {
    // Set by start() and constant while a runtime is up. ----------------------------------------------
    processor** processors = nullptr;  // Room for `processor_slots_max`.
    unsigned processor_count = 0;      // As configured.
    unsigned processor_slots_max =
        0;  // And those that may be added for threads that stop responding.
    options opts;
    environment env;
    scheduler_hooks hooks;
    std::atomic<simulation*> sim{nullptr};
    unsigned stack_log2 = 18;
    std::atomic<bool> has_split_stacks{false};  // Some coroutine has had one.
    cpu_mask cpus;                              // With options.pin: of whoever started the runtime.
    signal_mask signals;                        // The thread that started the runtime had it.
    relaxed<bool> detects_deadlock{false};      // Under run(): there may be no foreign threads.
    relaxed<std::int64_t> suspicion_at{0};      // Until then a standstill is not looked into again.

    /// Every processor there has been so far; none goes away while a runtime is up. Those that were added for a while
    /// (compensate.hpp) are among them also when they are out of use.
    std::atomic<unsigned> slot_count{0};

    [[nodiscard]] std::span<processor* const> all_processors() const noexcept {
        return {processors, slot_count.load(std::memory_order_acquire)};
    }
    /// Those that own timers: the ones that were configured. Timers that are set on a substitute go to one of these, so
    /// that it leaves none behind.
    [[nodiscard]] std::span<processor* const> timer_owners() const noexcept {
        return {processors, processor_count};
    }
    /// Whether nobody could steal, or be woken to help. It turns false before a second processor is put to use, and a heavy
    /// fence follows (compensate.cpp).
    [[nodiscard]] bool has_one_processor() const noexcept {
        return active_count.load(std::memory_order_relaxed) == 1;
    }
    /// Whether there are substitutes: then all processors fire each other's timers.
    [[nodiscard]] bool has_substitutes() const noexcept {
        return active_count.load(std::memory_order_relaxed) != processor_count;
    }

    // Life cycle. --------------------------------------------------------------------------------------
    std::atomic<std::uint64_t> generation{0};  // How many runtimes there have been.
    std::atomic<bool> up{false};               // Foreign threads may enter.
    std::atomic<bool> draining{false};         // Coroutines are born cancelled; ends are counted.
    std::atomic<bool> stopping{false};         // Machines leave.
    std::atomic<unsigned> foreign_users{0};
    std::atomic<std::uint64_t> last_id{0};

    // Counted by threads without a processor; the rest is in the processors.
    std::atomic<std::uint64_t> foreign_spawned{0};
    std::atomic<std::uint64_t> foreign_finished{0};
    std::atomic<unsigned> looks_asked{0};  // Whom arrivals ask next; see arrivals.cpp.

    // Queues and pools. --------------------------------------------------------------------------------
    global_queue global;
    /// Counted by the monitor every 10 ms; see turns.hpp. Relaxed: it orders nothing.
    alignas(cache_line) std::atomic<std::uint64_t> turn{0};
    alignas(cache_line) stack_store stacks;
    segment_pool segments;
    first_classes first_class;  // Of split stacks.
    fixed_pool<coroutine, &coroutine::link> coroutines{"coroutines"};
    fixed_pool<coroutine_extras, &coroutine_extras::link> extras{"extras"};

    // Idleness; see idle.hpp. --------------------------------------------------------------------------
    ranked_lock idle_lock{lock_rank::idle};
    intrusive_stack<processor, &processor::idle_link> idle_processors;  // Under idle_lock.
    intrusive_stack<machine, &machine::idle_link> idle_machines;        // Under idle_lock.
    machine* all_machines = nullptr;                                    // Under idle_lock.
    machine* ended_machine = nullptr;                                   // Under idle_lock.
    machine* keeper = nullptr;                                          // Under idle_lock.
    std::int64_t last_timer_wake = 0;                                   // Under idle_lock.
    /// Before this nobody wakes for timers that share; in the past: no matter. Changed under idle_lock. Others read it to
    /// guess when the keeper wakes, and a guess that is old costs a wake-up.
    std::atomic<std::int64_t> shared_wake{0};
    std::atomic<unsigned> machine_count{0};
    std::atomic<unsigned> helper_threads{0};  // Threads of ours that are no machines.
    std::atomic<unsigned> blocking_calls{0};  // Under way, on threads without a processor.
    /// How many processors are in use, idle ones included. Changed under idle_lock.
    std::atomic<unsigned> active_count{0};
    alignas(cache_line) std::atomic<unsigned> idle_count{0};
    std::atomic<std::int64_t> wakes_at{never};
    alignas(cache_line) std::atomic<unsigned> spinning{0};

    // Descriptors; see poll.hpp. -------------------------------------------------------------------------
    /// Null until something waits for a descriptor.
    alignas(cache_line) std::atomic<const io_source*> io{nullptr};
    std::atomic<bool> io_taken{false};          // Somebody has the poller to himself.
    std::atomic<std::int64_t> io_looked_at{0};  // When a processor last looked into it.
    std::atomic<unsigned> outside_waiters{0};   // Those that no processor counts.

    /// ThreadSanitizer builds only: what every coroutine did happens before the end of the runtime, for the
    /// threads that ran them are joined. To the sanitizer they were threads of their own.
    std::atomic<std::uint64_t> stacks_left{0};

    /// The coroutine that runs main; null for class runtime.
    std::atomic<coroutine*> main{nullptr};
    /// Who waits for the others to end.
    std::atomic<bool> drain_waits{false};
    ticket drain_ticket;
    std::uint64_t drain_left = 0;  // How many coroutines may be left.
};

// Hidden: position-independent code would otherwise look up its address each time.
[[gnu::visibility("hidden")]] extern scheduler sched;

/// Coroutines alive, the sum over processors. Exact when called by whoever ended last; see note_finished.
[[nodiscard]] std::uint64_t live_coroutines() noexcept;

/// A foreign thread's right to use the scheduler; stop waits until all are given back.
class foreign_visit {
public:
    foreign_visit() noexcept;
    ~foreign_visit();
    foreign_visit(const foreign_visit&) = delete;
    foreign_visit& operator=(const foreign_visit&) = delete;
    /// False: no runtime is up.
    [[nodiscard]] explicit operator bool() const noexcept { return inside_; }

private:
    bool inside_;
};

/// A descriptor, from the processor's cache or the pool. Null when memory ends.
[[nodiscard]] coroutine* take_descriptor() noexcept;
/// Takes the free descriptors out of the caches of processors that are idle, so that these do not keep their slabs from being
/// given back. The monitor's.
void return_idle_descriptors() noexcept;
/// Gives it back; what it held is destroyed. On any thread.
void give_descriptor(coroutine& c) noexcept;

[[nodiscard]] std::uint64_t take_id() noexcept;

/// Counts an end, and tells who waits for the last one while draining.
void note_finished() noexcept;

// Starting and stopping; runtime/runtime.cpp orders the steps. ----------------------------------------

void start_scheduler(const options& opts, const environment& env, const scheduler_hooks& hooks,
                     unsigned processor_count, simulation* sim);
/// One more processor, in use by nobody. Start, and then the monitor only. Throws std::bad_alloc.
processor& add_processor();
/// From here on foreign threads may spawn, and wake machines for it: behind adopt_this_thread(), for who runs main
/// must find a processor.
void admit_foreign_threads() noexcept;
/// Makes the calling thread a machine with a processor.
void adopt_this_thread(machine& m) noexcept;
void release_this_thread(machine& m) noexcept;
/// Runs coroutines on the calling machine until the scheduler is stopping.
void run_machine(machine& m) noexcept;
/// Tells every machine to leave. No coroutine is left.
void request_stop_scheduler() noexcept;
/// Joins the threads and gives everything back. Not on a machine of ours.
void stop_scheduler() noexcept;

}  // namespace weft::detail
