// Idle processors and machines: who sleeps, and who wakes them.
//
// A machine without work gives its processor back, checks everything once more, and sleeps. Machines that
// look for work hold a processor and are counted in `spinning`; while one spins, nobody is woken, and the
// last one to find work wakes another. So there are neither too many awake nor too few.
//
// Edge *no lost wakeup*, between whoever queues a coroutine and a machine going idle:
//
//       enqueue                                    go_idle
//   1   push(c)                                1   idle_count += 1, spinning -= 1
//   2   fence(seq_cst)                         2   fence(seq_cst)
//   3   if (idle_count && !spinning) wake_one  3   if (any queue has work) start again
//
// One fence is first in the single order of fences. If it is enqueue's, step 3 of go_idle sees c; otherwise
// step 3 of enqueue sees the counts. Release and acquire would not do: each side stores to one place and
// loads from another, and both loads may run ahead of both stores. On x86 too.
//   Tested by   tests/sched/idle_stress.cpp.
//
// `next` is exempt. A coroutine in the `next` slot usually runs within the microsecond, where its data is
// warm; waking a machine for each would cost more than it brings. The monitor looks at it, at least every millisecond
// while a processor is busy and another idle, and wakes a machine for what still sits there.
//
// The *keeper* is the sleeping machine that wakes by itself, for the earliest timer of all processors. Invariant: if a
// processor is idle and a timer is pending, some machine is the keeper with wakes_at no later than that timer, or
// is spinning, or the monitor looks within half a millisecond. wake_one() therefore takes the keeper last, and when
// it must, wakes another machine to take the place if a processor is left for it. A keeper that finds many timers
// due runs what they woke and names no successor: mostly it is back before one would be awake, and when it is not
// the monitor sees to it.
#pragma once

#include "sched/machine.hpp"
#include "sched/processor.hpp"

namespace weft::detail {

/// Wakes a machine to look for work, if a processor is idle (`preferred`, if that is) and nobody looks already. Any thread that has a
/// processor or a foreign_visit.
void wake_one(processor* preferred = nullptr) noexcept;

/// The same after `c` has been queued on `p`, with the fence of *no lost wakeup*. `surplus`: more than `next`.
void wake_for(processor& p, bool surplus) noexcept;

/// Gives processor and scheduler stack a rest. False: stopping. True: m has a processor again.
[[nodiscard]] bool go_idle(machine& m) noexcept;

/// Whether the calling machine, which holds a processor and runs nothing, is all that is awake, with nothing
/// queued and no timer pending: then nothing of ours will ever run again.
[[nodiscard]] bool nothing_else_left() noexcept;

/// Sleeps without a processor until one is assigned. False: stopping.
[[nodiscard]] bool sleep_machine(machine& m) noexcept;

/// Sleeps until the coroutine locked to this machine is ready. False: stopping.
[[nodiscard]] bool sleep_locked(machine& m) noexcept;

/// Gives `m`'s processor to the idle ones; wakes somebody for what is queued on it.
void release_processor(machine& m) noexcept;
/// The same for a processor that nobody holds any more; the caller has its queues to itself.
void offer_processor(processor& p) noexcept;

/// Steps `blocking_calls` down on a thread that will queue nothing for it: if that was all that kept a standstill from
/// being looked into, somebody looks.
void end_call() noexcept;

/// An idle processor. Null when there is none.
[[nodiscard]] processor* take_idle_processor() noexcept;

/// The earliest timer of all processors; `never`.
[[nodiscard]] std::int64_t earliest_timer() noexcept;
/// Whether timers share wake-ups: there are many, or the program has asked for it by options.timer_slack.
[[nodiscard]] bool timers_share() noexcept;
/// When a machine that sleeps for the timer of `earliest` should wake: not before that, and not while those that share
/// wake-ups are still to be collected.
[[nodiscard]] std::int64_t wake_up_for(std::int64_t earliest) noexcept;

// Processors that come and go (compensate.cpp).

/// Puts `p`, which nobody uses, to use, with a machine that looks for work. It is in active_count already.
void start_processor(processor& p) noexcept;
/// Takes `p` out of use again if it is idle and has nothing queued.
[[nodiscard]] bool stop_idle_processor(processor& p) noexcept;
/// Takes `m`'s processor out of use, its queues being empty.
processor& stop_held_processor(machine& m) noexcept;

/// Hands processor and coroutine to the machine that the coroutine is locked to.
void give_to_locked(machine& from, machine& to, coroutine& c) noexcept;

/// No longer looking for work. Wakes the next one if it was the last.
void stop_spinning(machine& m) noexcept;

/// The scheduler stack looks for work between two coroutines, and sleeps while there is none. Null: stopping.
[[nodiscard]] coroutine* find_work(machine& m) noexcept;
/// Its one look at all queues. Null: there is nothing.
[[nodiscard]] coroutine* look_for_work(machine& m) noexcept;

/// Before another coroutine runs on `p`: timers that were added since the last time may need a keeper, or the monitor.
void keep_timers(processor& p) noexcept;

/// A new thread for `p`; it starts spinning, and the caller has counted it. In machine.cpp.
void start_machine(processor& p) noexcept;

/// Whether `m`'s thread may be joined: it has been started, as far as others know. Under idle_lock.
[[nodiscard]] bool is_listed_locked(const machine& m) noexcept;
/// `m`, which belongs to nothing any more, is none of the runtime's machines from here on; its thread is about to end. Not
/// so once the runtime stops, which joins it as one of them.
void unlist(machine& m) noexcept;

/// There is no thread for `p`, which was to be spun for: it is idle again. False: then nobody would be at work.
[[nodiscard]] bool give_back_unstarted(processor& p) noexcept;

/// Sets `stopping` and wakes every machine to see it.
void wake_all_to_stop() noexcept;

/// Fires the timers of `p` that are due. Returns how many.
std::size_t run_timers(processor& p) noexcept;

}  // namespace weft::detail
