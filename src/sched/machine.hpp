// M: an OS thread that runs coroutines while it holds a processor.
//
// Its own stack is the *scheduler stack*: there it looks for work, and there it sleeps. Everything here
// belongs to the machine itself, but for what the idle lock and the note hand over.
#pragma once

#include <weft/detail/thread_block.hpp>

#include "base/intrusive_list.hpp"
#include "base/relaxed.hpp"
#include "context/context.hpp"
#include "os/thread.hpp"
#include "sched/coroutine.hpp"
#include "stack/reserved_stack.hpp"
#include <weft/detail/spin_lock.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct processor;

struct machine {
    /// Null while it has none: asleep, in a blocking call, or about to sleep.
    relaxed<processor*> p{nullptr};

    // Fixed once the thread runs. Cached so that a switch calls no `const` accessor, which a compiler would
    // merge with the same call on the other side.
    relaxed<thread_block*> block{nullptr};
    relaxed<exception_globals*> exceptions{nullptr};
    relaxed<int*> error_number{nullptr};
    relaxed<const void*> stack_bottom{nullptr};
    relaxed<std::size_t> stack_size{0};
    relaxed<void*> tsan_fiber{nullptr};

    /// Where the scheduler stack waits while a coroutine runs.
    relaxed<context_ref> scheduler_context{nullptr};
    /// The scheduler stack's own exception state: of whoever called run().
    relaxed<void*> outer_caught{nullptr};
    relaxed<unsigned> outer_uncaught{0};

    relaxed<coroutine*> current{nullptr};
    /// The stack of a coroutine that has ended on it and is about to leave it.
    relaxed<stack_ref> dead_stack{};
    /// A coroutine that was picked but must be started from the scheduler stack.
    relaxed<coroutine*> handover{nullptr};
    /// One that has come to the scheduler stack for the collector's sake, and goes on at once.
    relaxed<coroutine*> visitor{nullptr};
    /// The coroutine that has a thread_lock on this machine.
    relaxed<coroutine*> locked{nullptr};

    relaxed<bool> spinning{false};

    /// Coroutines that were preempted where they may hold something of this thread's, and go on here only. Under
    /// `sticky_lock`, for the machine may stop responding; see preempt.hpp.
    spin_lock sticky_lock;
    intrusive_queue<coroutine, &coroutine::link> sticky;
    std::atomic<unsigned> sticky_count{0};

    // For the monitor; null and 0 until the thread runs.
    std::atomic<thread_block*> shared_block{nullptr};
    std::atomic<int> thread_id{0};
    std::atomic<std::uintptr_t>* stack_limit =
        nullptr;  // Where prologues look; written before shared_block.

    unsigned pinned_to =
        unpinned;  // With options.pin: the processor whose CPU the thread is bound to.
    static constexpr unsigned unpinned = ~0u;

    // Sleeping. The waker writes `assigned` and then the note; the sleeper reads them in reverse.
    std::atomic<std::uint32_t> note{0};
    relaxed<processor*> assigned{nullptr};
    relaxed<coroutine*> assigned_coroutine{nullptr};
    machine* idle_link = nullptr;  // Under the idle lock.
    bool idle = false;
    bool polls = false;  // It sleeps in the poller and not on the note. Under the idle lock.

    // What a note says.
    static constexpr std::uint32_t note_assigned = 1;  // Or that the scheduler stops.
    static constexpr std::uint32_t note_plan_again =
        2;  // To the keeper: there is an earlier timer.

    machine* all_link = nullptr;
    thread_handle thread{};
    bool blocked_nudges = false;  // Its thread did, before it was a machine's.
    bool is_thread = false;       // Started by us, and to be joined; else the caller of run().
    /// One whose thread ended before this one's did, which joins it. So there is at most one that nobody has joined.
    machine* ended_before = nullptr;
};

/// The calling machine; null on foreign threads and inside blocking().
[[nodiscard]] inline machine* this_machine() noexcept {
    return this_thread_block()->owner.load(std::memory_order_relaxed);
}

[[nodiscard]] inline coroutine* this_coroutine() noexcept {
    return this_thread_block()->current.load(std::memory_order_relaxed);
}

}  // namespace weft::detail
