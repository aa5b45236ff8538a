// The exceptions that weft itself throws, other than std::system_error.
#pragma once

#include <weft/version.hpp>

#include <stdexcept>

namespace weft {

/// Thrown by every cancellation point of a coroutine that was asked to stop, until the coroutine ends
/// or leaves the cancel scope. Not derived from std::exception on purpose: a handler for errors must
/// not swallow it. Leaving a coroutine with it is a normal end.
struct cancelled {};

/// What join() throws for a coroutine that ended by `cancelled`.
class coroutine_cancelled : public std::runtime_error {
public:
    coroutine_cancelled() : std::runtime_error("weft: the joined coroutine was cancelled") {}
};

/// What with_timeout() throws when its own time is up.
class timed_out : public std::runtime_error {
public:
    timed_out() : std::runtime_error("weft: with_timeout: the time is up") {}
};

/// Nothing can ever run again. Thrown in main under deadlock_action::throw_in_main and out of
/// testing::simulate(); what() holds the report: a headline, and then what report::dump writes, of the first 200.
class deadlock : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace weft
