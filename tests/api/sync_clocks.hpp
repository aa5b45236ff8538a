// A clock that is not std's, for the timed members.
#pragma once

#include <chrono>
#include <ratio>

namespace weft::test {

/// Coarse, floating, and with an epoch of its own.
struct manual_clock {
    using duration = std::chrono::duration<double, std::milli>;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<manual_clock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept {
        return time_point(duration(std::chrono::steady_clock::now().time_since_epoch()) +
                          duration(1000));
    }
};

}  // namespace weft::test
