// The report that a process writes when a fatal signal or std::terminate ends it: one, wherever it happens.
//
//     weft: SIGSEGV at 0x0 in coroutine 2 'handler', created at server.cpp:71
//     parse(char const*)
//     	parser.cpp:12 +0x4
//     ...
//
// **One report.** Whoever comes first writes it. Another thread that faults meanwhile waits until it is written. abort() after
// a report says nothing more.
//
// **Nothing that may hang or fail is done here.** The line is formatted by `printer`; the frames are found by an unwinder that
// takes no lock; a copy of the process finds their names (crash_text.hpp). A fault in the middle of it, on a damaged stack say,
// comes back here, and what is known by then is printed.
//
// Afterwards the signal goes to the handler that was there before the runtime, or does what it does by default; and
// std::terminate goes to the terminate handler that was there before.
#pragma once

#include "os/signal.hpp"

#include <cstdint>
#include <exception>

namespace weft::detail {

/// A fault_hook.
void report_fault(const fault& f) noexcept;

/// A fault_hook that looks for stacks that have run over, and leaves all else alone: WEFT_DEBUG=crash=0.
void report_overflow_only(const fault& f) noexcept;

/// Under WEFT_DEBUG=throwstack=1: writes where `e` was thrown, if that is known. The process dies of it, so on split stacks
/// there is no way back into the program.
void write_throw(const std::exception_ptr& e) noexcept;

/// A terminate handler, and the one that has its turn afterwards.
[[noreturn]] void on_terminate() noexcept;
extern std::terminate_handler terminate_before;

}  // namespace weft::detail
