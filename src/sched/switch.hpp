// Going from one coroutine to the next.
//
// Control passes symmetrically where the next coroutine is at hand, in the processor's own queues: one jump.
// Otherwise through the machine's scheduler stack, where there is room to look further.
//
// What travels with a coroutine beyond its registers: the C++ runtime's exception state and errno. Both are
// saved and loaded *before* the jump, through pointers that the machine keeps, so that nothing but
// finish_switch() happens behind it, and the first thing there is reading which machine this now is.
#pragma once

#include "sched/coroutine.hpp"
#include "sched/machine.hpp"

namespace weft::detail {

/// Leaves `self`, whose state is parking, for whatever is next. Returns when it runs again, maybe on another
/// machine.
void switch_away(machine& m, coroutine& self) noexcept;

/// The same by way of the scheduler stack; also without a processor.
void switch_to_scheduler(machine& m, coroutine& self) noexcept;

/// From the scheduler stack: runs `c` and whatever it hands over to. Returns when somebody comes back here.
/// False: `c` was claimed and did not run.
bool run_coroutine(machine& m, coroutine& c) noexcept;

/// The next coroutine out of the processor's own queues, or null when a look further is due. It still
/// has to be entered.
[[nodiscard]] coroutine* pick_local(machine& m, processor& p) noexcept;

/// Runs the closure, and sees to what it throws. In run_task.cpp.
void run_task(coroutine& self) noexcept;
/// The end of a coroutine: tells scope and joiner. `self` is gone afterwards. In run_task.cpp.
void retire(machine& m, coroutine& self) noexcept;

}  // namespace weft::detail
