// condition_variable: std::condition_variable and std::condition_variable_any in one.
#pragma once

#include <weft/clock.hpp>
#include <weft/detail/operation.hpp>
#include <weft/detail/spin_lock.hpp>
#include <weft/detail/timed.hpp>
#include <weft/detail/wait_list.hpp>
#include <weft/sync/mutex.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace weft::detail {

class sleeper;
struct condition_waiter;
struct ticket;

/// Ends the waits of one who waits with a stop token. Its callback wakes and nothing else: see src/sync/condition.cpp.
class condition_stop {
public:
    explicit condition_stop(std::stop_token token);
    ~condition_stop();
    condition_stop(const condition_stop&) = delete;
    condition_stop& operator=(const condition_stop&) = delete;

    [[nodiscard]] bool requested() const noexcept { return token_.stop_requested(); }

    /// From now on the callback ends the wait of `t`. False: a stop has been requested.
    [[nodiscard]] bool arm(const ticket& t) noexcept;

private:
    struct waker {
        condition_stop& stop;
        void operator()() const noexcept { stop.wake(); }
    };
    void wake() noexcept;

    spin_lock lock_;
    sleeper* who_ = nullptr;  // A ticket, under the lock.
    std::uint64_t word_ = 0;
    std::stop_token token_;
    std::optional<std::stop_callback<waker>> callback_;
};

/// A lock that is not our mutex.
struct any_lock {
    void* lock;
    void (*unlock)(void*);
    void (*relock)(void*);
};

/// See src/sync/condition.cpp.
class condition_core {
public:
    constexpr condition_core() noexcept = default;
    ~condition_core() { see_off(); }
    condition_core(const condition_core&) = delete;
    condition_core& operator=(const condition_core&) = delete;

    // Relaxed: who is to be woken for sure has unlocked behind its entry, and the caller has locked behind that. Nobody
    // is preempted here, for the lock may be held.
    void notify(bool all) noexcept {
        if (simulation_is_on() || inside_.load(std::memory_order_relaxed) != 0) notify_slow(all);
    }

    /// With the mutex locked, before and behind it. False: the time was up.
    [[nodiscard]] bool wait(mutex_core& mutex, clock::time_point deadline, condition_stop* stop);
    [[nodiscard]] bool wait(const any_lock& lock, clock::time_point deadline, condition_stop* stop);

private:
    void notify_slow(bool all) noexcept;
    void leave(condition_waiter& me) noexcept;
    void see_off() noexcept;

    spin_lock guard_;
    std::atomic<std::uint32_t> inside_{
        0};  // Those who have yet to touch it. Changed under the guard.
    wait_list queue_;
};

}  // namespace weft::detail

namespace weft {

/// For std::unique_lock<weft::mutex>, and for every other lock that has lock() and unlock(). To wait is a cancellation
/// point, also when the predicate holds already: it throws `cancelled` with the lock held. A wait may end without reason, as with std; give it a predicate.
/// With a weft::mutex those who are notified wait for the mutex in its own queue, and get up one at a time.
class condition_variable {
public:
    constexpr condition_variable() noexcept = default;
    condition_variable(const condition_variable&) = delete;
    condition_variable& operator=(const condition_variable&) = delete;
    /// Everybody has been notified; they need not have returned.
    ~condition_variable() = default;

    void notify_one() noexcept { core_.notify(false); }
    void notify_all() noexcept { core_.notify(true); }

    template <class Lock>
    void wait(Lock& lock) {
        (void)wait_with(lock, detail::no_deadline, nullptr);
    }
    template <class Lock, class Predicate>
    void wait(Lock& lock, Predicate done) {
        detail::cancellable_operation_point();
        while (!done()) wait(lock);
    }

    template <class Lock, class Clock, class Duration>
    std::cv_status wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& when) {
        return wait_with_clock(lock, when, nullptr);
    }
    template <class Lock, class Clock, class Duration, class Predicate>
    bool wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& when,
                    Predicate done) {
        detail::cancellable_operation_point();
        while (!done()) {
            if (wait_until(lock, when) == std::cv_status::timeout) return done();
        }
        return true;
    }
    template <class Lock, class Rep, class Period>
    std::cv_status wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& d) {
        return wait_until(lock, detail::deadline_after(detail::to_nanoseconds(d)));
    }
    template <class Lock, class Rep, class Period, class Predicate>
    bool wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& d, Predicate done) {
        return wait_until(lock, detail::deadline_after(detail::to_nanoseconds(d)), std::move(done));
    }

    // With a token: they return what the predicate says, also when a stop has been requested.

    template <class Lock, class Predicate>
    bool wait(Lock& lock, std::stop_token token, Predicate done) {
        detail::cancellable_operation_point();
        detail::condition_stop stop(std::move(token));
        while (!stop.requested()) {
            if (done()) return true;
            (void)wait_with(lock, detail::no_deadline, &stop);
        }
        return done();
    }
    template <class Lock, class Clock, class Duration, class Predicate>
    bool wait_until(Lock& lock, std::stop_token token,
                    const std::chrono::time_point<Clock, Duration>& when, Predicate done) {
        detail::cancellable_operation_point();
        detail::condition_stop stop(std::move(token));
        while (!stop.requested()) {
            if (done()) return true;
            if (wait_with_clock(lock, when, &stop) == std::cv_status::timeout) return done();
        }
        return done();
    }
    template <class Lock, class Rep, class Period, class Predicate>
    bool wait_for(Lock& lock, std::stop_token token, const std::chrono::duration<Rep, Period>& d,
                  Predicate done) {
        return wait_until(lock, std::move(token), detail::deadline_after(detail::to_nanoseconds(d)),
                          std::move(done));
    }

private:
    template <class Lock, class Clock, class Duration>
    std::cv_status wait_with_clock(Lock& lock, const std::chrono::time_point<Clock, Duration>& when,
                                   detail::condition_stop* stop) {
        bool in_time = false;
        if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
            in_time = wait_with(
                lock, clock::time_point(detail::to_nanoseconds(when.time_since_epoch())), stop);
        } else {
            // Another clock may have been set meanwhile; then this ends without reason.
            const auto left = detail::time_left(when, Clock::now());
            in_time =
                wait_with(lock, detail::deadline_after(left), stop) || !detail::time_is_up(when);
        }
        return in_time ? std::cv_status::no_timeout : std::cv_status::timeout;
    }

    template <class Lock>
    bool wait_with(Lock& lock, clock::time_point deadline, detail::condition_stop* stop) {
        if constexpr (std::is_same_v<Lock, std::unique_lock<mutex>>) {
            if (!lock.owns_lock()) throw_not_locked();
            return core_.wait(lock.mutex()->core_, deadline, stop);
        } else if constexpr (std::is_same_v<Lock, mutex>) {
            return core_.wait(lock.core_, deadline, stop);
        } else {
            const detail::any_lock any{&lock, [](void* l) { static_cast<Lock*>(l)->unlock(); },
                                       [](void* l) { static_cast<Lock*>(l)->lock(); }};
            return core_.wait(any, deadline, stop);
        }
    }
    [[noreturn]] static void throw_not_locked();

    detail::condition_core core_;
};

using condition_variable_any = condition_variable;

}  // namespace weft
