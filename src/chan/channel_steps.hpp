// What may happen on a channel under its lock: one try of an operation each. Inline, for with a switch they make up a
// hand-over.
#pragma once

#include "chan/chan_waiter.hpp"

#include <cstdint>
#include <cstring>

namespace weft::detail {

/// What a step under the lock has led to. Written in place: a copy of fields that were just written one by one waits
/// until they have left the store buffer.
struct chan_step {
    enum result : std::uint8_t { blocked, done, closed } what = blocked;
    chan_waiter* wake = nullptr;  // To be told, behind the lock, how its wait has ended:
    meeting_end how = meeting_end::done;
    chan_waiter* sender = nullptr;  // Of a receiver: from whose source to take the value.
};

inline void copy_cell(void* to, const void* from, std::size_t size) noexcept {
    switch (size) {
    case 4:
        std::memcpy(to, from, 4);
        break;
    case 8:
        std::memcpy(to, from, 8);
        break;
    default:
        std::memcpy(to, from, size);
    }
}

inline chan_waiter* claim_first(wait_list& list) noexcept {
    return static_cast<chan_waiter*>(list.pop_claimed());
}

inline void push_cell(channel_core& c, const void* cell) noexcept {
    copy_cell(c.cell_at(c.tail()), cell, c.cell_size);
    c.set_count(c.count.load(std::memory_order_relaxed) + 1);
}

inline void pop_cell(channel_core& c, void* cell) noexcept {
    copy_cell(cell, c.cell_at(c.head), c.cell_size);
    c.head = c.head + 1 == c.capacity ? 0 : c.head + 1;
    c.set_count(c.count.load(std::memory_order_relaxed) - 1);
}

inline bool has_room(const channel_core& c) noexcept {
    return c.count.load(std::memory_order_relaxed) + c.places_promised < c.capacity;
}

// Gives a free place of the buffer to whoever has waited longest for one.
inline void refill(channel_core& c, chan_step& step) noexcept {
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

/// Sends the cell to whoever waits for one, or into the buffer.
inline void send_locked(channel_core& c, const void* cell, chan_step& step) noexcept {
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
}

/// Receives what is next into the cell, or names the sender to take it from.
inline void receive_locked(channel_core& c, void* cell, chan_step& step) noexcept {
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
}

/// For a sender without a cell: `done` gives it a permit.
inline void promise_locked(channel_core& c, send_permit& permit, chan_step& step) noexcept {
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
}

/// Puts a cell into a place that was promised, or gives the place up when there is none.
inline void fulfil_locked(channel_core& c, const void* cell, chan_step& step) noexcept {
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
}

/// Everybody who waits on a channel that is closed, linked by `next_woken`; receivers only once nothing more will come.
[[nodiscard]] inline chan_waiter* claim_all_locked(channel_core& c) noexcept {
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

/// Whether it looks as if a step would not block. Without the lock it may be out of date.
[[nodiscard]] inline bool may_send(const channel_core& c) noexcept {
    return c.count.load(std::memory_order_relaxed) < c.capacity || !c.receivers.empty() ||
           c.closed.load(std::memory_order_relaxed);
}
[[nodiscard]] inline bool may_receive(const channel_core& c) noexcept {
    return c.count.load(std::memory_order_relaxed) != 0 || !c.senders.empty() ||
           c.returned.load(std::memory_order_relaxed) != nullptr ||
           c.closed.load(std::memory_order_relaxed);
}

}  // namespace weft::detail
