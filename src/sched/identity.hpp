// A coroutine in words: which one it is, and where it was created.
#pragma once

#include "base/print.hpp"
#include "sched/coroutine.hpp"

namespace weft::detail {

/// coroutine 7 'parser'
void print_coroutine(printer& out, const coroutine& c) noexcept;

/// The same where the lock of the name may be held by code that does not go on, as in a handler of a signal or for a debugger:
/// tries for it, and then reads the name without. The name may be torn.
void print_coroutine_at_once(printer& out, const coroutine& c) noexcept;

/// created at parser.cpp:12
void print_origin(printer& out, const call_site& where) noexcept;

}  // namespace weft::detail
