// A copy of this process that does one thing: what might hang or crash, and must not do either to us.
#pragma once

#include <cstdint>

namespace weft::detail {

/// Runs f(argument) in a copy of the process, which has a copy of the calling thread and no other, on a stack of 1 MiB of its own.
/// Fatal signals end the copy there. True if f has returned 0 within the time; else the copy is killed, or there was none.
/// Allocates nothing, takes no lock and raises no signal here: safe in signal handlers.
///
/// Not by fork(), which runs the program's handlers (pthread_atfork) and takes the allocator's locks. So the copy may find these
/// locked for ever, and whatever it does may hang: hence the time.
[[nodiscard]] bool run_forked(int (*f)(void*), void* argument, std::int64_t limit_ns) noexcept;

}  // namespace weft::detail
