// A stack as text, in the shape of Go's: a function on a line, and where it is on the next, behind a tab.
#pragma once

#include "report/symbols.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weft::detail {

/// Appends the frames. Left out is what of weft's own lies within the operation that the
/// program has called, and what calls the coroutine's closure. Where that leaves nothing (the closure's last act was to
/// call the operation, so its own frame is gone) `operation` is shown instead, if it is known.
void append_stack(std::string& text, std::span<const std::uintptr_t> frames, symbols& names,
                  std::string_view operation = {});

/// Writes the frames to stderr. On a large stack.
void print_stack(std::span<const std::uintptr_t> frames) noexcept;

}  // namespace weft::detail
