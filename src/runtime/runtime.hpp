// The composition root: builds every part, plugs the hooks, starts and stops.
#pragma once

#include <weft/runtime.hpp>

#include <cstdint>
#include <exception>
#include <string>

namespace weft::detail {

class simulation;

struct main_run {
    int (*main)(void*) = nullptr;
    void* argument = nullptr;
    call_site where;
    int value = 0;
    std::exception_ptr error;
    bool returned = false;     // main itself is over; what follows is the shutdown.
    bool left_behind = false;  // Coroutines did not end in time.
};

/// Claims the process's one runtime; std::logic_error when it is up or the caller is a coroutine.
void claim_runtime(const char* who);
void release_runtime() noexcept;

/// Runs `run` as the main coroutine of a scheduler that has been started, on the calling thread, until it has
/// returned and the others have ended, or `grace_ns` has passed since.
void run_as_main(machine& here, main_run& run, std::int64_t grace_ns);

/// Cancels every coroutine but `except`, and all that start from now on.
void cancel_all(const coroutine* except) noexcept;

/// Waits until at most `left` coroutines are alive. False: the deadline has passed, or nothing can run.
[[nodiscard]] bool drain(std::uint64_t left, std::int64_t deadline) noexcept;

/// Makes the report, and main's wait throw weft::deadlock. False: it waits where nothing may throw. In
/// deadlock.cpp.
bool fire_deadlock_in_main() noexcept;
[[nodiscard]] std::string deadlock_report();

}  // namespace weft::detail
