#include <weft/detail/wait_list.hpp>

#include "sync/waiter.hpp"

namespace weft::detail {

void wait_list::push(waiter& w) noexcept {
    if (first_ == nullptr) {
        w.next = w.prev = first_ = &w;
        return;
    }
    w.next = first_;
    w.prev = first_->prev;
    w.prev->next = &w;
    first_->prev = &w;
}

void wait_list::push_front(waiter& w) noexcept {
    push(w);
    first_ = &w;
}

bool wait_list::remove(waiter& w) noexcept {
    if (w.next == nullptr) return false;
    if (w.next == &w) {
        first_ = nullptr;
    } else {
        w.prev->next = w.next;
        w.next->prev = w.prev;
        if (first_ == &w) first_ = w.next;
    }
    w.next = w.prev = nullptr;
    return true;
}

waiter* wait_list::pop() noexcept {
    waiter* const w = first_;
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
