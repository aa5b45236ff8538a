// Exceptions that nobody has taken, in words.
#pragma once

#include "sched/unclaimed.hpp"

#include <string>

namespace weft::detail {

class printer;

/// Prints "coroutine 2 'worker' ended by std::runtime_error: disk full, not joined yet; created at main.cpp:7". Without
/// `demangle` the type has the compiler's name for it, and nothing is allocated.
void print_unclaimed(printer& out, const unclaimed_end& what, bool demangle = true) noexcept;

/// Appends a line for each, twenty at most.
void append_unclaimed(std::string& text);

/// scheduler_hooks::unclaimed: says it on stderr.
void say_unclaimed(const unclaimed_end& what) noexcept;

}  // namespace weft::detail
