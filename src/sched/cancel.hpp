// Asking a coroutine to stop, and noticing that one was asked.
//
// Cancellation is a level: bits in the attention word, which stay. Every cancellation point looks at them
// before it waits, and whoever sets one wakes the coroutine if it waits where that is allowed.
//
// Edge *cancel*, between a sleeper and whoever cancels it:
//
//       sleeper                                    request_cancel
//   1   word = cancellable                     1   attention |= cancel, by fetch_or
//   2   fence, that of the object's lock           (a fence too)
//   3   read attention                         2   read the sleeper's word; if cancellable, fire it
//
// By the fences at least one side sees the other: no wait that may be cancelled sleeps on. If both do, the ticket lets one of them through.
//   Tested by   tests/sched/cancel_stress.cpp.
#pragma once

#include "sched/coroutine.hpp"

#include <stop_token>

namespace weft::detail {

/// Sets `bit`, wakes the coroutine if it waits cancellably, and tells its stop token. Any thread. The caller
/// keeps the descriptor from serving another coroutine meanwhile (or cancels that one too, as shutdown does).
void request_cancel(coroutine& c, attention bit) noexcept;

/// Calls the callbacks of a stop source that was not asked yet. Under no lock.
void request_stop_of(std::stop_source stop) noexcept;

/// The same without the stop token, whose callbacks are the program's. False: it had been asked already.
bool set_cancelled(coroutine& c, attention bit = attention_cancel) noexcept;

/// Sees to it that `c` stops, if that takes no callbacks of the program's. Returns false if it
/// does: then `stop` has them, to be given to request_stop_of(), after which this is called again.
/// The caller keeps the descriptor, also by a lock.
[[nodiscard]] bool stop_quietly(coroutine& c, std::stop_source& stop) noexcept;

/// Whether a cancellation point of the calling coroutine must throw.
[[nodiscard]] bool cancellation_due(coroutine& self) noexcept;

/// Whether `c` has been asked to stop, or its time is up, as far as anybody has noted it.
[[nodiscard]] inline bool is_asked_to_stop(const coroutine& c) noexcept {
    return (c.attention.load(std::memory_order_relaxed) & attention_requests) != 0;
}

/// Whether a cancellation point may throw here at all: not in no_cancel, nor while an exception unwinds.
[[nodiscard]] bool cancellation_allowed(const coroutine& self) noexcept;

/// Throws `cancelled` if it must.
void cancellation_point_slow(coroutine& self);
inline void cancellation_point(coroutine& self) {
    if (self.attention.load(std::memory_order_relaxed) != 0) [[unlikely]]
        cancellation_point_slow(self);
}

/// Whether the deadline of an enclosing with_timeout has passed; sets attention_deadline if so. In
/// runtime/timeout.cpp.
[[nodiscard]] bool deadline_passed(coroutine& self) noexcept;
/// The earliest deadline of those; `never`.
[[nodiscard]] std::int64_t deadline_of(const coroutine& self) noexcept;

/// Throws `cancelled`, and counts: a coroutine that swallows it a hundred times is reported.
[[noreturn]] void throw_cancelled(coroutine& self);

/// The stop token of the calling coroutine, which stops when that is asked to. Throws std::bad_alloc.
[[nodiscard]] std::stop_token own_stop_token(coroutine& self);

}  // namespace weft::detail
