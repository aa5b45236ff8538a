// One who waits on an object: a coroutine or a foreign thread, and what it waits with.
//
// Ownership. A waiter lies on the stack of whoever waits, and is in the object's list from before its wait begins
// until somebody pops it, or until it takes itself out again, under the object's lock in each case. So whoever
// holds the lock may touch what is in the list. Who has popped *and claimed* a waiter may touch it without the lock
// until it has called wake_claimed(): until then its owner sleeps, and cannot return.
#pragma once

#include <weft/detail/wait_list.hpp>

#include "sched/sleeper.hpp"
#include "sched/wait.hpp"

#include <cstdint>

namespace weft::detail {

struct waiter {
    ticket who;
    waiter* next = nullptr;  // Both null when it is in no list.
    waiter* prev = nullptr;
};

// Inline, for they are a good part of a hand-over.

inline void wait_list::push(waiter& w) noexcept {
    waiter* const front = first();
    if (front == nullptr) {
        w.next = w.prev = &w;
        set_first(&w);
        return;
    }
    w.next = front;
    w.prev = front->prev;
    w.prev->next = &w;
    front->prev = &w;
}

inline void wait_list::push_front(waiter& w) noexcept {
    push(w);
    set_first(&w);
}

inline bool wait_list::remove(waiter& w) noexcept {
    if (w.next == nullptr) return false;
    if (w.next == &w) {
        set_first(nullptr);
    } else {
        w.prev->next = w.next;
        w.next->prev = w.prev;
        if (first() == &w) set_first(w.next);
    }
    w.next = w.prev = nullptr;
    return true;
}

inline waiter* wait_list::pop() noexcept {
    waiter* const w = first();
    if (w != nullptr) remove(*w);
    return w;
}

inline waiter* wait_list::pop_claimed() noexcept {
    while (waiter* const w = pop()) {
        if (sleeper::claim_to_hand_over(w->who)) return w;
    }
    return nullptr;
}

/// Those who have been popped and claimed under a lock, to be woken outside of it.
class wake_chain {
public:
    wake_chain() noexcept = default;
    wake_chain(const wake_chain&) = delete;
    wake_chain& operator=(const wake_chain&) = delete;

    void add(waiter& w) noexcept {
        w.next = nullptr;
        *last_ = &w;
        last_ = &w.next;
    }
    /// All of `list` whose wait could be ended.
    void take_all(wait_list& list) noexcept {
        while (waiter* const w = list.pop_claimed()) add(*w);
    }
    /// In the order in which they were added. f() may be the end of a waiter.
    template <class F>
    void for_each(F&& f) noexcept {
        for (waiter* w = first_; w != nullptr;) {
            waiter& now = *w;
            w = w->next;
            f(now);
        }
    }
    void wake() noexcept {
        for_each([](waiter& w) { wake_claimed(w.who); });
    }

private:
    waiter* first_ = nullptr;
    waiter** last_ = &first_;
};

/// finish() of one whose waiter is in a list: `take_out()` takes it off, under the object's lock, unless the wait was
/// ended by somebody who did, also when there is an exception.
template <class TakeOut>
wake_reason finish_in_list(waiting& wait, std::int64_t deadline, TakeOut&& take_out) {
    wake_reason why;
    try {
        why = wait.finish(deadline);
    } catch (...) {
        take_out();
        throw;
    }
    if (why != wake_reason::signalled) take_out();
    return why;
}

/// What a wait has come to: true, or false for a timeout; throws what else ended it.
inline bool wait_succeeded(wake_reason why) {
    if (why == wake_reason::signalled) return true;
    if (why == wake_reason::timeout) return false;
    throw_wait_ended(why);
}

}  // namespace weft::detail
