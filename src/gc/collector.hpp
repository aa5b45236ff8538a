// The collector: when it runs, and what is plugged into the scheduler. cycle.hpp says what a cycle is.
//
// A cycle is the work of one thread, the coordinator, which starts with the first cycle and holds no processor. Where nothing
// runs beside it, under simulate() and without a runtime, whoever wants the cycle does it on the spot.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// Makes the heap and plugs the collector into the scheduler. Idempotent; any thread. False: there is no address space.
[[nodiscard]] bool open_collector() noexcept;

/// Asks for a cycle unless one is under way, and does not wait. Any thread.
void want_cycle() noexcept;

/// A whole cycle that begins after the call; returns when it has ended, and on a coroutine, `with_destructors`, when those of
/// what it found have returned. Throws std::logic_error as gc::collect() does.
void collect_and_wait(bool with_destructors = true);

/// Whether there is a coordinator that asks for answers, or a cycle is done on the spot.
[[nodiscard]] bool collects_on_the_spot() noexcept;

// Around a fork(), which leaves the child without a coordinator: see gc/fork.cpp.
void lock_coordinator() noexcept;
void unlock_coordinator() noexcept;
/// Under the lock.
void forget_coordinator() noexcept;

/// How much is given back to the kernel in one call.
inline constexpr std::size_t scavenge_step = std::size_t{2} << 20;

}  // namespace weft::detail
