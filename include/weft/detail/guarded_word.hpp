// The word of a synchronisation object: its state, and a lock over the list of those who wait for it.
//
//     word    [ state : 62 | waiters : 1 | guard : 1 ]        (a mutex has two more flags)
//
// Invariants
//   - While `guard` is set the word belongs to whoever set it, and so does the list. Fast paths are CASes from a word
//     without it, and therefore fail meanwhile.
//   - Without `guard`, `waiters` says whether the list has anybody in it.
//
// Giving the guard back is one store that also changes the state. So what releases an object to its next user, who
// may destroy it, is the releaser's last access: std::mutex may be used so, and latches and semaphores are here.
//
// Ordering. Taking the guard is an acquire, giving it back a release; fast paths have the order of what they are.
#pragma once

#include <weft/version.hpp>

#include <atomic>
#include <cstdint>

namespace weft::detail {

class guarded_word {
public:
    using value = std::uint64_t;
    static constexpr value guard = 1;
    static constexpr value waiters = 2;

    constexpr explicit guarded_word(value initial = 0) noexcept : word_(initial) {}
    guarded_word(const guarded_word&) = delete;
    guarded_word& operator=(const guarded_word&) = delete;

    [[nodiscard]] value load(std::memory_order order = std::memory_order_relaxed) const noexcept {
        return word_.load(order);
    }
    /// `expected` must be without guard.
    [[nodiscard]] bool change(value& expected, value desired, std::memory_order order) noexcept {
        return word_.compare_exchange_strong(expected, desired, order, std::memory_order_relaxed);
    }

    /// Takes the guard; returns the word without it. For a few instructions without calls.
    [[nodiscard]] value enter() noexcept;
    /// Gives it back. Nothing of the object may be touched behind this.
    void leave(value now) noexcept { word_.store(now, std::memory_order_release); }

private:
    std::atomic<value> word_;
};

}  // namespace weft::detail
