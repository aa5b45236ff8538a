// Processors that are added while a thread does not respond.
//
// A coroutine that blocks its thread without saying so (a std::mutex, a read from a pipe), or that computes without a
// safepoint, keeps its processor. Others may wait for just that processor: those in its queues, at one
// processor everybody, and the holder of the lock it spins on. So when it has not yielded 10 ms after it was asked
// to, the monitor looks at its thread:
//   sleeping                                       it is blocked: add a processor
//   running, and has had 10 ms of CPU time since   a loop: add one
//   running, but the CPU was not its own           the system is loaded, nothing is wrong: do nothing
// (A still clock alone was wrong in 52 of 200 samples under load.) The *substitute* first fires the timers of the
// processor that it stands in for and takes the sticky coroutines of its machine, oldest first; then it steals like any
// other. As often as it looks around it helps the stuck processor again, and if that is a substitute too, the one that it
// stands in for, and so on; and it fires timers for all that do not look at theirs. It is taken out of use when the machine
// responds, at its next dispatch.
//
// Invariants (under idle_lock)
//   - active_count counts the processors in use, substitutes included; those out of use are on the spare list, are
//     neither idle nor held, and have empty queues. Nor have they timers: those that are set on a substitute belong to a
//     processor that stays.
//   - While none is in use, nothing of them is left on the paths of the others: nobody looks at timers for them, and
//     the bias of the only processor (bias.hpp) is back.
//   - At most options.max_compensation substitutes are in use. (Not fewer for loops: four of them on two processors
//     would hold those two and two substitutes, and everybody else would wait for the first of them to end.)
#pragma once

#include <cstdint>

namespace weft::detail {

struct machine;
struct processor;
struct watched;

/// Adds a processor for `p`, whose machine has not responded, if its thread is stuck. The monitor only.
bool compensate(processor& p, watched& w);

/// Takes the sticky coroutines of the machine that a substitute stands in for, unless it has responded meanwhile, to the
/// calling machine's processor.
void free_sticky_of_stuck(const processor& substitute, processor& to) noexcept;

/// Takes the machine's processor, a substitute that is not needed any more, out of use. It has none afterwards.
void retire_substitute(machine& m) noexcept;

/// How many were ever added, how many sticky coroutines went on elsewhere, and how many substitutes there are now: one is
/// counted until nothing of it is left.
struct compensation_counts {
    std::uint64_t added = 0;
    std::uint64_t unstuck = 0;
    unsigned in_use = 0;
};
[[nodiscard]] compensation_counts compensations() noexcept;

/// Whether one was refused because as many are in use as may be, and none has come back since.
[[nodiscard]] bool compensation_used_up() noexcept;

/// For the next runtime.
void reset_compensation() noexcept;

}  // namespace weft::detail
