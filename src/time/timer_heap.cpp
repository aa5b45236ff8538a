#include "time/timer_heap.hpp"

#include "base/config.hpp"
#include "base/off_heap.hpp"
#include "sched/scheduler.hpp"

#include <mutex>

namespace weft::detail {
namespace {

constexpr std::size_t arity = 4;
constexpr std::size_t dead_least = tiny_limits ? 2 : 64;  // Fewer are not worth a sweep.

// So many at a time: what they touch was fetched ahead, and must still be in the caches when they run.
constexpr std::size_t batch_size = 64;

timer_heap& heap_of(processor& p) noexcept { return *static_cast<timer_heap*>(p.timers); }

}  // namespace

const timer_source heap_timers{
    []() -> void* { return off_heap_new<timer_heap>(); },
    [](void* timers) noexcept { off_heap_delete(static_cast<timer_heap*>(timers)); },
    [](processor& p, std::int64_t when, const timer_event& event) {
        heap_of(p).add(p, when, event);
    },
    [](processor& p) noexcept { heap_of(p).forget(p); },
    [](processor& p) noexcept { heap_of(p).drop_forgotten(p); },
    [](processor& p, std::int64_t now) noexcept { return heap_of(p).run_due(p, now); },
    [](processor& p) noexcept { return heap_of(p).size(); },
};

void timer_heap::add(processor& p, std::int64_t when, const timer_event& event) {
    const std::lock_guard hold(lock_);
    push({when, event});
    p.timer_count.store(entries_.size(), std::memory_order_relaxed);
    if (when < p.earliest_deadline.load(std::memory_order_relaxed)) {
        p.earliest_deadline.store(when, std::memory_order_relaxed);
        p.new_deadline = true;
        p.look_at = 0;
    }
}

void timer_heap::forget(processor& p) noexcept {
    const std::lock_guard hold(lock_);
    if (++dead_ < dead_least || 2 * dead_ < entries_.size()) return;
    drop_dead();
    publish(p);
}

void timer_heap::drop_forgotten(processor& p) noexcept {
    const std::lock_guard hold(lock_);
    if (dead_ == 0) return;
    drop_dead();
    publish(p);
}

std::size_t timer_heap::run_due(processor& p, std::int64_t now) noexcept {
    // Fired outside the lock: firing readies coroutines, and takes locks of its own.
    timer_event due[batch_size];
    std::size_t n = 0;
    {
        const std::lock_guard hold(lock_);
        while (n != batch_size && !entries_.empty() && entries_.front().when <= now) {
            due[n] = pop().event;
            prefetch_timer(due[n++]);
        }
        publish(p);
    }
    for (std::size_t i = 0; i != n; ++i) prefetch_woken(due[i]);
    for (std::size_t i = 0; i != n; ++i) fire_timer(due[i]);
    return n;
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
    if (entries_.empty()) return first;
    // The last entry belongs near the bottom, almost always: so the hole goes all the way down, without a
    // comparison with it on the way, and the entry back up from there (Wegener's bottom-up heapsort).
    const std::size_t leaf = sink_hole(0);
    sift_up(leaf, last);
    return first;
}

// Fills the hole at `at` with its earliest child, and so on; returns where the hole ends up.
std::size_t timer_heap::sink_hole(std::size_t at) noexcept {
    const std::size_t count = entries_.size();
    entry* const e = entries_.data();
    for (;;) {
        const std::size_t child = at * arity + 1;
        if (child + arity > count) {
            if (child >= count) return at;
            std::size_t least = child;
            for (std::size_t i = child + 1; i < count; ++i) {
                if (e[i].when < e[least].when) least = i;
            }
            e[at] = e[least];
            return least;  // Its children would lie beyond the end.
        }
        // Two halves and their winner, as selections rather than branches: which is least is anybody's guess.
        const std::size_t left = e[child + 1].when < e[child].when ? child + 1 : child;
        const std::size_t right = e[child + 3].when < e[child + 2].when ? child + 3 : child + 2;
        const std::size_t least = e[right].when < e[left].when ? right : left;
        e[at] = e[least];
        at = least;
    }
}

void timer_heap::sift_up(std::size_t at, const entry& e) noexcept { sift_up_to(0, at, e); }

// Moves the hole at `at` up to where `e` belongs, not above `root`, and fills it.
void timer_heap::sift_up_to(std::size_t root, std::size_t at, const entry& e) noexcept {
    while (at != root) {
        const std::size_t parent = (at - 1) / arity;
        if (entries_[parent].when <= e.when) break;
        entries_[at] = entries_[parent];
        at = parent;
    }
    entries_[at] = e;
}

void timer_heap::drop_dead() noexcept {
    std::erase_if(entries_, [](const entry& e) { return !timer_pending(e.event); });
    dead_ = 0;
    if (entries_.size() < 2) return;
    for (std::size_t at = (entries_.size() - 2) / arity + 1; at-- != 0;) {
        const entry e = entries_[at];
        sift_up_to(at, sink_hole(at), e);
    }
}

}  // namespace weft::detail
