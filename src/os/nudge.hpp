// Interrupting a thread of ours wherever it is, for a moment: SIGURG, as Go does it, because the kernel ignores it by
// default, and who uses out-of-band data reads it by other means.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

/// Where a thread was when it was interrupted. Valid in the hook only.
struct interrupted {
    std::uintptr_t pc = 0;
    std::uintptr_t sp = 0;
    /// How far below `sp` the interrupted function may have data.
    static constexpr std::size_t red_zone = 128;
    std::span<const std::byte> registers;  // General ones,
    std::span<const std::byte> vectors;  // and those of the floating-point unit and its extensions.
};

/// Runs in a signal handler, on the thread's alternate stack if it has one. errno is kept for it.
using nudge_hook = void (*)(const interrupted&) noexcept;

/// Installs the handler, or installs it again if the program has replaced it since. A handler of the program's is still
/// called for signals that are not ours. System calls that were interrupted are restarted where the kernel can.
void install_nudges(nudge_hook hook) noexcept;
/// Restores what was there, unless somebody has replaced our handler meanwhile.
void remove_nudges() noexcept;

/// Lets nudges reach the calling thread. Returns whether it had blocked them.
[[nodiscard]] bool unblock_nudges() noexcept;
void block_nudges() noexcept;

/// Interrupts a thread of this process, which must not have ended. A thread that blocks the signal is interrupted when it
/// no longer does.
void nudge(int thread_id) noexcept;

}  // namespace weft::detail
