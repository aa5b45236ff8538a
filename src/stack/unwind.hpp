// The frames on a stack: of a context that does not run, and of the caller.
//
// By the call frame information that every program carries for its exceptions (.eh_frame), read by the compiler's own
// unwinder. That needs neither frame pointers nor debug information, allocates nothing, and with glibc 2.35 or later
// takes no lock. For a context that does not run the unwinder is made to believe that it was
// called from there; see arch/x86_64/unwind.S and docs/design/dump.md.
//
// A frame is the address of the instruction to go on at. The call is before it: look up `frame - 1`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

class stack_store;
struct thread_place;
struct segment;

/// Where the frames of a suspended context may lie: on a reserved stack, and on others of these that it was called from;
/// or on the segments of a split one.
struct stack_space {
    const stack_store& stacks;
    const segment* newest = nullptr;
    std::uintptr_t thread_low = 0;   // Or on a thread's own, from here
    std::uintptr_t thread_high = 0;  // up to there.

    [[nodiscard]] bool holds(std::uintptr_t address) const noexcept;
};

/// Puts the frames of a suspended context into `frames`, innermost first, and returns how many. Whoever asks keeps the
/// context suspended meanwhile. 0 when it can't be read.
std::size_t unwind_parked(const void* context, const stack_space& space,
                          std::span<std::uintptr_t> frames) noexcept;

/// The same of a thread that waits in the kernel, as far as frames are found by its stack pointer alone. It may go on
/// meanwhile: then the frames are of no use, but nothing is read that is not a stack.
std::size_t unwind_blocked(const thread_place& at, const stack_space& space,
                           std::span<std::uintptr_t> frames) noexcept;

/// The caller's own, beginning with the caller.
std::size_t unwind_here(std::span<std::uintptr_t> frames) noexcept;

/// Whether the function that begins at `function` is among the 64 innermost callers.
bool is_called_by(const void* function) noexcept;

/// The innermost frames of a stack, and the outermost ones, with those in between counted only.
struct stack_ends {
    std::array<std::uintptr_t, 64> first;
    std::array<std::uintptr_t, 16> last;  // A ring.
    std::size_t count = 0;

    /// Frames that are kept: those of `first`, and then those of `last` in order.
    [[nodiscard]] std::size_t kept() const noexcept;
    [[nodiscard]] std::size_t left_out() const noexcept { return count - kept(); }
    [[nodiscard]] std::uintptr_t frame(std::size_t i) const noexcept;
};

/// The caller's own frames, or in a signal handler those of what it has interrupted. Written as they are found: after a fault
/// in the middle of a damaged stack `ends` holds what was seen before. A walk of more than `frames_walked_max` frames stops
/// there, because a runaway recursion may have filled a gigabyte with them.
inline constexpr std::size_t frames_walked_max = 2'000'000;
void unwind_ends_here(stack_ends& ends) noexcept;
void unwind_ends_interrupted(stack_ends& ends) noexcept;

/// Whether the unwinder knows a function at an address.
[[nodiscard]] bool knows_function_at(std::uintptr_t address) noexcept;

/// In a signal handler: those of what it has interrupted.
std::size_t unwind_interrupted(std::span<std::uintptr_t> frames) noexcept;

}  // namespace weft::detail
