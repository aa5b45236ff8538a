// What a timer does when it is due.
#include "base/cache_line.hpp"
#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/park.hpp"
#include "sched/work_source.hpp"

namespace weft::detail {
namespace {

// As much of a parked stack as it takes to come back out of a sleep.
constexpr std::size_t woken_lines = 6;

coroutine_extras& extras_at(const timer_event& event) noexcept {
    return *reinterpret_cast<coroutine_extras*>(event.target - 1);
}

timer_target& target_at(const timer_event& event) noexcept {
    return *reinterpret_cast<timer_target*>(event.target & ~timer_event::kinds);
}

sleeper& sleeper_at(const timer_event& event) noexcept {
    return *reinterpret_cast<sleeper*>(event.target);
}

ticket ticket_of(const timer_event& event) noexcept { return {&sleeper_at(event), event.word}; }

}  // namespace

void fire_timer(const timer_event& event) noexcept {
    if (event.is_wake()) {
        const ticket t = ticket_of(event);
        if (sleeper::is_thread(t)) {
            fire(t, wake_reason::timeout);
        } else if (sleeper::claim(t, wake_reason::timeout)) {
            ready_woken(*static_cast<coroutine*>(t.who));
        }
        return;
    }
    if (event.is_call()) {
        timer_target& target = target_at(event);
        target.fire(target, event.word);
        target.timers_gone.fetch_add(1, std::memory_order_release);  // last timer
        return;
    }
    coroutine_extras& extras = extras_at(event);
    std::uint64_t expected = event.word;
    // The CAS makes the timer the one that expired; its coroutine is alive until it has left the section, which
    // first takes the word away or waits for us (runtime/timeout.cpp).
    if (extras.deadline_word.compare_exchange_strong(expected, event.word | deadline_firing)) {
        request_cancel(*extras.owner, attention_deadline);
        extras.deadline_word.store(event.word & ~deadline_armed, std::memory_order_release);
    }
}

void drop_timer(const timer_event& event) noexcept {
    if (!event.is_call()) return;
    target_at(event).timers_gone.fetch_add(1, std::memory_order_release);  // last timer
}

void prefetch_timer(const timer_event& event) noexcept {
    __builtin_prefetch(reinterpret_cast<const void*>(event.target & ~timer_event::kinds), 1);
}

void prefetch_woken(const timer_event& event) noexcept {
    if (!event.is_wake() || sleeper::is_thread(ticket_of(event))) return;
    // It may have been woken otherwise, and be anywhere by now: a wrong address does no harm.
    const auto* const top =
        static_cast<const std::byte*>(static_cast<coroutine&>(sleeper_at(event)).context.get());
    for (std::size_t line = 0; line != woken_lines; ++line) {
        __builtin_prefetch(top + line * cache_line, 1);
    }
}

bool timer_pending(const timer_event& event) noexcept {
    if (event.is_wake()) return sleeper_at(event).waits_for(event.word);
    if (event.is_call()) return target_at(event).word.load(std::memory_order_relaxed) == event.word;
    return extras_at(event).deadline_word.load(std::memory_order_relaxed) == event.word;
}

}  // namespace weft::detail
