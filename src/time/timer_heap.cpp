#include "time/timer_heap.hpp"

#include "base/config.hpp"
#include "base/stack_facts.hpp"

#include <algorithm>
#include <mutex>

namespace weft::detail {
namespace {

constexpr std::size_t arity = 4;
constexpr std::size_t dead_least = tiny_limits ? 2 : 64;  // Fewer are not worth a sweep.

// So many at a time: what they touch was fetched ahead, and must still be in the caches when they run.
constexpr std::size_t batch_size = 64;

// A sweep reads a word of each target, on a cache line of its own: fetched so many entries ahead.
constexpr std::size_t fetched_ahead = 8;

// For a moment: so many steps of a sweep, each under a hold of the lock of its own.
constexpr std::size_t steps_to_cool = 256;

}  // namespace

[[gnu::noinline]] bool timer_heap::add(processor& p, std::int64_t when, const timer_event& event) {
    WEFT_DEEP;
    const std::lock_guard hold(lock_);
    push({when, event});
    p.timer_count.store(entries_.size(), std::memory_order_relaxed);
    if (when >= p.earliest_deadline.load(std::memory_order_relaxed)) return false;
    p.earliest_deadline.store(when, std::memory_order_relaxed);
    return true;
}

[[gnu::noinline]] void timer_heap::forget(processor& p) noexcept {
    WEFT_DEEP;
    const std::lock_guard hold(lock_);
    ++dead_;
    if (cursor_ == 0 && !sweep_is_due()) return;
    sweep_step();
    publish(p);
}

std::size_t timer_heap::drop_forgotten(processor& p, std::size_t most) noexcept {
    const std::lock_guard hold(lock_);
    if (dead_ == 0 && cursor_ == 0) return 0;
    std::size_t dropped = 0;
    while (dropped != most && !entries_.empty() && !timer_pending(entries_.front().event)) {
        drop_timer(pop().event);
        if (dead_ != 0) --dead_;
        ++dropped;
    }
    publish(p);
    return dropped;
}

std::size_t timer_heap::cool(processor& p) noexcept {
    std::size_t dropped = 0;
    for (std::size_t step = 0; step != steps_to_cool; ++step) {
        const std::lock_guard hold(lock_);
        if (cursor_ == 0 && !sweep_is_due()) break;
        dropped += sweep_step();
        publish(p);
    }
    return dropped * sizeof(entry);
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
        dead_ = std::min(dead_, entries_.size());
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

std::size_t timer_heap::reserved_bytes() noexcept {
    const std::lock_guard hold(lock_);
    return entries_.reserved_bytes();
}

void timer_heap::publish(processor& p) noexcept {
    p.earliest_deadline.store(entries_.empty() ? never : entries_.front().when,
                              std::memory_order_relaxed);
    p.timer_count.store(entries_.size(), std::memory_order_relaxed);
}

void timer_heap::push(const entry& e) {
    entries_.push_back(e);
    const std::size_t at = sift_up(entries_.size() - 1, e);
    if (at < cursor_) ++dead_;  // One that the sweep has not seen has moved behind the cursor.
}

timer_heap::entry timer_heap::pop() noexcept {
    const entry first = entries_.front();
    remove(0);
    return first;
}

// Takes the entry at `at` out; the last one comes in its place.
void timer_heap::remove(std::size_t at) noexcept {
    const entry last = entries_.back();
    entries_.pop_back();
    if (at == entries_.size()) return;
    // The last entry belongs near the bottom, almost always: so the hole goes all the way down, without a
    // comparison with it on the way, and the entry back up from there (Wegener's bottom-up heapsort). From a hole that is
    // not the root it may have to rise further, because it comes from below another parent.
    sift_up(sink_hole(at), last);
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

// Moves the hole at `at` up to where `e` belongs, and fills it; returns where that is.
std::size_t timer_heap::sift_up(std::size_t at, const entry& e) noexcept {
    entry* const all = entries_.data();
    while (at != 0) {
        const std::size_t parent = (at - 1) / arity;
        if (all[parent].when <= e.when) break;
        all[at] = all[parent];
        at = parent;
    }
    all[at] = e;
    return at;
}

bool timer_heap::sweep_is_due() const noexcept {
    return dead_ >= dead_least && 2 * dead_ >= entries_.size();
}

// Begins a sweep, or goes on with it. Returns how many entries it has dropped.
std::size_t timer_heap::sweep_step() noexcept {
    if (cursor_ == 0) {
        cursor_ = entries_.size();
        dead_ = 0;  // From here on those that the sweep will not see.
    }
    std::size_t dropped = 0;
    for (std::size_t looks = 0; looks != looks_a_step; ++looks) {
        cursor_ = std::min(cursor_, entries_.size());
        if (cursor_ == 0) break;
        if (cursor_ > fetched_ahead) prefetch_timer(entries_[cursor_ - 1 - fetched_ahead].event);
        const entry& e = entries_[cursor_ - 1];
        if (timer_pending(e.event)) {
            --cursor_;
            continue;
        }
        drop_timer(e.event);
        remove(cursor_ - 1);
        ++dropped;
    }
    return dropped;
}

timer_heap::~timer_heap() {
    for (std::size_t i = 0; i != entries_.size(); ++i) drop_timer(entries_[i].event);
}

}  // namespace weft::detail
