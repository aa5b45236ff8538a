// Sleeping, and the clock.
#include <weft/clock.hpp>
#include <weft/go.hpp>

#include "base/stack_facts.hpp"
#include "os/clock.hpp"
#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/simulation.hpp"
#include "sched/wait.hpp"

namespace weft {

static_assert(std::is_same_v<clock::duration, std::chrono::nanoseconds>);

clock::time_point clock::now() noexcept {
    return time_point(std::chrono::nanoseconds(detail::now_ns()));
}

namespace detail {

namespace {

void sleep(std::int64_t deadline) {
    if (this_coroutine() == nullptr) {
        sleep_thread_until(deadline);
        return;
    }
    waiting wait(cancellation::honoured, wait_kind::sleep);
    const wake_reason why = wait.finish(deadline);
    if (why != wake_reason::timeout) throw_wait_ended(why);
}

}  // namespace

// What is over at once is a cancellation point all the same, and fair to the others.

void sleep_until(clock::time_point when) {
    WEFT_PARKS;
    const std::int64_t deadline = when.time_since_epoch().count();
    if (deadline > now_ns()) {
        sleep(deadline);
    } else {
        weft::yield();
    }
}

void sleep_for(std::chrono::nanoseconds d) {
    WEFT_PARKS;
    if (d.count() > 0) {
        sleep(deadline_after(d).time_since_epoch().count());
    } else {
        weft::yield();
    }
}

}  // namespace detail
}  // namespace weft
