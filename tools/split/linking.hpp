// Being g++'s -wrapper: it starts the linker for it, and says whether it has made a program.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace weft::tools {

/// Whether the command is a linker. g++ has itself wrapped in whatever it starts.
bool is_linker(const std::string& command);

/// What the linker that g++ has started writes.
std::string linker_output();

/// A sentence that says why this link can't make a program with split stacks, whatever is in it; empty if it can. It
/// asks the linker for its name, because `-fuse-ld`, `-B` and the system decide together which one that is.
std::string refusal(std::span<char*> command);

/// The name of a linker other than GNU ld that says so in the text, which is its version, or what it left in a program;
/// empty if none does.
std::string foreign_linker(std::string_view text);

}  // namespace weft::tools
