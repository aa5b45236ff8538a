// When somebody looks into the poller, and who.
//
// The poller is a source of arrivals beside the timers. As long as some processor is idle the *keeper* sleeps in it (idle.hpp), so
// that what becomes ready costs one wake-up of a thread, and nothing else looks. Otherwise processors look by time: one of them each
// 50 us, when it looks around or has nothing to run. A look costs 0.2 us when nothing is there. By dispatches, which may take
// 15 ns, it would cost a fifth of the time.
//
// Invariant: while the poller is open and a processor is idle, some machine sleeps in it, or is spinning, or has just come out of it
// with events, or the monitor looks within half a millisecond (watch.cpp). For coroutines that compute, the monitor asks the one that
// has run longest to make room, as for a timer.
//
// One at a time: `io_taken`. Otherwise a busy processor could take the event by which a waker interrupts the keeper. The keeper looks
// at its note once it has the poller to itself, so this way it is safe (and while it waits for the poller, because another keeper may
// sleep in it by then):
//
//       waker                              busy processor            keeper
//   1   note = 1                       1   take the poller       1   take the poller
//   2   interrupt                      2   wait: takes the bell  2   note is 1: does not sleep
//                                      3   give it back
//
// Either the busy processor took the bell before the keeper took the poller, so the keeper sees the note (the bell carries it to the
// busy processor, and `io_taken` on to the keeper); or the bell still rings and ends the keeper's wait.
//   Tested by   tests/io/poll_stress.cpp.
#pragma once

#include "sched/work_source.hpp"

#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct machine;
struct processor;

/// From here on the scheduler looks into `source`. Once a runtime, by any thread with a processor or a foreign_visit.
void open_io(const io_source& source) noexcept;

/// The calling machine looks, without sleeping, and wakes who waits for what is there. Returns how many. `p` is its processor.
std::size_t poll_now(processor& p) noexcept;
/// The same if the last look was some time ago, by any processor.
std::size_t poll_if_due(processor& p, std::int64_t now) noexcept;

/// The keeper's sleep, until `until` or until it is interrupted.
void sleep_in_poller(machine& m, io_batch& out, std::int64_t until) noexcept;
/// Wakes who waits for that, ahead of the others if there are any. The machine may be without a processor.
void deliver_events(machine& m, const io_batch& batch) noexcept;

/// A wait for something outside of the process begins or ends: as long as one is under way nothing is a deadlock.
/// Of a coroutine that runs here, or of a thread.
void begin_outside_wait() noexcept;
void end_outside_wait() noexcept;
/// Exact under idle_lock while all processors are idle.
[[nodiscard]] bool waits_outside() noexcept;

/// Something of an upper layer's that a runtime uses only now and then, and that has to be ended with it.
struct stop_hook {
    void (*stop)() noexcept;
    bool is_listed = false;
    stop_hook* next = nullptr;
};
/// It is called once when this runtime stops. Any thread with a processor or a foreign_visit.
void call_at_stop(stop_hook& hook) noexcept;
/// Calls them, and closes what open_io() opened. The scheduler has stopped.
void run_stop_hooks() noexcept;

}  // namespace weft::detail
