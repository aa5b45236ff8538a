// How upper layers offer work to the scheduler, without the scheduler knowing them.
//
// The time layer registers itself here, and the io layer as soon as something waits for a descriptor; the collector will.
// Functions, not an interface class: they are called on the way from one coroutine to the next, and there is one of each.
#pragma once

#include "os/clock.hpp"
#include "os/poller.hpp"
#include "sched/sleeper.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct processor;

/// The target of a call that an upper layer has asked for. It is type-stable while timers name it, because they may be
/// stale: `word` tells them apart.
struct timer_target {
    std::atomic<std::uint64_t> word{0};
    /// How many of the timers that were added for it do not name it any more. The owner compares it with the number that
    /// it has added. Edge *last timer*: who took the timer out of a heap adds 1 with release, after its last access to
    /// the target; the owner reads with acquire before it gives the memory back. Relaxed would let the memory go while
    /// that access is under way.
    std::atomic<std::uint32_t> timers_gone{0};
    /// On the scheduler stack of a machine with a processor; `word` may be stale.
    void (*fire)(timer_target& target, std::uint64_t word) noexcept = nullptr;
};

/// What a timer does when it is due. The low bits tell which of three kinds `target` is:
///   0   a sleeper: fires the ticket {target, word}
///   1   the extras of a coroutine, whose deadline_word must still be `word`
///   2   a timer_target, likewise
struct timer_event {
    std::uintptr_t target;
    std::uint64_t word;

    static constexpr std::uintptr_t kinds = 3;

    static timer_event wake(const ticket& t) noexcept {
        return {reinterpret_cast<std::uintptr_t>(t.who), t.word};
    }
    static timer_event call(timer_target& t, std::uint64_t word) noexcept {
        return {reinterpret_cast<std::uintptr_t>(&t) | 2, word};
    }
    [[nodiscard]] bool is_wake() const noexcept { return (target & kinds) == 0; }
    [[nodiscard]] bool is_call() const noexcept { return (target & 2) != 0; }
};

/// Fires it, if it still means anything. On a machine.
void fire_timer(const timer_event& event) noexcept;
/// Has left the heap without being fired.
void drop_timer(const timer_event& event) noexcept;
/// Among hundreds of thousands of sleepers nothing that a timer touches is in the caches. So, some time before each
/// is fired: its target is fetched, and later, when that has come, the stack that will be switched to.
void prefetch_timer(const timer_event& event) noexcept;
void prefetch_woken(const timer_event& event) noexcept;
/// Whether it would do anything now; false for what has been cancelled.
[[nodiscard]] bool timer_pending(const timer_event& event) noexcept;

struct timer_source {
    /// What belongs to one processor: made and destroyed with it.
    void* (*create)();
    void (*destroy)(void* timers) noexcept;

    /// Adds a timer on `p`, which the caller holds, and publishes the owner's earliest_deadline. Returns the owner: who
    /// forgets it. Throws std::bad_alloc.
    processor& (*add)(processor& p, std::int64_t when, const timer_event& event);
    /// One that `p` owns will never matter again.
    void (*forget)(processor& p) noexcept;
    /// Drops up to `most` of those from in front, so that the earliest deadline is one that matters. Any thread. Returns how
    /// many; fewer than `most`: the earliest one matters, or none is left.
    std::size_t (*drop_forgotten)(processor& p, std::size_t most) noexcept;
    /// Some of what can be given back of `p`'s timers is. Any thread, now and then. Returns how many bytes that were.
    std::size_t (*cool)(processor& p) noexcept;
    /// Fires what is due at `now`, or the earliest part of it; any machine with a processor may do it for any other.
    /// Returns how many.
    std::size_t (*run_due)(processor& p, std::int64_t now) noexcept;
    std::size_t (*count)(processor& p) noexcept;
};

/// What one look into the poller has brought. As many as a busy processor should make ready at once: what has been made ready must
/// still be in the caches when it runs.
struct io_batch {
    static constexpr std::size_t capacity = 64;
    std::array<poll_event, capacity> events;
    std::size_t count = 0;
};

/// Descriptors that somebody waits for. Plugged into scheduler::io by open_io() (sched/poll.hpp).
struct io_source {
    /// Fills `out` with what is ready, or sleeps until something is, until interrupt() or until the time is `until`. The caller
    /// has the poller to itself. It needs no processor.
    void (*wait)(io_batch& out, std::int64_t until) noexcept;
    /// Wakes who waits for that. On a machine; one without a processor makes arrivals of them. Returns how many.
    std::size_t (*deliver)(const io_batch& batch) noexcept;
    /// Ends the wait() that is under way, or else the next one. Any thread.
    void (*interrupt)() noexcept;
    /// Whether wait() would return at once. Any thread; takes nothing.
    bool (*anything_ready)() noexcept;
    /// The scheduler has stopped, and nobody uses the poller any more.
    void (*close)() noexcept;
};

}  // namespace weft::detail
