// A stack as text, in the shape of Go's: a function on a line, and where it is on the next, behind a tab.
#pragma once

#include "report/symbols.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weft::detail {

/// Appends the frames, each line behind `indent`. What is weft's own, from the operation that the program has called
/// inwards and below the coroutine's closure, is left out, unless there is nothing else.
void append_stack(std::string& text, std::span<const std::uintptr_t> frames, symbols& names,
                  std::string_view indent);

}  // namespace weft::detail
