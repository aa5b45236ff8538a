// One writer or many readers: std::shared_mutex and std::shared_timed_mutex in one.
#pragma once

#include <weft/clock.hpp>
#include <weft/detail/guarded_word.hpp>
#include <weft/detail/operation.hpp>
#include <weft/detail/timed.hpp>
#include <weft/detail/wait_list.hpp>

#include <atomic>
#include <chrono>

namespace weft::detail {

struct shared_waiter;
class wake_chain;

/// See src/sync/shared_mutex.cpp.
//
//     word    [ readers : 61 | writer : 1 | waiters : 1 | guard : 1 ]
class shared_mutex_core {
public:
    constexpr shared_mutex_core() noexcept = default;

    void lock() {
        if (!try_lock()) [[unlikely]]
            lock_slow(true);
    }
    bool try_lock() {
        operation_point();
        word free = 0;
        if (!word_.change(free, writer, std::memory_order_acquire)) return false;
        owner_.store(this_agent(), std::memory_order_relaxed);
        return true;
    }
    void unlock() noexcept {
        if (simulation_is_on() || owner_.load(std::memory_order_relaxed) != this_agent())
            [[unlikely]] {
            unlock_checked();
            return;
        }
        word mine = writer;
        owner_.store(0, std::memory_order_relaxed);
        if (!word_.change(mine, 0, std::memory_order_release)) [[unlikely]]
            unlock_slow();
    }

    void lock_shared() {
        if (!try_lock_shared()) [[unlikely]]
            lock_slow(false);
    }
    bool try_lock_shared() {
        operation_point();
        word w = word_.load();
        while ((w & (writer | guarded_word::waiters | guarded_word::guard)) == 0) {
            if (word_.change(w, w + reader, std::memory_order_acquire)) return true;
        }
        // Not for want of a moment's patience: while somebody is in there it is not known what is free.
        return (w & guarded_word::guard) != 0 && try_lock_shared_slow();
    }
    void unlock_shared() noexcept {
        if (simulation_is_on()) [[unlikely]] {
            unlock_shared_simulated();
            return;
        }
        unlock_shared_quietly();
    }

    void lock_or_cancel(bool exclusive);
    [[nodiscard]] bool lock_until(bool exclusive, clock::time_point deadline);

    /// Return the agent that has it locked exclusively, or 0, and how many share it. Any thread: the answers may be out
    /// of date at once.
    [[nodiscard]] agent writer_agent() const noexcept {
        return owner_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t reader_count() const noexcept { return word_.load() / reader; }

private:
    using word = guarded_word::value;
    struct wish;
    static constexpr word writer = 4;
    static constexpr word reader = 8;

    void unlock_shared_quietly() noexcept {
        word w = word_.load();
        while ((w & guarded_word::guard) == 0 && w >= reader &&
               ((w & guarded_word::waiters) == 0 || w >= 2 * reader)) {
            if (word_.change(w, w - reader, std::memory_order_release)) return;
        }
        unlock_shared_slow();
    }

    void lock_slow(bool exclusive);
    bool try_lock_shared_slow() noexcept;
    void unlock_slow() noexcept;
    void unlock_checked() noexcept;
    void unlock_shared_slow() noexcept;
    void unlock_shared_simulated() noexcept;
    bool lock_as(const wish& what);
    void leave_queue(shared_waiter& me) noexcept;
    [[nodiscard]] word serve(word now, wake_chain& woken) noexcept;

    guarded_word word_;
    wait_list queue_;
    std::atomic<agent> owner_{0};  // The writer; for what it may do wrong.
};

}  // namespace weft::detail

namespace weft {

/// For std::unique_lock, std::shared_lock and so on. Whoever comes while others wait queues up behind them, readers
/// too, so that neither side starves: a reader that locks it twice may then wait for a writer that waits for it.
/// To lock is no cancellation point; lock_or_cancel() and lock_shared_or_cancel() are.
class shared_mutex {
public:
    constexpr shared_mutex() noexcept = default;
    shared_mutex(const shared_mutex&) = delete;
    shared_mutex& operator=(const shared_mutex&) = delete;

    void lock() { core_.lock(); }
    [[nodiscard]] bool try_lock() { return core_.try_lock(); }
    void unlock() noexcept { core_.unlock(); }
    void lock_or_cancel() { core_.lock_or_cancel(true); }

    void lock_shared() { core_.lock_shared(); }
    [[nodiscard]] bool try_lock_shared() { return core_.try_lock_shared(); }
    void unlock_shared() noexcept { core_.unlock_shared(); }
    void lock_shared_or_cancel() { core_.lock_or_cancel(false); }

    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& d) {
        return core_.try_lock() || detail::attempt_for(d, [this](clock::time_point until) {
                   return core_.lock_until(true, until);
               });
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when) {
        return core_.try_lock() || detail::attempt_until(when, [this](clock::time_point until) {
                   return core_.lock_until(true, until);
               });
    }
    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& d) {
        return core_.try_lock_shared() || detail::attempt_for(d, [this](clock::time_point until) {
                   return core_.lock_until(false, until);
               });
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& when) {
        return core_.try_lock_shared() ||
               detail::attempt_until(when, [this](clock::time_point until) {
                   return core_.lock_until(false, until);
               });
    }

private:
    detail::shared_mutex_core core_;
};

using shared_timed_mutex = shared_mutex;

}  // namespace weft
