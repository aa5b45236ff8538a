// Other programs, run to their end.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace weft::tools {

/// Becomes the command. Returns only when that fails.
void become(std::span<char*> command);
/// Runs it and waits; what it returned, 127 when it could not be started, or 128 and the signal that ended it.
int run(std::span<char*> command);
int run(const std::vector<std::string>& command);
/// What it writes to its standard output, with nothing shown of its errors; empty if it fails.
std::string output_of(const std::vector<std::string>& command);

}  // namespace weft::tools
