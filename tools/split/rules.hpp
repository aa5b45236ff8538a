// The rules that code with split stacks must keep, held against a linked program. docs/design/stacks.md says why.
#pragma once

#include "elf.hpp"
#include "findings.hpp"

#include <vector>

namespace weft::tools {

/// What is wrong with it. Throws std::runtime_error if there is no telling.
std::vector<finding> find_problems(const elf_file& file);

}  // namespace weft::tools
