// Where an operation of a synchronisation object looks up: what every one of them begins with.
#pragma once

#include <weft/detail/thread_block.hpp>

#include <atomic>
#include <cstdint>

namespace weft::detail {

/// Not 0: no operation may take its fast path. While there is a simulation each is a scheduling point, and where weft
/// was built with assertions each is checked. One word that hardly ever changes, so that to look costs next to nothing
/// and headers need not know how the library was built.
extern std::atomic<std::uint32_t> detours;
enum detour : std::uint32_t { detour_simulated = 1, detour_checked = 2 };

/// Whether something keeps an operation from its fast path: a detour, or a request to yield.
[[nodiscard, gnu::always_inline]] inline bool
must_look_up(const thread_block& here = *this_thread_block()) noexcept {
    return (here.preempt.load(std::memory_order_relaxed) |
            detours.load(std::memory_order_relaxed)) != 0;
}

/// Yields if asked to; a scheduling point when simulating. std::logic_error on a foreign thread while there is a
/// simulation, which must not be touched from outside.
void look_up();
/// The same where nothing may be thrown. False: on such a thread; the operation is to have no effect.
[[nodiscard]] bool look_up_quietly() noexcept;
/// look_up(), and then `cancelled` if that is due.
void look_up_cancellably();

/// The beginning of an operation that is no cancellation point.
[[gnu::always_inline]] inline void operation_point() {
    if (must_look_up()) [[unlikely]]
        look_up();
}

/// The beginning of one that is, whether it has to wait or not.
[[gnu::always_inline]] inline void cancellable_operation_point() {
    const thread_block& here = *this_thread_block();
    const auto attention = here.attention.load(std::memory_order_relaxed);
    if (must_look_up(here) || attention->load(std::memory_order_relaxed) != 0) [[unlikely]]
        look_up_cancellably();
}

/// Who runs here, a coroutine or a thread of its own, as a number that no other one has at the same time. Its last four
/// bits are 0. Inside blocking() it is the thread.
using agent = std::uintptr_t;
[[nodiscard, gnu::always_inline]] inline agent
this_agent(const thread_block& here = *this_thread_block()) noexcept {
    const coroutine* const c = here.current.load(std::memory_order_relaxed);
    return c != nullptr ? reinterpret_cast<agent>(c) : reinterpret_cast<agent>(&here);
}

}  // namespace weft::detail
