// One who waits for a mutex, or on a condition with a mutex.
#pragma once

#include <weft/detail/operation.hpp>

#include "sync/waiter.hpp"

#include <cstdint>

namespace weft::detail {

/// What a waiter has been woken for. Written by whoever has claimed it.
enum class mutex_turn : std::uint8_t {
    none,
    competes,  // It has the mutex's `woken`, and is to try again.
    owns,      // The mutex was handed over to it.
};

struct mutex_waiter : waiter {
    explicit mutex_waiter(agent a) noexcept : self(a) {}

    const agent self;
    std::int64_t since = 0;  // When it began to wait for the mutex; 0: not yet.
    std::uint32_t lost = 0;  // How often it was woken, and somebody else was quicker.
    bool claimed = false;    // Its wait has been ended already: a condition was notified.
    mutex_turn turn = mutex_turn::none;
};

}  // namespace weft::detail
