// The environment's say: WEFT_PROCS and friends, and the WEFT_DEBUG list.
//
//   WEFT_DEBUG=name=value,name=value,...
//
// One table (environ.cpp) names every variable and every key of the list with its range. Whatever is
// not in it, or is out of range, gives one line on stderr that names it, and the default is used.
// WEFT_STRESS_* belongs to the tests and is left alone.
#pragma once

#include <cstdint>

namespace weft::detail {

struct environment {
    // Variables. 0: not set.
    unsigned processors = 0;      // WEFT_PROCS
    bool has_gc_percent = false;  // WEFT_GC_PERCENT
    int gc_percent = 0;
    std::uint64_t memory_limit = 0;  // WEFT_MEMORY_LIMIT, bytes
    bool has_timer_slack = false;    // WEFT_TIMER_SLACK
    std::int64_t timer_slack_ns = 0;

    // WEFT_DEBUG.
    std::uint64_t schedtrace_ms = 0;  // schedtrace=ms: a line of counters every so often
    std::uint64_t stall_ms = 0;       // stall=ms[ms]: report what looks stuck
    bool guard_canary = false;        // guard=canary: as if the kernel had no light guards
    std::uint64_t steal_seed = 0;     // stealseed=n: seeds the choice of victims
    bool crash = true;                // crash=0: leave fatal signals and std::terminate alone
    bool sigquit = true;              // sigquit=0: leave SIGQUIT alone
    bool sigquit_always = false;      // sigquit=1: take it also where it is ignored
    bool dump_full = false;           // dump=full: a block for each coroutine
    bool gc_trace = false;            // gctrace=1: a line for each collection
    bool gc_poison = false;           // gcpoison=1: what was collected is overwritten
    bool throw_stack = false;         // throwstack=1: keep the stack of throws that end a coroutine
    bool unclaimed = true;            // unclaimed=0: no line about exceptions that nobody takes
};

/// Reads the process's environment and prints a line for each fault in it.
[[nodiscard]] environment read_environment() noexcept;

/// The same for a given environment, as `environ` holds one: for tests.
[[nodiscard]] environment read_environment(const char* const* variables) noexcept;

}  // namespace weft::detail
