// What may happen on a channel under its lock.
#include "base/assert.hpp"
#include "chan/chan_waiter.hpp"

namespace weft::detail {
namespace {

chan_waiter* claim_first(wait_list& list) noexcept {
    return static_cast<chan_waiter*>(list.pop_claimed());
}

void push_cell(channel_core& c, const void* cell) noexcept {
    copy_cell(c.cell_at(c.tail()), cell, c.cell_size);
    c.set_count(c.count.load(std::memory_order_relaxed) + 1);
}

void pop_cell(channel_core& c, void* cell) noexcept {
    copy_cell(cell, c.cell_at(c.head), c.cell_size);
    c.head = c.head + 1 == c.capacity ? 0 : c.head + 1;
    c.set_count(c.count.load(std::memory_order_relaxed) - 1);
}

bool has_room(const channel_core& c) noexcept {
    return c.count.load(std::memory_order_relaxed) + c.places_promised < c.capacity;
}

// Gives a free place of the buffer to whoever has waited longest for one.
void refill(channel_core& c, chan_step& step) noexcept {
    if (c.senders.empty() || !has_room(c)) return;
    chan_waiter* const sender = claim_first(c.senders);
    if (sender == nullptr) return;
    step.wake = sender;
    if (sender->source != nullptr) {
        ++c.places_promised;
        step.how = meeting_end::promised;
    } else {
        push_cell(c, sender->cell);
    }
}

}  // namespace

chan_step send_locked(channel_core& c, const void* cell) noexcept {
    chan_step step;
    if (c.closed.load(std::memory_order_relaxed)) {
        step.what = chan_step::closed;
    } else if (chan_waiter* const receiver = claim_first(c.receivers)) {
        copy_cell(receiver->cell, cell, c.cell_size);
        step.what = chan_step::done;
        step.wake = receiver;
    } else if (has_room(c)) {
        push_cell(c, cell);
        step.what = chan_step::done;
    }
    return step;
}

chan_step receive_locked(channel_core& c, void* cell) noexcept {
    chan_step step;
    if (returned_cell* const box = c.returned.load(std::memory_order_relaxed)) [[unlikely]] {
        c.returned.store(box->next, std::memory_order_relaxed);
        std::memcpy(cell, &box, sizeof(box));
        step.what = chan_step::done;
    } else if (c.count.load(std::memory_order_relaxed) != 0) {
        pop_cell(c, cell);
        step.what = chan_step::done;
        refill(c, step);
    } else if (c.places_promised != 0) {
        // Blocked: what was promised comes before those that wait, and before the end of a closed channel.
    } else if (chan_waiter* const sender = claim_first(c.senders)) {
        step.what = chan_step::done;
        if (sender->source != nullptr) {
            step.sender = sender;
        } else {
            copy_cell(cell, sender->cell, c.cell_size);
            step.wake = sender;
        }
    } else if (c.closed.load(std::memory_order_relaxed)) {
        step.what = chan_step::closed;
    }
    return step;
}

chan_step promise_locked(channel_core& c, send_permit& permit) noexcept {
    chan_step step;
    if (c.closed.load(std::memory_order_relaxed)) {
        step.what = chan_step::closed;
    } else if (chan_waiter* const receiver = claim_first(c.receivers)) {
        permit.receiver = receiver;
        step.what = chan_step::done;
    } else if (has_room(c)) {
        ++c.places_promised;
        permit.receiver = nullptr;
        step.what = chan_step::done;
    }
    return step;
}

chan_step fulfil_locked(channel_core& c, const void* cell) noexcept {
    chan_step step;
    --c.places_promised;
    step.what = chan_step::done;
    if (cell == nullptr) {
        if (!c.closed.load(std::memory_order_relaxed)) refill(c, step);
    } else if (chan_waiter* const receiver = claim_first(c.receivers)) {
        copy_cell(receiver->cell, cell, c.cell_size);
        step.wake = receiver;
    } else {
        push_cell(c, cell);
    }
    return step;
}

chan_waiter* claim_all_locked(channel_core& c) noexcept {
    chan_waiter* first = nullptr;
    chan_waiter** end = &first;
    const auto take = [&](wait_list& list) {
        while (chan_waiter* const one = claim_first(list)) {
            *end = one;
            end = &one->next_woken;
        }
    };
    take(c.senders);
    if (c.places_promised == 0) take(c.receivers);
    *end = nullptr;
    return first;
}

}  // namespace weft::detail
