// One who waits on an object: a coroutine or a foreign thread, and what it waits with.
//
// Ownership. A waiter lies on the stack of whoever waits, and is in the object's list from before its wait begins
// until somebody pops it, or until it takes itself out again, under the object's lock in each case. So whoever
// holds the lock may touch what is in the list. Who has popped *and claimed* a waiter may touch it without the lock
// until it has called wake_claimed(): until then its owner sleeps, and cannot return.
#pragma once

#include <weft/detail/wait_list.hpp>

#include "sched/sleeper.hpp"

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

}  // namespace weft::detail
