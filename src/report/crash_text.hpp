// The stack of a process that dies, as text on stderr: in the shape of dumps (stack_text.hpp), and made without relying on
// anything that the death may have left half done.
//
// Names and lines need the debug information, which libbacktrace reads, and the demangler, which allocates. Either may wait
// for a lock that the thread which died holds, and either may read what the program has overwritten. So a copy of
// the process makes the text (os/forked.hpp), and has some seconds for it. When it fails, a second copy does it without
// demangling, which is all that allocates; when that fails too, the addresses are printed here, each with its file and the
// address in it, from /proc/self/maps. See docs/design/crash.md.
#pragma once

#include "stack/unwind.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::detail {

struct stack_style {
    /// Show so many frames of the program's at the inner and the outer end. 0: all that are kept.
    std::size_t inner = 0;
    std::size_t outer = 0;
    /// Leave out all down to the function with the first of these symbols that is near the inner end: how abort() comes to the
    /// signal, say.
    std::array<std::string_view, 3> after = {};
    /// Leave out weft's own frames at the inner end.
    bool hide_inner = false;
};

/// Safe in signal handlers.
void write_stack(const stack_ends& stack, const stack_style& style) noexcept;

/// The same as a function for tests: the last resort only, addresses.
void write_raw_stack(const stack_ends& stack, const stack_style& style) noexcept;

}  // namespace weft::detail
