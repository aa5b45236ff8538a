// Signals that are noted and not acted upon: a bit for each, and a descriptor that becomes readable.
#pragma once

#include <cstdint>

namespace weft::detail {

/// Whether a signal may be caught: it is one, can be, and is no fault of a thread's own.
[[nodiscard]] bool can_catch_signal(int signal) noexcept;

/// Opens the descriptor, which becomes readable, as an edge, with each signal that is caught. Returns it, or the negative error. One at a time.
[[nodiscard]] int open_signal_bell() noexcept;
/// No signal is caught any more.
void close_signal_bell() noexcept;

/// From here on `signal` is caught, on whichever thread it comes. Returns 0 or the negative error.
[[nodiscard]] int catch_signal(int signal) noexcept;
/// It does what it did before, unless the program has changed that meanwhile.
void release_signal(int signal) noexcept;

/// Those that were caught since the last call; bit n - 1 is signal n.
[[nodiscard]] std::uint64_t take_caught_signals() noexcept;

}  // namespace weft::detail
