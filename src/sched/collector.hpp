// Where a garbage collector is plugged in. The scheduler does not know it: it tells what happens to coroutines, and passes
// on what is asked of processors.
//
// The collector numbers its requests. Each processor answers each: the machine that holds it does so, on its scheduler
// stack, before it runs another coroutine (answer_collector) or when the one that runs comes by for that (visit_scheduler);
// for a processor that nobody holds the collector acts itself, under the idle lock. A processor that has answered the last
// request needs no look at anything but the number, so a machine that takes one over can't miss what was asked meanwhile:
// it compares before it runs anything.
//
// While the collector marks, a processor that has answered switches by way of the scheduler stack only (`look_at` stays 0),
// which tells the collector who is left and who is entered.
#pragma once

#include <weft/detail/gc_carrier.hpp>
#include <weft/detail/thread_block.hpp>

#include "sched/processor.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct collector_hooks {
    /// A runtime starts: sched.opts and sched.env are its.
    void (*start)() noexcept;
    /// Does for `m`'s processor what was asked of it. On the scheduler stack; `visitor`, if it is not null, is the coroutine that
    /// goes on afterwards, and its context is saved.
    void (*answer)(machine& m, coroutine* visitor) noexcept;
    /// `c`, which is `m`'s own and about to run, and may have been left by another. On the scheduler stack, while marking.
    void (*entering)(machine& m, coroutine& c) noexcept;
    /// `c` is about to leave `m` for its scheduler stack, and runs until the jump. While marking.
    void (*leaving)(machine& m, coroutine& c) noexcept;
    /// Words that may hold pointers and are about to go where the collector has been. While marking. Any thread.
    void (*shade_words)(const void* words, std::size_t bytes) noexcept;
    /// Takes memory that the collector may be reading, to free it when it is done.
    void (*free_later)(void* off_heap) noexcept;
    /// The runtime stops: every coroutine has ended but the caller, and machines are about to leave. It may park.
    void (*stop)() noexcept;
    /// Takes back what it has of a processor that is about to go.
    void (*give_back)(processor& p) noexcept;
    /// Nothing of the runtime is left.
    void (*stopped)() noexcept;
};

/// Null until the first object is made.
[[gnu::visibility("hidden")]] extern std::atomic<const collector_hooks*> collector;
/// The number of its last request.
[[gnu::visibility("hidden")]] extern std::atomic<std::uint32_t> collector_request;

[[nodiscard]] inline bool is_marking() noexcept {
    return gc_marking.load(std::memory_order_relaxed) != 0;
}

/// Frees what has been allocated off the heap, once the collector can't be reading it.
void free_unread(void* off_heap) noexcept;

/// collector_hooks::leaving.
void tell_of_leaving(machine& m, coroutine& c) noexcept;

/// Behind a coroutine that has left for `m`'s scheduler stack: if it has only come for the collector's sake, `m` answers, and the
/// coroutine goes on; until one comes for another reason.
void receive_visitors(machine& m) noexcept;

/// Answers if there is a request that `m`'s processor has not answered. On the scheduler stack.
void answer_collector_slow(machine& m) noexcept;
inline void answer_collector(machine& m) noexcept {
    // acquire: who finds itself up to date may have been asked before, by another request that it has seen.
    if (m.p->answered.load(std::memory_order_relaxed) !=
        collector_request.load(std::memory_order_acquire)) [[unlikely]] {
        answer_collector_slow(m);
    }
}

}  // namespace weft::detail
