// Names of files as a terminal may see them.
#pragma once

#include <string>
#include <string_view>

namespace treehash {

/// `name` with control characters, backslashes and bytes that are not UTF-8 written as escapes (\n, \\,
/// \xff), so that it stays on one line, does nothing to the terminal, and can be told from any other.
std::string printable(std::string_view name);

}  // namespace treehash
