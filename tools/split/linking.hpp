// Being g++'s -wrapper: it starts the linker for it, and says whether it has made a program.
#pragma once

#include <span>
#include <string>

namespace weft::tools {

/// Whether the command is a linker. g++ has itself wrapped in whatever it starts.
bool is_linker(const std::string& command);

/// Becomes that command. Returns if there is no such command.
void become(std::span<char*> command);

/// Runs the command. Its exit status, as a shell has it.
int run(std::span<char*> command);

/// What the linker that g++ has started writes.
std::string linker_output();

}  // namespace weft::tools
