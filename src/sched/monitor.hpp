// The thread that watches: it has no processor, and sees to what those that have one can't see themselves.
//
//   a coroutine runs too long               asks it to yield (preempt.hpp)
//   an arrival waits and every one is busy  asks the one that has run longest to make room
//   a thread does not respond               adds a processor for a while (compensate.hpp)
//   a short blocking call is not short      takes the processor back from it (blocking.cpp)
//   a `next` waits while others idle        wakes a machine to take it
//   ten milliseconds are over               counts a turn (turns.hpp), and has who is busy look around
//   a stack is not needed so deep           gives its pages back (trim.hpp)
//   somebody wants to know what goes on     writes it, where a signal handler may not (report/quit.cpp)
//
// How often it looks: 50 us after something that it had to see to, and ever more rarely up to half a millisecond
// while a processor is busy and another idle, to 10 ms otherwise; at the very moment at which something it knows of is
// due. When everything has been idle for a while (0.5 to 100 ms, as it has learned) it sleeps until a processor is taken
// into use, or until the next round of trimming. It is started with the first spawn, or when there are many timers, so
// that a program without coroutines has no such thread.
//
// What it reads of processors and machines is a snapshot, out of date at once: it decides what to *ask for*, and every
// request is harmless when it comes too late. What it changes (a processor taken back, added, taken out of use)
// it changes under idle_lock or by a CAS.
#pragma once

#include "sched/watch.hpp"

#include <cstdint>

namespace weft::detail {

/// Counts its looks: odd during one.
[[nodiscard]] std::uint64_t monitor_looks() noexcept;
/// Whether a look that was under way when `look` was read still is.
[[nodiscard]] bool is_same_look(std::uint64_t look) noexcept;

/// Starts the thread if there is none yet. Any thread that may spawn; not while simulating.
void ensure_monitor() noexcept;
/// Ends it. No coroutine is left, and no foreign thread may spawn.
void stop_monitor() noexcept;
/// Whether there is one, as there is for good once something was spawned.
[[nodiscard]] bool monitor_runs() noexcept;

/// A processor is being taken into use. Under idle_lock.
void rouse_monitor_locked() noexcept;
/// Something was put into `next` beside an idle processor, and so it should be watched.
void rouse_lazy_monitor() noexcept;
/// A timer was added, or an arrival came, and no processor is idle that could see to it.
void tell_monitor_of(std::int64_t deadline) noexcept;

/// The monitor's looks, one after the other. The monitor's thread sleeps in between; a simulation goes on with others.
class monitor_rounds {
public:
    monitor_rounds() { all_.begin_again(); }

    void look();
    /// When to look again, unless somebody calls sooner.
    [[nodiscard]] std::int64_t due() const noexcept { return due_; }
    /// Whether not to look before a processor is taken into use, or until due().
    [[nodiscard]] bool are_over() const noexcept { return over_; }
    /// Makes the next interval short if somebody has roused a lazy monitor. After each sleep.
    void wake() noexcept;
    /// Looks often again. After a sleep that was to last until a processor is taken into use.
    void begin_again() noexcept {
        all_.begin_again();
        over_ = false;
    }

private:
    watch all_;
    std::int64_t due_ = 0;
    bool over_ = false;
};

/// The monitor of a simulation: instead of a thread, somebody who looks when it is due. While there is one, monitor_runs().
class simulated_monitor {
public:
    simulated_monitor() noexcept;
    ~simulated_monitor();
    simulated_monitor(const simulated_monitor&) = delete;
    simulated_monitor& operator=(const simulated_monitor&) = delete;

    [[nodiscard]] std::int64_t due() const noexcept;
    void look();
    /// A processor that was idle is in use.
    void processor_taken() noexcept;

private:
    monitor_rounds rounds_;
    std::uint32_t seen_ = 0;
};

/// Has the monitor call scheduler_hooks::quit, soon. Safe in a signal handler. False: there is no monitor.
[[nodiscard]] bool call_monitor_to_quit() noexcept;

}  // namespace weft::detail
