// A short lock that sleeps in the kernel when it has to, with its place in the order of locks checked.
#pragma once

#include "base/assert.hpp"
#include "base/backoff.hpp"
#include "base/config.hpp"
#include "os/futex.hpp"

#include <atomic>
#include <cstdint>

namespace weft::detail {

/// A thread takes locks in rising order of rank. Never held across a switch, nor while user code runs.
enum class lock_rank : std::uint8_t {
    lifecycle = 1,  // Starting and stopping the runtime.
    blocking,       // The threads for blocking calls.
    timer_node,     // One timer of a channel or a function.
    timers,         // One processor's timer heap.
    idle,           // The idle processors and machines.
    global_queue,
    stacks,
    segments,
    pool,
    page_heap,
};

/// Checks the order in builds with assertions.
void lock_taken(lock_rank) noexcept;
void lock_released(lock_rank) noexcept;

/// After Drepper, "Futexes are tricky", mutex 2: 0 free, 1 held, 2 held and somebody may sleep.
class ranked_lock {
public:
    explicit constexpr ranked_lock(lock_rank rank) noexcept : rank_(rank) {}
    ranked_lock(const ranked_lock&) = delete;
    ranked_lock& operator=(const ranked_lock&) = delete;

    void lock() noexcept {
        if constexpr (assertions) lock_taken(rank_);
        std::uint32_t free = 0;
        if (!word_.compare_exchange_strong(free, 1, std::memory_order_acquire)) lock_slow();
    }

    void unlock() noexcept {
        if constexpr (assertions) lock_released(rank_);
        if (word_.exchange(0, std::memory_order_release) == 2) futex_wake(word_);
    }

private:
    void lock_slow() noexcept;

    std::atomic<std::uint32_t> word_{0};
    const lock_rank rank_;
};

}  // namespace weft::detail
