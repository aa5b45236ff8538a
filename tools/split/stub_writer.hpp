// The assembly in front of the runtime: a stub for each way in and each way out. How they get there is in
// src/arch/x86_64/enter.S.
#pragma once

#include <cstddef>
#include <set>
#include <sstream>
#include <string>

namespace weft::tools {

enum class way_in {
    here,  // by its greatest depth in the call graph, which is known
    far,   // on the scheduler stack, because it neither parks nor calls the program
    room,  // it gets a large segment when there is not enough left
};

class stub_writer {
public:
    stub_writer();

    /// A function that the program calls: it gets the name <name>.body, and a stub has its old one.
    void entry(const std::string& name, way_in how, std::size_t need, bool from_inside);
    /// A function of others that the runtime calls by way of far.<name> or user.<name>.
    void outward(const std::string& name, bool may_call_program);
    /// A function of the runtime that its other objects call by way of far.<name>.
    void deep(const std::string& name);
    /// The class of the segments that coroutines begin with, as data: the runtime reads it.
    void first_class(unsigned size_class);

    [[nodiscard]] std::string assembly() const;
    /// Lines for objcopy --redefine-syms: a name, and the one that it gets.
    [[nodiscard]] std::string renames() const { return renames_.str(); }

private:
    void begin(const std::string& name);
    void end(const std::string& name);

    std::ostringstream assembly_, renames_;
    std::set<std::string> entered_;
};

[[nodiscard]] const char* name_of(way_in how);

}  // namespace weft::tools
