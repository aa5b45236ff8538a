// Reading the stacks of coroutines.
//
// A coroutine's stack belongs to whoever runs it. Three read it:
//   its own thread      when it answers the collector: between two instructions, for all that the collector knows
//   who enters it       before it runs, if nobody has read it in this round
//   the collector       while it is parked, without stopping anybody: optimistically
//
// The stamp says in which round a stack was read last. The optimistic reader changes it from whatever it is to
// round|reading, reads, and changes it to round. If the second change fails, somebody has entered the coroutine meanwhile, and
// has read the stack himself, because he found another stamp than the round; what the optimistic reader saw is then as good as
// nothing, but no harm, because each word is checked before it is taken for a pointer. Who leaves a stack during a round lists
// the coroutine and stamps it `listed` before its state says that it is parked, so that the next round reads it again.
//
//       the collector                          who enters
//   1   stamp: s -> round|reading, by CAS   1   state = running
//   2   read                                2   if (stamp != round) { read; publish; stamp = round }
//   3   stamp: round|reading -> round
//
// docs/internals/models/scan_model.py tries every order of these steps. It finds the lost object at once when those who leave are
// not listed.
//
// What the optimistic reader reads may be in use again as something else, but it stays mapped: reserved stacks and
// segments always do while a runtime is up, and what does not (huge segments, memory of alloca, large closures) is given
// back only after the cycle (free_unread, keep_huge). Each address that comes out of such memory is used only if the stamp
// still says `reading` behind the load, as in a sequence lock.
//   Tested by   tests/gc/stacks_test.cpp, tests/gc/torture.cpp.
#pragma once

#include "gc/mark/marker.hpp"
#include "gc/mutator.hpp"
#include "sched/coroutine.hpp"

#include <cstdint>

namespace weft::detail {

enum class stack_reading : std::uint8_t {
    done,     // By us or by somebody else.
    too_soon  // It is on its way in or out; come again.
};

/// The collector reads the stack and frame of `c` for `round`, unless that has been done. Any state. What it finds is grey then.
/// `all_stand`: no coroutine is on a CPU, so those that are running have left their stacks as well.
[[nodiscard]] stack_reading read_from_outside(coroutine& c, std::uint8_t round, marker& into,
                                              bool all_stand = false) noexcept;

/// Reads those of `c`, which nobody else can enter or leave meanwhile: it runs here, or is about to. Its newest stack is in use
/// from `sp` on. The white ones among what it finds are noted in `m`. Returns false if it was interrupted on its way to another
/// stack, and not all could be read.
[[nodiscard]] bool read_own_stack(gc_mutator& m, coroutine& c, const void* sp) noexcept;

}  // namespace weft::detail
