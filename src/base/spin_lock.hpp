// The shortest lock there is, for sections of a few instructions without calls.
#pragma once

#include "base/backoff.hpp"

#include <atomic>

namespace weft::detail {

/// One byte; usable with std::lock_guard. Never held across a switch, nor while user code runs. After
/// unlock() has stored, it does not touch the lock again: whoever takes it next may destroy it.
class spin_lock {
public:
    constexpr spin_lock() noexcept = default;
    spin_lock(const spin_lock&) = delete;
    spin_lock& operator=(const spin_lock&) = delete;

    void lock() noexcept {
        backoff wait;
        while (!try_lock()) {
            do {
                wait.pause();
            } while (locked_.load(std::memory_order_relaxed));
        }
    }

    // acquire / release: what one holder wrote, the next sees.
    bool try_lock() noexcept { return !locked_.exchange(true, std::memory_order_acquire); }
    void unlock() noexcept { locked_.store(false, std::memory_order_release); }

private:
    std::atomic<bool> locked_{false};
};

}  // namespace weft::detail
