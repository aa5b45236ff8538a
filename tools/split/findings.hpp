// What the verifier has to say about a program, and what it has been told to say nothing of.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace weft::tools {

enum class problem {
    plain_callee,   // A direct call to a function without a split stack.
    inline_copy,    // The same, and it is a copy of an inline function.
    own_thunk,      // A direct call to a thunk that is not weft's.
    linkage_table,  // A call by way of the procedure linkage table.
    raw_call,       // A call or jump through a pointer that does not go by the thunk.
    tls_call,       // A call of __tls_get_addr.
    computed_goto,  // goto *p by way of the thunk.
    jump_table,     // A switch's jump by way of the thunk.
    unreadable,     // An instruction that the disassembler does not know.
    other_runtime,  // Not weft's __morestack.
    lazy_binding,   // Not linked with -z now.
};

struct finding {
    problem what;
    std::string caller, callee;  // As they are in the symbol table; empty for what has none.

    [[nodiscard]] bool operator<(const finding& other) const {
        return std::tie(what, caller, callee) < std::tie(other.what, other.caller, other.callee);
    }
};

/// Calls that somebody has looked at and answers for. Names are as in the symbol table or as c++filt prints them.
class allowances {
public:
    /// All that is found in `function`, and calls to it.
    void allow(const std::string& function) { functions_.insert(function); }
    /// A file: on each line a function, or `<caller> -> <callee>`. `#` begins a comment.
    void read(const std::string& path);
    /// The same for its text.
    void read(std::istream& in);

    [[nodiscard]] bool covers(const finding& f) const;

private:
    std::set<std::string> functions_;
    std::set<std::pair<std::string, std::string>> edges_;
};

std::string demangle(std::string_view name);

/// Says each of them, and the way out. `subject` is the name of the program.
void report(std::ostream& out, const std::string& subject, const std::vector<finding>& findings);

}  // namespace weft::tools
