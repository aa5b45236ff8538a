// The frames on a stack: of a context that does not run, and of the caller.
//
// By the call frame information that every program carries for its exceptions (.eh_frame), read by the compiler's own
// unwinder. That needs neither frame pointers nor debug information, allocates nothing, and with glibc 2.35 or later
// takes no lock. For a context that does not run the unwinder is made to believe that it was
// called from there; see arch/x86_64/unwind.S and docs/design/dump.md.
//
// A frame is the address of the instruction to go on at. The call is before it: look up `frame - 1`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

class stack_store;
struct segment;

/// Where the frames of a suspended context may lie: on a reserved stack, and on others of these that it was called from;
/// or on the segments of a split one.
struct stack_space {
    const stack_store& stacks;
    const segment* newest = nullptr;

    [[nodiscard]] bool holds(std::uintptr_t address) const noexcept;
};

/// Puts the frames of a suspended context into `frames`, innermost first, and returns how many. Whoever asks keeps the
/// context suspended meanwhile. 0 when it can't be read.
std::size_t unwind_parked(const void* context, const stack_space& space,
                          std::span<std::uintptr_t> frames) noexcept;

/// The caller's own, beginning with the caller.
std::size_t unwind_here(std::span<std::uintptr_t> frames) noexcept;

/// In a signal handler: those of what it has interrupted.
std::size_t unwind_interrupted(std::span<std::uintptr_t> frames) noexcept;

}  // namespace weft::detail
