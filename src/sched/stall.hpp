// WEFT_DEBUG=stall=ms: a line for each coroutine that holds up its processor.
#pragma once

#include <cstdint>

namespace weft::detail {

struct watched;

/// Says so, once, when the coroutine that `w` is about has blocked its thread for the time that was asked for, or has run
/// for a second without a safepoint. The monitor only.
void report_stall(watched& w, std::int64_t now) noexcept;

/// How many were found, reported or not.
[[nodiscard]] std::uint64_t stalls() noexcept;
void reset_stalls() noexcept;

}  // namespace weft::detail
