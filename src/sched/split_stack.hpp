// Split stacks, as the scheduler sees them: giving a coroutine its first segment, growing, shrinking, and preempting
// it where it calls something.
//
// The assembly that calls these is linked only into programs with split stacks (the target weft::split_stack); in all
// others no coroutine has one.
#pragma once

#include "arch/calls.hpp"
#include "arch/x86_64/offsets.h"
#include "sched/coroutine.hpp"
#include "stack/segment.hpp"

#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct machine;
struct processor;

/// The code (coroutine::stack_code) of a split stack whose first segment has at least `bytes`.
[[nodiscard]] unsigned split_stack_code_for(std::size_t bytes) noexcept;

/// A first segment for the coroutine; null when memory ends. By the machine that is about to run it.
[[nodiscard]] segment* take_first_segment(machine& m, const coroutine& c) noexcept;
/// Returns true if the segment of a coroutine that has ended is what take_first_segment() would choose for `c`, and makes it
/// `c`'s then.
[[nodiscard]] bool inherit_first_segment(segment& s, const coroutine& c) noexcept;
/// Takes it back, and with it what an unwinder has left behind. Also without a processor.
void give_first_segment(machine& m, segment& s) noexcept;

/// The end of the segment was written, by the calling coroutine: says so, and aborts.
[[noreturn, gnu::cold]] void report_canary(const segment& s) noexcept;
inline void check_segment(const segment& s) noexcept {
    if (!s.canary_intact()) report_canary(s);
}

/// A coroutine has ended on it: the next one may get it as it is.
void end_first_segment(segment& s) noexcept;

/// Gives every segment the processor keeps to the pool.
void empty_segment_cache(processor& p) noexcept;

/// What a machine's thread block needs, in programs with split stacks. The machine itself, at the beginning and at the end of its thread.
void prepare_for_split_stacks(machine& m, const void* frame) noexcept;
void forget_split_stacks(machine& m) noexcept;

}  // namespace weft::detail
