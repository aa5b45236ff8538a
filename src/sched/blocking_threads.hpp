// The threads that run declared blocking calls.
//
// Started as calls find none free. At most options.max_blocking calls are under way at a time, those in place included;
// further ones wait in line, and a thread that has finished one takes the next from there without sleeping. A thread
// that has been without a call for some seconds ends.
#pragma once

#include "sched/coroutine.hpp"
#include "sched/sleeper.hpp"

namespace weft {
namespace detail {

struct blocking_site;

/// One call. On the stack of the coroutine that waits for it, and gone when the ticket has been fired.
struct blocking_call {
    void (*f)(void*) =
        nullptr;  // Null: no more than a place is wanted, for a call that the caller runs itself.
    void* argument = nullptr;
    blocking_site* site = nullptr;
    ticket caller;
    // The program's view of itself, which f sees and may change.
    exception_globals exceptions;
    int error_number = 0;
    blocking_call* link = nullptr;
};

/// Has it run, and its ticket fired behind it. False: there is no thread for it and none can be started.
[[nodiscard]] bool submit_blocking(blocking_call& call) noexcept;

/// A place for a call that the caller will run itself. False: it would have to wait in line.
[[nodiscard]] bool begin_call_in_place() noexcept;
/// Waits in line for it. In a coroutine.
void wait_for_call_in_place();
void end_call_in_place() noexcept;

struct blocking_counts {
    unsigned under_way = 0;
    std::size_t in_line = 0;  // They wait for one of those to end.
    std::uint64_t ended = 0;  // Since the process began.
};
[[nodiscard]] blocking_counts count_blocking() noexcept;

/// Ends the threads. No call is under way.
void stop_blocking_threads() noexcept;

/// Runs the call's function and notes how long it took.
void run_timed(blocking_site& site, void (*f)(void*), void* argument) noexcept;

}  // namespace detail
}  // namespace weft
