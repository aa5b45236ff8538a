#include <weft/detail/wait_list.hpp>

#include "sync/waiter.hpp"

namespace weft::detail {

void wait_list::push(waiter& w) noexcept {
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

void wait_list::push_front(waiter& w) noexcept {
    push(w);
    set_first(&w);
}

bool wait_list::remove(waiter& w) noexcept {
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

waiter* wait_list::pop() noexcept {
    waiter* const w = first();
    if (w != nullptr) remove(*w);
    return w;
}

waiter* wait_list::pop_claimed() noexcept {
    while (waiter* const w = pop()) {
        if (sleeper::claim_to_hand_over(w->who)) return w;
    }
    return nullptr;
}

}  // namespace weft::detail
