// WEFT_DEBUG=stall=ms: a line for each place whose coroutines hold up their processors, with the stack of the first.
#pragma once

#include <cstdint>

namespace weft::detail {

struct watched;

/// Says so, once for each place where such coroutines were created and wait, when the coroutine that `w` is about has blocked its thread for the time that was asked for, or has run
/// for a second without a safepoint. The monitor only.
void report_stall(watched& w, std::int64_t now) noexcept;

/// Says that every coroutine waits, and which threads there are that may help; again when it is another number of them.
void report_all_wait() noexcept;

/// How many were found, reported or not.
[[nodiscard]] std::uint64_t stalls() noexcept;
void reset_stalls() noexcept;

}  // namespace weft::detail
