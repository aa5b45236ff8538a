// The runtime that programs with split stacks get, as far as the tool knows it: objects, their symbols, the call graph,
// and what sources and a list say beside it.
#pragma once

#include "call_graph.hpp"
#include "stack_facts.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weft::tools {

// What a function of others that is called as it is may take, and a far call's own frame.
inline constexpr std::size_t foreign_depth = 64;

// A call of the program's: the way out, and a preemption at the first call there.
inline constexpr const char* parking = "weft_jump";
inline constexpr const char* program = "weft_call_user";

struct runtime_symbol {
    std::string name;
    bool defined = false;
    bool function = false;
    bool exported = false;
    std::string place;  // The same for aliases, as constructors and destructors have them.
};

struct runtime_object {
    std::string path;
    std::set<std::string> wanted;  // The symbols that others define.
};

class runtime_parts {
public:
    /// Adds an object. Throws std::runtime_error, with the path in front, if it can't be read, or if it comes from a
    /// compiler and has no call graph with it.
    void add(const std::string& path);
    /// Adds what is known of functions of others: lines of src/arch/x86_64/foreign_calls.txt. Throws if there is a line
    /// that says nothing.
    void add_foreign(const std::string& path);
    void read_foreign(std::string_view text);
    /// Works out what the facts mean, when all has been added. Throws if they contradict each other.
    void settle();

    call_graph graph;
    std::vector<runtime_object> objects;
    std::vector<runtime_symbol> symbols;
    std::set<std::string> ours;  // Symbols that are defined.

    std::set<std::string> near, user;            // Of others.
    std::set<std::string> parks, deep, entered;  // Names in the graph.
    std::map<std::string, std::size_t> fits;
    std::map<std::string, std::string> where;  // file:line of what was said of a name.
    std::vector<std::string> notes;            // For people.

private:
    std::map<std::string, std::vector<stack_fact>> facts_;  // By object.
};

/// A name as people write it.
[[nodiscard]] std::string readable(const std::string& name);

}  // namespace weft::tools
