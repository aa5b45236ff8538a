// Where an operation of a synchronisation object looks up: what every one of them begins with.
#pragma once

#include <weft/detail/thread_block.hpp>

#include <atomic>
#include <cstdint>

namespace weft::detail {

/// Not 0 while there is a simulation: then every operation takes its slow path, where it is a scheduling point. A word
/// that hardly ever changes, so that to look costs next to nothing.
extern std::atomic<std::uint32_t> simulation_detour;
[[nodiscard, gnu::always_inline]] inline bool simulation_is_on() noexcept {
    return look(simulation_detour) != 0;
}

/// Whether an operation has to look up: because of a simulation, or a request to yield.
[[nodiscard, gnu::always_inline]] inline bool
must_look_up(const thread_block& here = *this_thread_block()) noexcept {
    return (requests_of(here) | look(simulation_detour)) != 0;
}

/// Yields if asked to; a scheduling point when simulating. std::logic_error on a foreign thread while there is a
/// simulation, which must not be touched from outside.
void look_up();
/// look_up(), and then `cancelled` if that is due.
void look_up_cancellably();
/// The check on foreign threads alone.
void refuse_outside_simulation();

/// The beginning of an operation that is no cancellation point.
[[gnu::always_inline]] inline void operation_point() {
    if (must_look_up()) [[unlikely]]
        look_up();
}

/// The beginning of one that is, whether it has to wait or not.
[[gnu::always_inline]] inline void cancellable_operation_point() {
    const thread_block& here = *this_thread_block();
    if (must_look_up(here) || look(*look(here.attention)) != 0) [[unlikely]]
        look_up_cancellably();
}

/// Who runs here, a coroutine or a thread of its own, as a number that no other one has at the same time. Its last four
/// bits are 0. Inside blocking() it is the thread.
using agent = std::uintptr_t;
[[nodiscard, gnu::always_inline]] inline agent
this_agent(const thread_block& here = *this_thread_block()) noexcept {
    const coroutine* const c = look(here.current);
    return c != nullptr ? reinterpret_cast<agent>(c) : reinterpret_cast<agent>(&here);
}

}  // namespace weft::detail
