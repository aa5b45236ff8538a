// The shortest lock there is, for sections of a few instructions without calls. Public because channels and
// synchronisation objects, whose layout and fast paths are in headers, have one.
#pragma once

#include <weft/version.hpp>

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
        if (!try_lock()) [[unlikely]]
            lock_slow();
    }

    // acquire / release: what one holder wrote, the next sees.
    bool try_lock() noexcept { return !locked_.exchange(true, std::memory_order_acquire); }
    void unlock() noexcept { locked_.store(false, std::memory_order_release); }

private:
    /// Spins, then gives the CPU to whoever may hold it.
    void lock_slow() noexcept;

    std::atomic<bool> locked_{false};
};

}  // namespace weft::detail
