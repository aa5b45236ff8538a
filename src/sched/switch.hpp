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

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::detail {

/// Leaves `self` by way of the scheduler stack; also without a processor. Its state is parking; or still running, and then
/// resume_coroutine() goes on with it. park() and
/// yield_current() (park.hpp, and in switch.cpp for the sake of their frames) go straight to the next coroutine
/// where they can.
void switch_to_scheduler(machine& m, coroutine& self) noexcept;

/// Passes by the scheduler stack, where the machine answers the collector (collector.hpp), and goes on at once: no other
/// coroutine runs in between. Its state is running.
void visit_scheduler(machine& m, coroutine& self) noexcept;

/// From the scheduler stack: runs `c` and whatever it hands over to. Returns when somebody comes back here.
/// False: `c` was claimed and did not run.
bool run_coroutine(machine& m, coroutine& c) noexcept;
/// The same for one that has left with its state running.
void resume_coroutine(machine& m, coroutine& c) noexcept;

/// Runs the closure, and sees to what it throws. Returns the join word that it met at the end: none, detached or the
/// address of the joiner's ticket; unless detached, the word is `finishing` now. In run_task.cpp.
[[nodiscard]] std::uintptr_t run_task(coroutine& self) noexcept;
/// The stack of `c`, or if null of a blocking call, has run over: says so, and aborts. `limit` in bytes.
[[noreturn, gnu::cold]] void report_overflow_of(const coroutine* c, std::size_t limit,
                                                std::string_view what) noexcept;
/// There is no memory for a stack: says so, and aborts.
[[noreturn, gnu::cold]] void report_no_stack(const coroutine& c) noexcept;
/// It has run over into its canary.
[[noreturn, gnu::cold]] void report_canary(stack_ref stack) noexcept;

/// Destroys the result, if there is one and nobody has taken it.
void drop_result(coroutine& c) noexcept;
/// The end of a coroutine: tells scope and joiner. `met` is from run_task(). `self` is gone afterwards. In
/// run_task.cpp.
void retire(machine& m, coroutine& self, std::uintptr_t met) noexcept;

}  // namespace weft::detail
