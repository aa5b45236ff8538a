// What the timed members of synchronisation objects have in common: any clock, one kind of deadline.
#pragma once

#include <weft/clock.hpp>
#include <weft/detail/operation.hpp>

#include <chrono>
#include <type_traits>

namespace weft::detail {

inline constexpr clock::time_point no_deadline = clock::time_point::max();

/// Behind a wait until `when` that timed out: whether that was the end of it. A clock other than ours may have been set
/// meanwhile, so it is looked at; but not in a simulation, with whose time it does not go on.
template <class Clock, class Duration>
[[nodiscard]] bool time_is_up(const std::chrono::time_point<Clock, Duration>& when) {
    return simulation_is_on() || time_left(when, now_by<Clock>()).count() <= 0;
}

/// Returns what attempt(deadline) does, which waits until then at most.
template <class Rep, class Period, class Attempt>
auto attempt_for(const std::chrono::duration<Rep, Period>& d, Attempt&& attempt) {
    return attempt(deadline_after(to_nanoseconds(d)));
}

/// The same until a moment of any clock: again while it times out before time_is_up(). attempt() returns something that
/// is false when the time was up.
template <class Clock, class Duration, class Attempt>
auto attempt_until(const std::chrono::time_point<Clock, Duration>& when, Attempt&& attempt) {
    if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
        return attempt(clock::time_point(to_nanoseconds(when.time_since_epoch())));
    } else {
        for (;;) {
            if (auto result = attempt(deadline_after(time_left(when, Clock::now())))) return result;
            if (time_is_up(when)) return decltype(attempt(no_deadline)){};
        }
    }
}

}  // namespace weft::detail
