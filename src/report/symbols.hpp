// Names and lines for addresses of code.
//
// By libbacktrace, where the build has found it (g++ brings it along): the symbol tables of the program and its
// libraries, and their debug information. Otherwise by the dynamic linker, which knows exported functions only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::detail {

/// One function at an address. Functions that were inlined there have one each.
struct code_line {
    std::string function;  // Demangled; empty when unknown.
    std::string file;      // Empty when unknown.
    unsigned line = 0;
    bool internal = false;  // weft's own, below its interface.
    bool hidden = false;    // How a stack goes on elsewhere: nothing that anybody called.
    bool entry = false;     // What the closure of a coroutine is called by.
    bool wrapper = false;   // What a closure may have been inlined into.
};

/// The symbol of the function as it was compiled: without what is added for a part that is hardly ever run (.cold), and where
/// there is a stub in front (.body).
[[nodiscard]] std::string_view without_suffixes(std::string_view symbol) noexcept;

/// Sets what is said above of the function of that symbol.
void classify(code_line& line, std::string_view mangled) noexcept;

struct code_place {
    std::vector<code_line> lines;  // At least one; innermost first, the function itself last.
    std::uintptr_t offset = 0;     // Into the function; 0 when unknown.
    std::string module;            // Of the last line, when that has no file: "path:0xaddress".
};

/// Remembers what it has looked up. One thread at a time.
class symbols {
public:
    /// Of the call that returns to `frame`.
    [[nodiscard]] const code_place& at(std::uintptr_t frame);

private:
    std::unordered_map<std::uintptr_t, code_place> known_;
};

/// For a process that dies: what is known of the code at `address`, innermost first, without a memory of it and without
/// allocating. `whole` is the symbol of the function itself, and comes last if there is one; the strings stay.
struct raw_line {
    const char* function = nullptr;
    const char* file = nullptr;
    int line = 0;
    bool whole = false;
    std::uintptr_t start = 0;  // Of the whole function.
};
using raw_line_visitor = void (*)(void* into, const raw_line& line);
void visit_raw_lines(std::uintptr_t address, raw_line_visitor each, void* into) noexcept;

/// The name as it was written; as it is when it is none that the compiler has mangled.
[[nodiscard]] std::string demangled(const char* name);

/// The same without a string: null when the compiler has mangled no such name. It is never given back.
[[nodiscard]] const char* demangled_for_good(const char* name) noexcept;

}  // namespace weft::detail
