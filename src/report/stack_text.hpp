// A stack as text, in the shape of Go's: a function on a line, and where it is on the next, behind a tab.
#pragma once

#include "report/symbols.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weft::detail {

/// Appends the frames. Left out is what of weft's own lies within the operation that the
/// program has called, and what calls the coroutine's closure.
void append_stack(std::string& text, std::span<const std::uintptr_t> frames, symbols& names);

}  // namespace weft::detail
