// The stop token of a coroutine. Inside with_timeout() it is that of the innermost section: it stops with the coroutine, or
// when the earliest deadline around has passed, by a timer, because the coroutine itself may be in a blocking call then.
#include <weft/go.hpp>
#include <weft/time.hpp>

#include "base/off_heap.hpp"
#include "runtime/deadlines.hpp"
#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/simulation.hpp"

#include <chrono>
#include <cstdint>
#include <stop_token>

namespace weft {
namespace detail {
namespace {

class stop_at_deadline final : public deadline_stop {
public:
    stop_at_deadline(const std::stop_token& own, std::int64_t when)
        : with_own_(own, passing_on{source_}),
          timer_(std::chrono::nanoseconds(when - now_ns()),
                 [source = source_] { request_stop_of(source); }) {
        // The timer's coroutine would come too late for who looks at once.
        if (when <= now_ns()) request_stop_of(source_);
    }
    [[nodiscard]] std::stop_token token() const noexcept { return source_.get_token(); }

private:
    struct passing_on {
        std::stop_source to;
        void operator()() noexcept { request_stop_of(to); }
    };

    std::stop_source source_;
    std::stop_callback<passing_on> with_own_;
    timer timer_;
};

}  // namespace
}  // namespace detail

std::stop_token get_stop_token() {
    detail::coroutine* const self = detail::this_coroutine();
    if (self == nullptr) return {};
    std::stop_token own = detail::own_stop_token(*self);
    detail::deadline_section* const innermost = detail::peek_extras(*self)->deadlines;
    const std::int64_t earliest = detail::deadline_access::earliest(innermost);
    if (earliest == detail::never) return own;
    detail::deadline_stop*& stop = detail::deadline_access::stop(*innermost);
    if (stop == nullptr) stop = detail::off_heap_new<detail::stop_at_deadline>(own, earliest);
    return static_cast<detail::stop_at_deadline*>(stop)->token();
}

}  // namespace weft
