// Services build these of the rest again and again: one call for many callers, a limit of the rate,
// attempts with pauses. <weft/weft.hpp> does not include it.
#pragma once

#include <weft/chan.hpp>
#include <weft/clock.hpp>
#include <weft/detail/gc_carrier.hpp>
#include <weft/detail/operation.hpp>
#include <weft/detail/stack_kind.hpp>
#include <weft/detail/timed.hpp>
#include <weft/exceptions.hpp>
#include <weft/go.hpp>
#include <weft/sync/mutex.hpp>
#include <weft/sync/semaphore.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace weft {
inline namespace WEFT_STACK_KIND {

/// Calls with the same key at the same time share one execution, as those who miss the same entry
/// of a cache should. Any coroutine may use it at any time. T is copyable: each caller gets a copy,
/// or the exception. Functions and keys are copied, and keys compared, under a lock.
///
/// The function runs on a coroutine of its own, so that a caller which is cancelled takes nothing
/// from the others. When all of its callers have been cancelled it is asked to stop, and nobody
/// waits for it. So it owns what it uses: capture values. A function that calls run() with its own
/// key waits for itself.
template <class Key, class T, class Compare = std::less<Key>>
class singleflight {
public:
    singleflight() : flights_(std::make_shared<flights>()) {}

    /// Returns what f() returns, or rethrows what it throws; f is called only if no call with this
    /// key is under way. A cancellation point. A function that ended by `cancelled` gives
    /// coroutine_cancelled.
    template <class F>
    T run(const Key& key, F&& f) {
        static_assert(std::is_convertible_v<std::invoke_result_t<std::decay_t<F>>, T>,
                      "weft::singleflight<Key, T>::run(key, f): the result of f must convert to T");
        std::shared_ptr<flight> mine;
        {
            const std::lock_guard hold(flights_->lock);
            const auto [at, is_first] = flights_->of.try_emplace(key);
            if (is_first) {
                try {
                    at->second = take_off(key, std::forward<F>(f));
                } catch (...) {
                    flights_->of.erase(at);
                    throw;
                }
            }
            mine = at->second;
            ++mine->callers;
        }
        const passenger seat(*flights_, mine);
        static_cast<void>(mine->landed.recv());
        if (mine->error) std::rethrow_exception(mine->error);
        return *mine->result;
    }

    /// Calls under way will not be joined any more: the next run() with this key calls its
    /// function.
    void forget(const Key& key) {
        const std::lock_guard hold(flights_->lock);
        flights_->of.erase(key);
    }

private:
    struct flight {
        chan<void> landed;  // Closed when the result, or the error, is there.
        std::optional<T> result;
        std::exception_ptr error;
        const Key key;
        // Under the lock of flights:
        std::size_t callers = 0;
        bool has_landed = false;
        join_handle<void> coroutine;  // The last caller lets it go.

        explicit flight(const Key& k) : key(k) {}
    };
    struct flights {
        mutex lock;
        std::map<Key, std::shared_ptr<flight>, Compare> of;

        void remove(const flight& which) {
            const auto at = of.find(which.key);
            if (at != of.end() && at->second.get() == &which) of.erase(at);
        }
    };

    // Leaves the flight, however the caller does.
    class passenger {
    public:
        passenger(flights& all, std::shared_ptr<flight> f) noexcept
            : all_(all), flight_(std::move(f)) {}
        passenger(const passenger&) = delete;
        passenger& operator=(const passenger&) = delete;
        ~passenger() {
            join_handle<void> last;
            bool has_landed = false;
            {
                const std::lock_guard hold(all_.lock);
                if (--flight_->callers != 0) return;
                all_.remove(*flight_);
                last = std::move(flight_->coroutine);
                has_landed = flight_->has_landed;
            }
            if (!has_landed) last.request_stop();
            last.detach();
        }

    private:
        flights& all_;
        std::shared_ptr<flight> flight_;
    };

    // Under the lock.
    template <class F>
    std::shared_ptr<flight> take_off(const Key& key, F&& f) {
        auto fresh = detail::make_carried<flight, T>(key);
        fresh->coroutine =
            weft::spawn([all = flights_, fresh, f = std::decay_t<F>(std::forward<F>(f))]() mutable {
                try {
                    fresh->result.emplace(std::invoke(std::move(f)));
                } catch (const cancelled&) {
                    fresh->error = std::make_exception_ptr(coroutine_cancelled());
                } catch (...) {
                    fresh->error = std::current_exception();
                }
                const std::lock_guard hold(all->lock);
                all->remove(*fresh);
                fresh->has_landed = true;
                fresh->landed.close();
            });
        return fresh;
    }

    std::shared_ptr<flights> flights_;
};

}  // namespace WEFT_STACK_KIND

