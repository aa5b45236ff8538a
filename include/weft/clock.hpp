// The clock of the runtime, and what becomes of durations and moments.
#pragma once

#include <weft/version.hpp>

#include <chrono>
#include <ratio>
#include <type_traits>

namespace weft {

/// The monotonic clock of the runtime. Its time points are those of std::chrono::steady_clock, and so
/// is its time, except for the coroutines of testing::simulate(), where time is virtual: it stands still
/// while anything can run and jumps to the next timer when nothing can.
struct clock {
    using duration = std::chrono::steady_clock::duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr bool is_steady = true;

    [[nodiscard]] static time_point now() noexcept;
};

}  // namespace weft

namespace weft::detail {

/// `d` in whole nanoseconds, rounded up so that nobody wakes early, and clamped to what 64 bits hold.
template <class Rep, class Period>
[[nodiscard]] constexpr std::chrono::nanoseconds
to_nanoseconds(std::chrono::duration<Rep, Period> d) noexcept {
    using std::chrono::nanoseconds;
    if constexpr (std::is_same_v<std::chrono::duration<Rep, Period>, nanoseconds>) return d;
    using wide = std::chrono::duration<long double, std::nano>;
    const long double wanted = wide(d).count();
    if (!(wanted < static_cast<long double>(nanoseconds::max().count()))) return nanoseconds::max();
    if (!(wanted > static_cast<long double>(nanoseconds::min().count()))) return nanoseconds::min();
    return std::chrono::ceil<nanoseconds>(d);
}

/// How long it is from `now` to `when`, rounded up and clamped likewise; not positive when `when` has passed.
/// Subtracted in floating point, where nothing overflows, and what 64 bits of nanoseconds hold is exact:
/// the extremes of a clock are further apart than its durations reach, and so are those of coarse units.
template <class Clock, class To, class From>
[[nodiscard]] constexpr std::chrono::nanoseconds
time_left(std::chrono::time_point<Clock, To> when,
          std::chrono::time_point<Clock, From> now) noexcept {
    using wide = std::chrono::duration<long double, std::nano>;
    return to_nanoseconds(wide(when.time_since_epoch()) - wide(now.time_since_epoch()));
}

/// Now, by the clock of a moment that the program names. Moments of weft::clock are the steady clock's by their type, so that one
/// is asked for under the name that is virtual in a simulation.
template <class Clock>
[[nodiscard]] auto now_by() {
    if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
        return clock::now();
    } else {
        return Clock::now();
    }
}

/// The moment `d` from now, or the last one there is.
[[nodiscard]] inline clock::time_point deadline_after(std::chrono::nanoseconds d) noexcept {
    const clock::time_point now = clock::now();
    if (d >= clock::time_point::max() - now) return clock::time_point::max();
    return now + d;
}

}  // namespace weft::detail
