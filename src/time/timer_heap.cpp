#include "time/timer_heap.hpp"

#include "base/config.hpp"
#include "base/off_heap.hpp"
#include "sched/scheduler.hpp"

#include <array>
#include <mutex>

namespace weft::detail {
namespace {

constexpr std::size_t arity = 4;
constexpr std::size_t dead_least = tiny_limits ? 2 : 64;  // Fewer are not worth a sweep.
constexpr std::size_t batch_size = 64;

timer_heap& heap_of(processor& p) noexcept { return *static_cast<timer_heap*>(p.timers); }

}  // namespace

const timer_source heap_timers{
    []() -> void* { return off_heap_new<timer_heap>(); },
    [](void* timers) noexcept { off_heap_delete(static_cast<timer_heap*>(timers)); },
    [](processor& p, std::int64_t when, const timer_event& event) { heap_of(p).add(p, when, event); },
    [](processor& p) noexcept { heap_of(p).forget(p); },
    [](processor& p, std::int64_t now) noexcept { return heap_of(p).run_due(p, now); },
    [](processor& p) noexcept { return heap_of(p).size(); },
};

void timer_heap::add(processor& p, std::int64_t when, const timer_event& event) {
    const std::lock_guard hold(lock_);
    push({when, event});
    p.timer_count.store(entries_.size(), std::memory_order_relaxed);
    if (when < p.earliest_deadline.load(std::memory_order_relaxed)) {
        p.earliest_deadline.store(when, std::memory_order_relaxed);
        if (when < sched.wakes_at.load(std::memory_order_relaxed)) p.new_deadline = true;
    }
}

void timer_heap::forget(processor& p) noexcept {
    const std::lock_guard hold(lock_);
    if (++dead_ < dead_least || 2 * dead_ < entries_.size()) return;
    drop_dead();
    publish(p);
}

std::size_t timer_heap::run_due(processor& p, std::int64_t now) noexcept {
    std::size_t fired = 0;
    for (;;) {
        // Fired outside the lock: firing readies coroutines, and takes locks of its own.
        std::array<timer_event, batch_size> due;
        std::size_t n = 0;
        {
            const std::lock_guard hold(lock_);
            while (n != due.size() && !entries_.empty() && entries_.front().when <= now) {
                due[n++] = pop().event;
            }
            publish(p);
        }
        for (std::size_t i = 0; i != n; ++i) fire_timer(due[i]);
        fired += n;
        if (n != due.size()) return fired;
    }
}

std::size_t timer_heap::size() noexcept {
    const std::lock_guard hold(lock_);
    return entries_.size();
}

void timer_heap::publish(processor& p) noexcept {
    p.earliest_deadline.store(entries_.empty() ? never : entries_.front().when,
                              std::memory_order_relaxed);
    p.timer_count.store(entries_.size(), std::memory_order_relaxed);
}

void timer_heap::push(const entry& e) {
    entries_.push_back(e);
    sift_up(entries_.size() - 1, e);
}

timer_heap::entry timer_heap::pop() noexcept {
    const entry first = entries_.front();
    const entry last = entries_.back();
    entries_.pop_back();
    if (!entries_.empty()) sift_down(0, last);
    return first;
}

// Both move a hole to where `e` belongs, and fill it.
void timer_heap::sift_up(std::size_t at, const entry& e) noexcept {
    while (at != 0) {
        const std::size_t parent = (at - 1) / arity;
        if (entries_[parent].when <= e.when) break;
        entries_[at] = entries_[parent];
        at = parent;
    }
    entries_[at] = e;
}

void timer_heap::sift_down(std::size_t at, const entry& e) noexcept {
    const std::size_t count = entries_.size();
    for (;;) {
        const std::size_t first = at * arity + 1;
        if (first >= count) break;
        std::size_t least = first;
        for (std::size_t child = first + 1; child != first + arity && child < count; ++child) {
            if (entries_[child].when < entries_[least].when) least = child;
        }
        if (entries_[least].when >= e.when) break;
        entries_[at] = entries_[least];
        at = least;
    }
    entries_[at] = e;
}

void timer_heap::drop_dead() noexcept {
    std::erase_if(entries_, [](const entry& e) { return !timer_pending(e.event); });
    dead_ = 0;
    if (entries_.size() < 2) return;
    for (std::size_t at = (entries_.size() - 2) / arity + 1; at-- != 0;) {
        const entry e = entries_[at];
        sift_down(at, e);
    }
}

}  // namespace weft::detail
