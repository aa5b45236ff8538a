// The coroutines that run destructors and cleanups, one after the other, while some are due.
//
// One is enough as long as it gets on. If a destructor has run for 10 ms, and others wait, the coordinator starts another
// coroutine, so one that parks holds up no others. They are never cancelled. Once the runtime stops no more can be
// started, and what is due stays undone, as with all objects that live at that time.
#pragma once

#include "sched/sleeper.hpp"

#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct coroutine;

/// Who waits until so many have been run as were due when a cycle ended; lies in its frame.
struct destructor_waiter {
    ticket who;
    std::uint64_t target = 0;
    destructor_waiter* next = nullptr;
};

/// A cycle has found `count` more that are due: sees that they are run. Where coroutines can be spawned.
void run_due(std::size_t count) noexcept;

/// The lock of all that, around a fork().
void lock_destroyers() noexcept;
void unlock_destroyers() noexcept;

/// Whether all that are due now have returned; if not, `waiter` is fired when they have.
[[nodiscard]] bool all_have_returned(destructor_waiter& waiter) noexcept;

/// Whether `c` is such a coroutine: it can't wait for itself.
[[nodiscard]] bool is_destroyer(const coroutine* c) noexcept;

/// The coordinator: starts another where that is needed, names one that takes long. Returns when to look again; `never`.
[[nodiscard]] std::int64_t look_after_destroyers() noexcept;

/// The runtime has stopped; in a simulation some may have been abandoned.
void forget_destroyers() noexcept;

}  // namespace weft::detail
