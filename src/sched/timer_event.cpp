// What a timer does when it is due.
#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/work_source.hpp"

namespace weft::detail {
namespace {

coroutine_extras& extras_at(const timer_event& event) noexcept {
    return *reinterpret_cast<coroutine_extras*>(event.target - 1);
}

sleeper& sleeper_at(const timer_event& event) noexcept {
    return *reinterpret_cast<sleeper*>(event.target);
}

}  // namespace

void fire_timer(const timer_event& event) noexcept {
    if (event.is_wake()) {
        fire({&sleeper_at(event), event.word}, wake_reason::timeout);
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

bool timer_pending(const timer_event& event) noexcept {
    if (event.is_wake()) return sleeper_at(event).waits_for(event.word);
    return extras_at(event).deadline_word.load(std::memory_order_relaxed) == event.word;
}

}  // namespace weft::detail
