// What the runtime says on stderr when something has gone wrong, or when it was asked to.
#pragma once

#include <cstdint>

namespace weft::detail {

struct coroutine;

/// An exception left `c` and nobody will see it: the report, and std::terminate.
[[noreturn]] void report_uncaught(coroutine& c) noexcept;

/// Says in one line that the program has a sanitizer that this weft was not built for, if that is so. Once.
void warn_of_sanitizers() noexcept;

/// Has fatal signals, std::terminate and failed checks reported (report/crash.hpp), as WEFT_DEBUG=crash says, and no more. The
/// scheduler is started before, and stopped after.
void install_crash_reports() noexcept;
void remove_crash_reports() noexcept;

/// Who is running, behind a failed check.
void report_current() noexcept;

/// Those left when stopping has waited long enough, with what keeps each.
void report_left(const coroutine* except, std::int64_t waited_ns);

/// scheduler_hooks::deadlock under run().
bool handle_deadlock() noexcept;

/// WEFT_DEBUG=schedtrace: a line of counters every so often, from a thread of its own.
void start_schedtrace();
void stop_schedtrace() noexcept;
/// 1 while that thread is there.
[[nodiscard]] unsigned schedtrace_threads() noexcept;

}  // namespace weft::detail