/// Lets through so much a second, evenly, and so much at once as has been saved up. Those who wait
/// are served in order. Any coroutine and any thread may use it at any time. Time is that of
/// weft::clock, virtual in a simulation.
class rate_limiter {
public:
    /// `per_second` > 0; at most `burst` >= 1 are saved up, and as many are there at the start.
    /// Else std::invalid_argument.
    explicit rate_limiter(double per_second, std::size_t burst = 1)
        : period_(std::chrono::duration<double>(1) / checked(per_second, burst)),
          burst_(static_cast<double>(burst)), saved_(burst_), at_(clock::now()) {}
    rate_limiter(const rate_limiter&) = delete;
    rate_limiter& operator=(const rate_limiter&) = delete;

    /// Waits until `n` are let through. A cancellation point; if it throws `cancelled` nothing is
    /// used up. std::invalid_argument if n is more than can be saved up.
    void acquire(std::size_t n = 1) {
        check(n);
        detail::cancellable_operation_point();
        if (take_at_once(n)) return;
        const waiter in_line(*this);
        turn_.acquire();
        const turn mine(*this);
        while (const std::optional<clock::time_point> when = take_or_when(n)) sleep_until(*when);
    }
    /// Does not wait: false if they are not there, or somebody waits already. No cancellation
    /// point.
    [[nodiscard]] bool try_acquire(std::size_t n = 1) {
        check(n);
        return take_at_once(n);
    }
    /// Waits for `d` at most; returns false as soon as it is its turn and clear that it will take
    /// longer. A cancellation point, as acquire().
    template <class Rep, class Period>
    [[nodiscard]] bool acquire_for(std::chrono::duration<Rep, Period> d, std::size_t n = 1) {
        check(n);
        detail::cancellable_operation_point();
        if (take_at_once(n)) return true;
        const clock::time_point end = detail::deadline_after(detail::to_nanoseconds(d));
        const waiter in_line(*this);
        if (!turn_.try_acquire_until(end)) return false;
        const turn mine(*this);
        while (const std::optional<clock::time_point> when = take_or_when(n)) {
            if (*when > end) return false;
            sleep_until(*when);
        }
        return true;
    }

private:
    static double checked(double per_second, std::size_t burst) {
        if (per_second > 0 && burst != 0) return per_second;
        throw std::invalid_argument(
            "weft::rate_limiter: the rate must be positive, and the burst at least 1");
    }
    void check(std::size_t n) const {
        if (static_cast<double>(n) <= burst_) return;
        throw std::invalid_argument(
            "weft::rate_limiter: more at once than the burst would wait for ever");
    }

    // One that waits: while there is any, nobody goes ahead of the line.
    class waiter {
    public:
        explicit waiter(rate_limiter& of) : of_(of) {
            const std::lock_guard hold(of_.lock_);
            ++of_.waiters_;
        }
        ~waiter() {
            const std::lock_guard hold(of_.lock_);
            --of_.waiters_;
        }
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;

    private:
        rate_limiter& of_;
    };
    class turn {
    public:
        explicit turn(rate_limiter& of) noexcept : of_(of) {}
        ~turn() { of_.turn_.release(); }
        turn(const turn&) = delete;
        turn& operator=(const turn&) = delete;

    private:
        rate_limiter& of_;
    };

