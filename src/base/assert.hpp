// Checks on the runtime itself.
//
//   WEFT_CHECK(e)    in every build: what must hold for the process to be worth continuing
//                    (the kernel refused a page release, a coroutine ran twice).
//   WEFT_ASSERT(e)   in builds with assertions: preconditions and invariants, O(1), no side effects.
//
// A failed check is a bug in weft or a broken contract, never a condition to recover from: it prints
// one line and aborts. Conditions the caller can act on are returned (std::error_code, bool) instead.
#pragma once

#include "base/config.hpp"

namespace weft::detail {

/// Prints `file:line: weft: expression` and aborts. It allocates nothing and takes no lock, so it is
/// safe on a nearly full coroutine stack and inside a signal handler.
[[noreturn, gnu::cold]] void check_failed(const char* file, int line,
                                          const char* expression) noexcept;

/// How much of its death the process has told. A report of SIGABRT, or of std::terminate, does not tell it again.
enum class death_told : int { nothing, reason, all };
void tell_of_death(death_told what) noexcept;
[[nodiscard]] death_told told_of_death() noexcept;

/// Aborts after the reason was printed: what is left for the report of SIGABRT is the stack.
[[noreturn, gnu::cold]] void abort_told() noexcept;

/// What a dying process says beyond the line that failed: which coroutine was running. The scheduler
/// registers it; it must be safe in a signal handler.
using evidence_hook = void (*)() noexcept;
void set_evidence_hook(evidence_hook hook) noexcept;
void print_evidence() noexcept;

}  // namespace weft::detail

#define WEFT_CHECK(expression)                                                                     \
    ((expression) ? static_cast<void>(0)                                                           \
                  : ::weft::detail::check_failed(__FILE__, __LINE__, #expression))

// With assertions off the expression is not evaluated but must still compile: it cannot rot, and a
// variable used only by an assertion raises no warning.
#if WEFT_ASSERTIONS
#define WEFT_ASSERT(expression) WEFT_CHECK(expression)
#else
#define WEFT_ASSERT(expression) static_cast<void>(sizeof((expression) ? 1 : 0))
#endif
