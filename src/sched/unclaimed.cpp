#include "sched/unclaimed.hpp"

#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <cstring>
#include <cxxabi.h>
#include <mutex>
#include <new>

namespace weft::detail {
namespace {

constexpr std::int64_t say_after_ns = 1'000'000'000;
// More lines of a process would tell nobody more; a test may explore a thousand schedules in one.
constexpr unsigned said_max = 100;

struct unclaimed_list {
    spin_lock lock;
    unclaimed_note* first = nullptr;
    unclaimed_note* last = nullptr;
    std::size_t unsaid = 0;
    // The timer that was added last, by number; it is in a heap until `timers_gone` has come up with `added`.
    timer_target timer;
    std::uint32_t added = 0;
    bool is_set = false;  // And it will see to what is on the list.
    unsigned said = 0;

    // A timer with a word of 0 may be dropped from its heap. If that happens just now, the line of one note is lost.
    [[nodiscard]] bool has_timer() const noexcept {
        return is_set && timer.timers_gone.load(std::memory_order_acquire) != added;  // last timer
    }
    // 0: it is to do nothing.
    void arm() noexcept { timer.word.store(unsaid == 0 ? 0 : added, std::memory_order_relaxed); }

    void push(unclaimed_note& n) noexcept {
        n.prev = last;
        (last == nullptr ? first : last->next) = &n;
        last = &n;
        if (!n.said) ++unsaid;
    }
    void remove(unclaimed_note& n) noexcept {
        (n.prev == nullptr ? first : n.prev->next) = n.next;
        (n.next == nullptr ? last : n.next->prev) = n.prev;
        if (!n.said) --unsaid;
    }
};
constinit unclaimed_list notes;

void say_due(timer_target& target, std::uint64_t word) noexcept;

// Without a timer nothing is lost but the line.
void set_timer(std::int64_t when, std::uint32_t number) noexcept {
    try {
        notes.timer.fire = &say_due;
        sched.hooks.timers->add(*this_machine()->p, when, timer_event::call(notes.timer, number));
    } catch (...) {
        notes.timer.timers_gone.fetch_add(1, std::memory_order_release);
    }
}

// All that are due, at once: there may be very many. Under the lock.
void mark_said(std::int64_t due) noexcept {
    for (unclaimed_note* n = notes.first; n != nullptr; n = n->next) {
        if (n->said || n->ended_at > due) continue;
        n->said = true;
        --notes.unsaid;
    }
}

// On a scheduler stack.
void say_due(timer_target&, std::uint64_t word) noexcept {
    const std::int64_t due = now_ns() - say_after_ns;
    for (;;) {
        unclaimed_end one;
        {
            const std::lock_guard hold(notes.lock);
            if (word != notes.added) return;
            unclaimed_note* n = notes.first;
            while (n != nullptr && (n->said || n->ended_at > due)) n = n->next;
            if (n == nullptr) break;
            if (notes.said == said_max) {
                mark_said(due);
                break;
            }
            ++notes.said;
            n->said = true;
            --notes.unsaid;
            one = *n;
        }
        sched.hooks.unclaimed(one);
    }
    std::int64_t next = never;
    std::uint32_t number = 0;
    {
        const std::lock_guard hold(notes.lock);
        for (const unclaimed_note* n = notes.first; n != nullptr; n = n->next) {
            if (!n->said) next = std::min(next, n->ended_at + say_after_ns);
        }
        // This one leaves its heap behind us.
        notes.is_set = next != never;
        if (next != never) number = ++notes.added;
        notes.arm();
    }
    if (next != never) set_timer(next, number);
}

}  // namespace

[[gnu::noinline]] void note_unclaimed(coroutine& c, const std::exception* e) noexcept {
    WEFT_DEEP;
    const unrecorded unseen;  // Read under the lock by others; written before it is on the list.
    unclaimed_note* n = nullptr;
    try {
        n = off_heap_new<unclaimed_note>();
    } catch (...) {
        return;
    }
    n->id = c.id;
    n->created_at = c.created_at();
    n->type = abi::__cxa_current_exception_type();
    n->ended_at = now_ns();
    n->said = !sched.env.unclaimed || sched.hooks.unclaimed == nullptr;
    copy_name(c, n->name);
    const char* const what = e == nullptr ? nullptr : e->what();
    if (what != nullptr) std::strncpy(n->what.data(), what, n->what.size() - 1);
    bool needs_timer = false;
    std::uint32_t number = 0;
    {
        const std::lock_guard hold(notes.lock);
        peek_extras(c)->unclaimed = n;
        notes.push(*n);
        needs_timer = !n->said && !notes.has_timer();
        if (needs_timer) {
            number = ++notes.added;
            notes.is_set = true;
        }
        notes.arm();
    }
    if (needs_timer) set_timer(now_ns() + say_after_ns, number);
}

[[gnu::noinline]] void forget_unclaimed(coroutine_extras& extras) noexcept {
    WEFT_DEEP;
    unclaimed_note* const n = extras.unclaimed;
    {
        const std::lock_guard hold(notes.lock);
        extras.unclaimed = nullptr;
        notes.remove(*n);
        notes.arm();
    }
    off_heap_delete(n);
}

std::vector<unclaimed_end> unclaimed_ends(std::size_t most, std::size_t& more) {
    std::vector<unclaimed_end> copies;
    copies.reserve(most);
    more = 0;
    const std::lock_guard hold(notes.lock);
    for (const unclaimed_note* n = notes.first; n != nullptr; n = n->next) {
        if (copies.size() == most) {
            ++more;
        } else {
            copies.push_back(*n);
        }
    }
    return copies;
}

void peek_unclaimed(void (*f)(const unclaimed_end&)) noexcept {
    if (!notes.lock.try_lock()) return;
    for (const unclaimed_note* n = notes.first; n != nullptr; n = n->next) f(*n);
    notes.lock.unlock();
}

void reset_unclaimed() noexcept {
    const std::lock_guard hold(notes.lock);
    for (unclaimed_note* n = notes.first; n != nullptr; n = n->next) n->said = true;
    notes.unsaid = 0;
    notes.is_set = false;
    notes.arm();
}

}  // namespace weft::detail