    bool take_at_once(std::size_t n) {
        const std::lock_guard hold(lock_);
        return waiters_ == 0 && !take_locked(n);
    }
    std::optional<clock::time_point> take_or_when(std::size_t n) {
        const std::lock_guard hold(lock_);
        return take_locked(n);
    }
    // Takes n if they are there; else returns when they will be.
    std::optional<clock::time_point> take_locked(std::size_t n) {
        const clock::time_point now = clock::now();
        // A simulation begins at another time than a limiter that was made before it.
        saved_ = std::min(burst_, saved_ + std::max(now - at_, clock::duration(0)) / period_);
        at_ = now;
        const double missing = static_cast<double>(n) - saved_;
        if (missing <= 0) {
            saved_ = -missing;
            return std::nullopt;
        }
        // Rounded up, so that a wait is enough, and never so long that it could not be added.
        constexpr double longest_ns = 1e18;
        const double wait_ns =
            std::ceil(std::chrono::duration<double, std::nano>(missing * period_).count());
        return now +
               std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(wait_ns, longest_ns)));
    }

    const std::chrono::duration<double> period_;
    const double burst_;
    // The one that sleeps until it is let through holds it; the others wait behind that one.
    binary_semaphore turn_{1};
    mutex lock_;  // Guards the rest, and is held for moments.
    std::size_t waiters_ = 0;
    double saved_;
    clock::time_point at_;
};

struct retry_options {
    unsigned attempts = 5;  // In all; at least 1.
    std::chrono::nanoseconds first_pause{std::chrono::milliseconds(100)};
    double growth = 2;  // Each pause is so many times as long as the one before.
    std::chrono::nanoseconds longest_pause{std::chrono::seconds(10)};
    /// A pause is shortened by up to this part of it, at random, so that many who fail at once do
    /// not come back at once.
    double jitter = 0.5;
    /// Whether it is worth another attempt; by default after every std::exception.
    std::function<bool(const std::exception&)> again = {};
};

namespace detail {

/// A number in [0, 1) for the jitter of a pause. It differs between moments, and between coroutines
/// unless there is a simulation: there the same seed has to give the same pauses, and ids go on
/// from one simulation to the next.
[[nodiscard]] inline double pause_fraction(unsigned attempt) {
    const std::uint64_t who = simulated() ? 0 : std::hash<id>()(get_id());
    std::uint64_t z = static_cast<std::uint64_t>(clock::now().time_since_epoch().count()) +
                      who * 0x9e3779b97f4a7c15u + attempt;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

[[nodiscard]] inline std::chrono::nanoseconds pause_before(const retry_options& how,
                                                           unsigned attempt) {
    if (how.first_pause.count() <= 0) return std::chrono::nanoseconds(0);
    const double grown = static_cast<double>(how.first_pause.count()) *
                         std::pow(how.growth, static_cast<double>(attempt) - 1);
    const double most = std::min(grown, static_cast<double>(how.longest_pause.count()));
    const double jitter = std::min(std::max(how.jitter, 0.0), 1.0);
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(std::max(most, 0.0) * (1 - jitter * pause_fraction(attempt))));
}

}  // namespace detail

/// Calls f() until it returns, and returns what it returned. After a std::exception it pauses and
/// tries again. The exception of the last attempt is rethrown, and so is, at once, one for which
/// options.again returns false, and what is no std::exception (such as `cancelled`). Inside
/// with_timeout() it does not begin a pause that would not end before the deadline: the exception
/// is rethrown then. A cancellation point while it pauses.
template <class F>
auto retry(const retry_options& how, F&& f) -> std::invoke_result_t<F&> {
    for (unsigned attempt = 1;; ++attempt) {
        std::chrono::nanoseconds pause{0};
        try {
            return std::invoke(f);
        } catch (const std::exception& e) {
            if (attempt >= how.attempts || (how.again && !how.again(e))) throw;
            pause = detail::pause_before(how, attempt);
            const std::optional<std::chrono::nanoseconds> left = time_left();
            if (left && *left <= pause) throw;
        }
        sleep_for(pause);
    }
}
template <class F>
auto retry(F&& f) -> std::invoke_result_t<F&> {
    return retry(retry_options(), std::forward<F>(f));
}

}  // namespace weft
