#include "findings.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <istream>
#include <memory>
#include <ostream>
#include <stdexcept>

#include <cxxabi.h>

namespace weft::tools {
namespace {

constexpr std::size_t shown_of_a_kind = 20;

struct explanation {
    const char* before;  // Between the name of the program and the caller.
    const char* between;
    const char* after;
    const char* fix;
};

explanation explain(problem what) {
    switch (what) {
    case problem::plain_callee:
        return {
            "", " calls ", " directly, and that is not compiled for split stacks",
            "compile it for them (weft::split_stack), or call it through a pointer, which makes "
            "room for it.\n"
            "If it is in another file than the caller, that one is compiled without -fno-plt, or "
            "without\n"
            "-mindirect-branch=thunk-extern; if it is marked no_split_stack, take the mark away."};
    case problem::inline_copy:
        return {"", " calls ",
                " directly, and the linker has taken the copy of that inline function\n"
                "    from an object that is not compiled for split stacks",
                "put the objects that are compiled for split stacks first on the link line, or "
                "compile that object\n"
                "for them as well (weft::split_stack)."};
    case problem::own_thunk:
        return {
            "", " calls ", ", which is not weft's",
            "compile it with -mindirect-branch=thunk-extern, not with -mindirect-branch=thunk."};
    case problem::linkage_table:
        return {"", " calls ", " by way of the procedure linkage table, on the stack it has",
                "compile the caller with -fno-plt, as weft::split_stack does."};
    case problem::raw_call:
        return {"", " calls or jumps to ", " on the stack it has",
                "compile the caller with -mindirect-branch=thunk-extern "
                "-mindirect-branch-register, as\n"
                "weft::split_stack does."};
    case problem::tls_call:
        return {"", " calls ", " for a thread_local variable, on the stack it has",
                "compile the caller with -ftls-model=initial-exec."};
    case problem::computed_goto:
        return {"", " has a computed goto (goto *p) that goes by ", ", which would call the label",
                "mark the function __attribute__((indirect_branch(\"keep\"))); calls through "
                "pointers belong\n"
                "in another function then. If it is a switch, compile it without -fjump-tables."};
    case problem::jump_table:
        return {"", " has a switch that goes by ", ", which would call the case",
                "compile it without -fjump-tables."};
    case problem::unreadable:
        return {"", " has an instruction that can't be read", "",
                "if it is assembly, allow it by name when it is known to be right."};
    case problem::other_runtime:
        return {"there are functions with split stacks (", "), and ", " is not weft's",
                "link weft::split_stack (weft_split.o), ahead of libgcc."};
    case problem::lazy_binding:
        return {
            "functions are bound when they are first called, which takes more stack than there is",
            "", "", "link with -Wl,-z,now, as weft::split_stack does."};
    }
    return {"", "", "", ""};
}

std::string indented(const std::string& text) {
    std::string result;
    for (const char c : text) {
        result += c;
        if (c == '\n') result += "         ";
    }
    return result;
}

}  // namespace

std::string demangle(std::string_view name) {
    const std::string mangled(name);
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(
        abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free);
    return mangled.starts_with("_Z") && status == 0 ? std::string(text.get()) : mangled;
}

void allowances::read(const std::string& path) {
    std::ifstream in(path);
    if (!in) throw std::runtime_error("can't read " + path);
    read(in);
}

void allowances::read(std::istream& in) {
    const auto trimmed = [](const std::string& text) {
        const std::size_t begin = text.find_first_not_of(" \t\r");
        if (begin == std::string::npos) return std::string();
        return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
    };
    for (std::string line; std::getline(in, line);) {
        line = trimmed(line.substr(0, line.find('#')));
        if (line.empty()) continue;
        // A name may have an arrow in it: operator->.
        const std::size_t arrow = line.find(" -> ");
        if (arrow == std::string::npos) {
            functions_.insert(line);
        } else {
            edges_.emplace(trimmed(line.substr(0, arrow)), trimmed(line.substr(arrow + 4)));
        }
    }
}

bool allowances::covers(const finding& f) const {
    if (functions_.empty() && edges_.empty()) return false;
    const std::string caller = demangle(f.caller);
    const std::string callee = demangle(f.callee);
    for (const std::string& from : {f.caller, caller}) {
        for (const std::string& to : {f.callee, callee}) {
            if (edges_.contains({from, to})) return true;
        }
    }
    return functions_.contains(f.caller) || functions_.contains(caller) ||
           functions_.contains(f.callee) || functions_.contains(callee);
}

void report(std::ostream& out, const std::string& subject, const std::vector<finding>& findings) {
    std::map<problem, std::size_t> count;
    for (const finding& f : findings) {
        if (count[f.what]++ >= shown_of_a_kind) continue;
        const explanation e = explain(f.what);
        out << subject << ": " << e.before << demangle(f.caller) << e.between << demangle(f.callee)
            << e.after << ".\n    fix: " << indented(e.fix) << "\n";
    }
    for (const auto& [what, n] : count) {
        if (n <= shown_of_a_kind) continue;
        const auto first = std::find_if(findings.begin(), findings.end(),
                                        [what = what](const finding& f) { return f.what == what; });
        out << subject << ": and " << n - shown_of_a_kind << " more like that of "
            << demangle(first->caller) << ".\n";
    }
}

}  // namespace weft::tools
