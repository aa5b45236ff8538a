// Facts that the runtime's sources state about their functions (src/base/stack_facts.hpp), as objects carry them.
#pragma once

#include "elf.hpp"

#include <string>
#include <vector>

namespace weft::tools {

struct stack_fact {
    std::string kind;
    std::string argument;
    std::string where;     // file:line of the statement
    std::string function;  // The symbol of the function that it stands in.
};

/// The facts in an object. Throws std::runtime_error if they are damaged, or one stands in no function.
[[nodiscard]] std::vector<stack_fact> stack_facts_in(const elf_file& object);

}  // namespace weft::tools
