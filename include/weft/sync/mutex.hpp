// Mutual exclusion: mutex, timed_mutex, recursive_mutex, recursive_timed_mutex.
//
// They are those of std, for coroutines and foreign threads mixed; use them with std::lock_guard, std::unique_lock
// and std::scoped_lock. Who has to wait parks, and its thread runs others. To lock is no cancellation point, as in
// POSIX; lock_or_cancel() is one. They may be built at any time, also before a runtime is up.
#pragma once

#include <weft/clock.hpp>
#include <weft/detail/guarded_word.hpp>
#include <weft/detail/operation.hpp>
#include <weft/detail/timed.hpp>
#include <weft/detail/wait_list.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weft::detail {

struct mutex_waiter;  // src/sync/mutex_waiter.hpp

/// What all of them are made of: 16 bytes. See src/sync/mutex.cpp.
//
//     word    [ the owner's agent : 60 | starving : 1 | woken : 1 | waiters : 1 | guard : 1 ]
class mutex_core {
public:
    using word = guarded_word::value;
    /// Somebody is awake to take it: unlocking need not wake another.
    static constexpr word woken = 4;
    /// It is handed over to whoever has waited longest.
    static constexpr word starving = 8;
    static constexpr word flags = 15;

    constexpr mutex_core() noexcept = default;

    [[gnu::always_inline]] void lock() {
        const thread_block& here = *this_thread_block();
        word free = 0;
        if (must_look_up(here) || !word_.change(free, this_agent(here), std::memory_order_acquire))
            [[unlikely]] {
            lock_slow();
        }
    }
    [[gnu::always_inline]] bool try_lock() {
        const thread_block& here = *this_thread_block();
        word free = 0;
        if (must_look_up(here)) [[unlikely]]
            return try_lock_slow();
        if (word_.change(free, this_agent(here), std::memory_order_acquire)) return true;
        return (free & ~flags) == 0 && try_lock_slow();
    }
    [[gnu::always_inline]] void unlock() noexcept {
        // Expecting ourselves, not what is in the word: to load that first would hold up the compare-and-swap by half a
        // nanosecond. And who has not locked it comes to the slow path, too.
        word self = this_agent();
        if (simulation_is_on() || !word_.change(self, 0, std::memory_order_release)) [[unlikely]]
            unlock_slow();
    }
    void lock_or_cancel();
    [[nodiscard]] bool try_lock_until(clock::time_point deadline);

    /// For call_once: the same as lock() but for what is said about it.
    void lock_once();

    /// Whether the caller has it locked.
    [[nodiscard]] bool mine() const noexcept { return owner() == this_agent(); }
    /// Returns the agent that has it locked; 0 if it is free. Any thread: the answer may be out of date at once.
    [[nodiscard]] agent owner() const noexcept { return word_.load() & ~flags; }

    // For condition variables: no scheduling point, and for one who was woken. -------------------------
    void unlock_quietly() noexcept;
    // NOLINTNEXTLINE(bugprone-exception-escape): see mutex.cpp.
    void relock(mutex_waiter& me) noexcept;
    /// Makes a waiter that has been claimed wait for the mutex instead, or wakes it if it need not.
    void adopt(mutex_waiter& claimed) noexcept;

private:
    struct wish;

    void lock_slow();
    bool try_lock_slow();
    void unlock_slow() noexcept;
    bool lock_as(const wish& what);
    bool contend(mutex_waiter& me, const wish& what);
    [[nodiscard]] bool queue_up(mutex_waiter& me, bool& has_woken, std::int64_t now) noexcept;
    void leave_queue(mutex_waiter& me) noexcept;
    void give_up_woken() noexcept;
    [[nodiscard]] mutex_waiter* pop_heir() noexcept;

    guarded_word word_;
    wait_list queue_;
};

}  // namespace weft::detail

namespace weft {

class condition_variable;

/// std::mutex. To lock it twice is a std::logic_error.
class mutex {
public:
    constexpr mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    void lock() { core_.lock(); }
    [[nodiscard]] bool try_lock() { return core_.try_lock(); }
    void unlock() noexcept { core_.unlock(); }

    /// A cancellation point, also when the mutex is free.
    void lock_or_cancel() { core_.lock_or_cancel(); }

private:
    friend class condition_variable;
    detail::mutex_core core_;
};

/// std::timed_mutex.
class timed_mutex {
public:
    constexpr timed_mutex() noexcept = default;
    timed_mutex(const timed_mutex&) = delete;
    timed_mutex& operator=(const timed_mutex&) = delete;

    void lock() { core_.lock(); }
    [[nodiscard]] bool try_lock() { return core_.try_lock(); }
    void unlock() noexcept { core_.unlock(); }
    void lock_or_cancel() { core_.lock_or_cancel(); }

    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& d) {
        return core_.try_lock() || detail::attempt_for(d, [this](clock::time_point until) {
                   return core_.try_lock_until(until);
               });
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when) {
        return core_.try_lock() || detail::attempt_until(when, [this](clock::time_point until) {
                   return core_.try_lock_until(until);
               });
    }

private:
    detail::mutex_core core_;
};

namespace detail {

/// How often its owner has locked it, besides.
class recursive_core {
public:
    constexpr recursive_core() noexcept = default;

    void lock() {
        if (!again()) core_.lock();
    }
    void lock_or_cancel() {
        if (core_.mine()) {
            cancellable_operation_point();
            (void)again();
        } else {
            core_.lock_or_cancel();
        }
    }
    bool try_lock() { return again() || core_.try_lock(); }
    bool try_lock_until(clock::time_point deadline) {
        return again() || core_.try_lock_until(deadline);
    }
    void unlock() noexcept {
        if (depth_ != 0 && core_.mine()) {
            --depth_;
        } else {
            core_.unlock();
        }
    }

private:
    bool again() {
        if (!core_.mine()) return false;
        operation_point();
        if (depth_ == UINT32_MAX) throw_too_deep();
        ++depth_;
        return true;
    }
    [[noreturn]] static void throw_too_deep();

    mutex_core core_;
    std::uint32_t depth_ = 0;  // The owner's.
};

}  // namespace detail

/// std::recursive_mutex.
class recursive_mutex {
public:
    constexpr recursive_mutex() noexcept = default;
    recursive_mutex(const recursive_mutex&) = delete;
    recursive_mutex& operator=(const recursive_mutex&) = delete;

    void lock() { core_.lock(); }
    [[nodiscard]] bool try_lock() { return core_.try_lock(); }
    void unlock() noexcept { core_.unlock(); }
    void lock_or_cancel() { core_.lock_or_cancel(); }

private:
    detail::recursive_core core_;
};

/// std::recursive_timed_mutex.
class recursive_timed_mutex {
public:
    constexpr recursive_timed_mutex() noexcept = default;
    recursive_timed_mutex(const recursive_timed_mutex&) = delete;
    recursive_timed_mutex& operator=(const recursive_timed_mutex&) = delete;

    void lock() { core_.lock(); }
    [[nodiscard]] bool try_lock() { return core_.try_lock(); }
    void unlock() noexcept { core_.unlock(); }
    void lock_or_cancel() { core_.lock_or_cancel(); }

    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& d) {
        return core_.try_lock() || detail::attempt_for(d, [this](clock::time_point until) {
                   return core_.try_lock_until(until);
               });
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when) {
        return core_.try_lock() || detail::attempt_until(when, [this](clock::time_point until) {
                   return core_.try_lock_until(until);
               });
    }

private:
    detail::recursive_core core_;
};

}  // namespace weft
