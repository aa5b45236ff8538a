#include "sched/global_queue.hpp"

#include "base/stack_facts.hpp"

namespace weft::detail {

// Deep, because every wake-up may come here, also that of a select which waits on the smallest segment; and a queue
// may grow.
[[gnu::noinline]] void global_queue::push_arrival(coroutine& c) noexcept {
    WEFT_DEEP;
    const std::lock_guard hold(lock_);
    append_arrival(c);
    publish();
}

void global_queue::push_arrivals(std::span<coroutine* const> batch) noexcept {
    const std::lock_guard hold(lock_);
    for (coroutine* const c : batch) append_arrival(*c);
    publish();
}

void global_queue::push_expired(coroutine& c, std::uint64_t turn) noexcept {
    const std::lock_guard hold(lock_);
    if (expired_.push_back(&c)) {
        expired_ages_.add(1, turn);
    } else {
        append_queued(c, turn);
    }
    publish();
}

void global_queue::push_yielded(coroutine& c, std::uint64_t turn) noexcept {
    const std::lock_guard hold(lock_);
    const std::size_t before = queued_locked() + fresh_.size();
    if (before == 0 || !yielded_.push_back({&c, taken_ever_ + before})) append_queued(c, turn);
    publish();
}

}  // namespace weft::detail
