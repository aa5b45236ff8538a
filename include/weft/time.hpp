// Timers and tickers: time as values of a channel.
#pragma once

#include <weft/chan.hpp>
#include <weft/clock.hpp>
#include <weft/detail/call_site.hpp>
#include <weft/detail/stack_kind.hpp>
#include <weft/detail/wrong_call.hpp>
#include <weft/exceptions.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace weft {
namespace detail {

struct timer_node;

/// What a timer runs, on a coroutine of its own each time.
class timer_function {
public:
    timer_function() = default;
    timer_function(const timer_function&) = delete;
    timer_function& operator=(const timer_function&) = delete;
    virtual ~timer_function() = default;
    virtual void run() = 0;
};

template <class F>
class timer_call final : public timer_function {
public:
    template <class G>
    // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): only made by timer_box, from a function.
    explicit timer_call(G&& f) : f_(std::forward<G>(f)) {}
    void run() override { std::invoke(f_); }

private:
    F f_;
};

/// The untyped half of timer and ticker: a node among the timers of the runtime. See src/chan/timer_channel.cpp.
class timer_core {
public:
    /// One that sends the time into `channel()` after `first` and then, if that is positive, every `period`.
    timer_core(std::chrono::nanoseconds first, std::chrono::nanoseconds period);
    /// One that runs `f` once, `first` from now.
    timer_core(std::chrono::nanoseconds first, std::shared_ptr<timer_function> f,
               const call_site& where);
    timer_core(timer_core&& other) noexcept
        : node_(std::exchange(other.node_, nullptr)), channel_(std::move(other.channel_)) {}
    timer_core& operator=(timer_core&& other) noexcept;
    ~timer_core();

    bool stop();
    bool reset(std::chrono::nanoseconds d);
    [[nodiscard]] const receiver<clock::time_point>& channel() const noexcept { return channel_; }

private:
    timer_node& node() const;

    timer_node* node_;  // Null when moved from.
    receiver<clock::time_point> channel_;
};

[[nodiscard]] receiver<clock::time_point> time_after(std::chrono::nanoseconds d);

}  // namespace detail

inline namespace WEFT_STACK_KIND {

/// One moment in the future. Starts when it is made and ends with its object: the destructor stops it. Any coroutine or thread
/// may make one while a runtime is up (else std::logic_error), and use it at any time; stop and reset are safe
/// against each other and against firing. Movable, not while others use it.
class [[nodiscard]] timer {
public:
    /// Sends the time into channel() once, `d` from now.
    template <class Rep, class Period>
    [[nodiscard]] explicit timer(std::chrono::duration<Rep, Period> d)
        : core_(detail::to_nanoseconds(d), std::chrono::nanoseconds(0)) {}

    /// Calls f() on a coroutine of its own, `d` from now; each time, if it is reset. What it calls may outlive the timer.
    template <class Rep, class Period, class F>
    requires(std::is_invocable_v<std::decay_t<F>&>)
        [[nodiscard]] timer(std::chrono::duration<Rep, Period> d, F&& f,
                            call_site where = call_site::current())
        : core_(detail::to_nanoseconds(d),
                detail::make_carried<detail::timer_call<std::decay_t<F>>, std::decay_t<F>>(
                    std::forward<F>(f)),
                where) {}

    /// After it the timer will not fire, and no value of its past is received. Returns whether it was pending: false
    /// when it has fired (and its value has been received, or its function begun) or had been stopped.
    bool stop() { return core_.stop(); }

    /// Stops it and starts it anew, `d` from now. Returns as stop().
    template <class Rep, class Period>
    bool reset(std::chrono::duration<Rep, Period> d) {
        return core_.reset(detail::to_nanoseconds(d));
    }

    /// Where the time comes in which it fired. Of a timer with a function: no channel, as a moved-from handle.
    [[nodiscard]] receiver<clock::time_point> channel() const { return core_.channel(); }

private:
    detail::timer_core core_;
};

}  // namespace WEFT_STACK_KIND

/// A tick every `period`, from the moment that it is made. It never drifts: ticks are due at whole periods from the start.
/// A reader that is slow misses ticks; at most one waits for it. Ends with its object. Threads as with timer.
class [[nodiscard]] ticker {
public:
    /// Throws std::invalid_argument when the period is not positive.
    template <class Rep, class Period>
    [[nodiscard]] explicit ticker(std::chrono::duration<Rep, Period> period)
        : core_(positive(detail::to_nanoseconds(period)), detail::to_nanoseconds(period)) {}

    [[nodiscard]] receiver<clock::time_point> channel() const { return core_.channel(); }

    /// No more ticks, and none of the past is received after it; the channel stays open. Returns whether it was ticking.
    bool stop() { return core_.stop(); }

private:
    static std::chrono::nanoseconds positive(std::chrono::nanoseconds period) {
        if (period.count() > 0) return period;
        throw std::invalid_argument(
            "weft: the period of a ticker must be positive; for a single time use a timer");
    }

    detail::timer_core core_;
};

/// The time, once, `d` from now: on_recv(after(1s), f). When the last handle goes the timer goes with it.
template <class Rep, class Period>
[[nodiscard]] receiver<clock::time_point> after(std::chrono::duration<Rep, Period> d) {
    return detail::time_after(detail::to_nanoseconds(d));
}
template <class D>
requires detail::wrong_time<D> detail::give_a_duration_such_as_5ms after(const D&)
= delete;

}  // namespace weft
