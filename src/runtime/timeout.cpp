// with_timeout: a cancel scope with a deadline.
//
// The sections of a coroutine form a stack, innermost first. The *effective* deadline is the earliest of them;
// one timer is armed for it, and named by the deadline word in the extras:
//
//     armed, by the coroutine     -> firing   fire_timer: its target is alive, for leaving waits for it
//     firing                      -> epoch    fire_timer: attention_deadline is set, the coroutine woken
//     armed                       -> epoch + 1, by the coroutine: the timer is stale
//
// While inside, attention_timed sends every safepoint and cancellation point through a look at the clock, so
// that a coroutine which only computes sees its deadline too, whoever runs the timers.
#include <weft/scope.hpp>

#include "base/backoff.hpp"
#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "runtime/deadlines.hpp"
#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <stdexcept>

namespace weft::detail {

namespace {

WEFT_NOIPA void disarm(coroutine_extras& extras) noexcept {
    WEFT_CALLS("timers.forget");
    std::uint64_t word = extras.deadline_word.load(std::memory_order_relaxed);
    for (backoff wait;;) {
        if ((word & deadline_firing) != 0) {
            wait.pause();
            word = extras.deadline_word.load(std::memory_order_acquire);
            continue;
        }
        const std::uint64_t next = (word & ~std::uint64_t{deadline_armed}) + deadline_epoch;
        if (!extras.deadline_word.compare_exchange_weak(word, next, std::memory_order_acq_rel))
            continue;
        if ((word & deadline_armed) != 0) sched.hooks.timers->forget(*extras.deadline_home);
        return;
    }
}

WEFT_NOIPA void arm(coroutine_extras& extras, std::int64_t when) {
    WEFT_CALLS("timers.add");
    const std::uint64_t word =
        extras.deadline_word.load(std::memory_order_relaxed) | deadline_armed;
    const timer_event event{reinterpret_cast<std::uintptr_t>(&extras) | 1, word};
    extras.deadline_word.store(word, std::memory_order_release);
    extras.deadline_home = &sched.hooks.timers->add(*this_machine()->p, when, event);
}

// The deadline bits of `self` for the sections it is now in.
void settle(coroutine& self, coroutine_extras& extras) {
    const std::int64_t earliest = deadline_access::earliest(extras.deadlines);
    self.attention.fetch_and(~static_cast<std::uint32_t>(attention_deadline | attention_timed),
                             std::memory_order_relaxed);
    if (extras.deadlines == nullptr) return;
    self.attention.fetch_or(attention_timed, std::memory_order_relaxed);
    if (earliest != never) arm(extras, earliest);
}

}  // namespace

std::int64_t deadline_of(const coroutine& self) noexcept {
    const coroutine_extras* const extras = peek_extras(self);
    return extras == nullptr ? never : deadline_access::earliest(extras->deadlines);
}

bool deadline_passed(coroutine& self) noexcept {
    const coroutine_extras* const extras = peek_extras(self);
    if (extras == nullptr || deadline_access::earliest(extras->deadlines) > now_ns()) return false;
    self.attention.fetch_or(attention_deadline, std::memory_order_relaxed);
    return true;
}

deadline_section::deadline_section(clock::time_point deadline)
    : self_(this_coroutine()), deadline_(deadline) {
    if (self_ == nullptr) throw std::logic_error("weft: with_timeout outside of a coroutine");
    simulation_point();
    coroutine_extras& extras = extras_of(*self_);
    outer_ = extras.deadlines;
    disarm(extras);
    extras.deadlines = this;
    try {
        settle(*self_, extras);
    } catch (...) {
        extras.deadlines = outer_;
        throw;
    }
}

deadline_section::~deadline_section() {
    if (stop_ != nullptr) off_heap_delete(stop_);
    coroutine_extras& extras = *peek_extras(*self_);
    disarm(extras);
    extras.deadlines = outer_;
    try {
        settle(*self_, extras);
    } catch (...) {
        // No memory for the outer timer: its deadline is still seen at every safepoint.
    }
    simulation_point();
}

bool deadline_section::expired_alone() const noexcept {
    const std::int64_t now = now_ns();
    return (self_->attention.load(std::memory_order_relaxed) & attention_cancel) == 0 &&
           deadline_access::when(*this) <= now && deadline_access::earliest(outer_) > now;
}

}  // namespace weft::detail

namespace weft {

std::optional<clock::time_point> deadline() noexcept {
    const detail::coroutine* const self = detail::this_coroutine();
    const std::int64_t earliest = self == nullptr ? detail::never : detail::deadline_of(*self);
    if (earliest == detail::never) return std::nullopt;
    return clock::time_point(std::chrono::nanoseconds(earliest));
}

std::optional<std::chrono::nanoseconds> time_left() noexcept {
    const std::optional<clock::time_point> end = deadline();
    if (!end) return std::nullopt;
    return std::max(detail::time_left(*end, clock::now()), std::chrono::nanoseconds::zero());
}

}  // namespace weft
