// What may happen on a channel under its lock: one try of an operation each. Inline, for with a switch they make up a
// hand-over.
#pragma once

#include "base/assert.hpp"
#include "chan/chan_waiter.hpp"

#include <cstdint>
#include <cstring>

namespace weft::detail {

/// What a step under the lock has led to. A step meets one at most.
struct chan_step {
    enum result : std::uint8_t { blocked, done, closed } what = blocked;
    chan_waiter* met = nullptr;          // Claimed, and served: to be told so behind the lock.
    chan_waiter* sender = nullptr;       // Of a receiver: from whose source to take the value,
    chan_waiter* next_sender = nullptr;  // and for whom to move the value to its promised place.

    /// Wakes who was met; behind the lock.
    void wake(void (*by)(ticket) noexcept = &wake_claimed) const noexcept {
        if (met != nullptr) end_meeting(*met, meeting_end::done, by);
    }
};

/// Several that were claimed under the lock, to be told behind it how their waits have ended.
class meeting_chain {
public:
    void add(chan_waiter& w, meeting_end how) noexcept {
        w.how = how;
        w.next_woken = nullptr;
        *end_ = &w;
        end_ = &w.next_woken;
    }
    void wake_all() noexcept {
        for (chan_waiter* w = first_; w != nullptr;) {
            chan_waiter* const next = w->next_woken;
            end_meeting(*w, w->how);
            w = next;
        }
    }

    meeting_chain() noexcept = default;
    meeting_chain(const meeting_chain&) = delete;
    meeting_chain& operator=(const meeting_chain&) = delete;

private:
    chan_waiter* first_ = nullptr;
    chan_waiter** end_ = &first_;
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

inline void drop_head(channel_core& c) noexcept {
    c.head = c.head + 1 == c.capacity ? 0 : c.head + 1;
    c.set_count(c.count.load(std::memory_order_relaxed) - 1);
}

inline bool has_room(const channel_core& c) noexcept {
    return c.count.load(std::memory_order_relaxed) < c.capacity;
}

// Of a channel of boxes: what lies in a cell. Odd: a promise.
inline std::uintptr_t box_at(channel_core& c, std::uint32_t place) noexcept {
    std::uintptr_t box = 0;
    std::memcpy(&box, c.cell_at(place), sizeof(box));
    return box;
}
inline void set_box(channel_core& c, std::uint32_t place, std::uintptr_t box) noexcept {
    std::memcpy(c.cell_at(place), &box, sizeof(box));
}
inline bool head_is_promised(channel_core& c) noexcept { return (box_at(c, c.head) & 1) != 0; }

inline std::uintptr_t promise_place(channel_core& c) noexcept {
    const std::uintptr_t promise = std::uintptr_t{c.promises++} << 1 | 1;
    push_cell(c, &promise);
    return promise;
}

inline std::uint32_t place_of(const channel_core& c, std::uint32_t distance) noexcept {
    const std::uint32_t place = c.head + distance;
    return place >= c.capacity ? place - c.capacity : place;
}

/// Puts `box` where it was promised or, without one, takes the place out.
inline void settle_place(channel_core& c, std::uintptr_t promise, std::uintptr_t box) noexcept {
    const std::uint32_t full = c.count.load(std::memory_order_relaxed);
    std::uint32_t at = full - 1;
    while (box_at(c, place_of(c, at)) != promise) --at;
    if (box != 0) {
        set_box(c, place_of(c, at), box);
        return;
    }
    for (; at + 1 != full; ++at) set_box(c, place_of(c, at), box_at(c, place_of(c, at + 1)));
    c.set_count(full - 1);
}

/// Gives the free places of the buffer to those who have waited longest for one. False: to nobody.
inline bool refill(channel_core& c, meeting_chain& woken) noexcept {
    bool any = false;
    while (!c.senders.empty() && has_room(c)) {
        chan_waiter* const sender = claim_first(c.senders);
        if (sender == nullptr) break;
        any = true;
        if (sender->source != nullptr) {
            sender->promise = promise_place(c);
            woken.add(*sender, meeting_end::promised);
        } else {
            push_cell(c, sender->cell);
            woken.add(*sender, meeting_end::done);
        }
    }
    return any;
}

/// The same for the one place that a receiver has made, who moves the value of a sender without a cell there: then it
/// is there when the receiver returns, as if it had been in the buffer.
inline void refill_one(channel_core& c, chan_step& step) noexcept {
    if (c.senders.empty()) return;
    chan_waiter* const sender = claim_first(c.senders);
    if (sender == nullptr) return;
    if (sender->source != nullptr) {
        sender->promise = promise_place(c);
        step.next_sender = sender;
    } else {
        push_cell(c, sender->cell);
        step.met = sender;
    }
}

/// Takes what is next in the buffer, if it is there already.
inline bool pop_cell(channel_core& c, void* cell) noexcept {
    if (c.boxed && head_is_promised(c)) return false;
    copy_cell(cell, c.cell_at(c.head), c.cell_size);
    drop_head(c);
    return true;
}

/// Sends the cell to whoever waits for one, or into the buffer.
[[gnu::always_inline, nodiscard]] inline chan_step send_locked(channel_core& c,
                                                               const void* cell) noexcept {
    chan_step step;
    if (c.closed.load(std::memory_order_relaxed)) {
        step.what = chan_step::closed;
        return step;
    }
    // With a buffer that is not empty receivers wait for what was promised, and in order.
    if (!c.receivers.empty() && c.count.load(std::memory_order_relaxed) == 0) {
        if (chan_waiter* const receiver = claim_first(c.receivers)) {
            copy_cell(receiver->cell, cell, c.cell_size);
            step.what = chan_step::done;
            step.met = receiver;
            return step;
        }
    }
    if (!has_room(c)) return step;
    push_cell(c, cell);
    step.what = chan_step::done;
    return step;
}

/// Receives what is next into the cell, or names the sender to take it from.
[[gnu::always_inline, nodiscard]] inline chan_step receive_locked(channel_core& c,
                                                                  void* cell) noexcept {
    chan_step step;
    if (returned_cell* const box = c.returned.load(std::memory_order_relaxed)) [[unlikely]] {
        c.returned.store(box->next, std::memory_order_relaxed);
        // NOLINTNEXTLINE(bugprone-sizeof-expression): the pointer is what a cell holds.
        std::memcpy(cell, &box, sizeof(box));
        step.what = chan_step::done;
        return step;
    }
    if (c.count.load(std::memory_order_relaxed) != 0) {
        if (!pop_cell(c, cell)) return step;
        step.what = chan_step::done;
        refill_one(c, step);
        return step;
    }
    if (!c.senders.empty()) {
        if (chan_waiter* const sender = claim_first(c.senders)) {
            step.what = chan_step::done;
            if (sender->source != nullptr) {
                step.sender = sender;
            } else {
                copy_cell(cell, sender->cell, c.cell_size);
                step.met = sender;
            }
            return step;
        }
    }
    if (c.closed.load(std::memory_order_relaxed)) step.what = chan_step::closed;
    return step;
}

/// For a sender without a cell: `done` gives it a permit.
[[nodiscard]] inline chan_step promise_locked(channel_core& c, send_permit& permit) noexcept {
    chan_step step;
    if (c.closed.load(std::memory_order_relaxed)) {
        step.what = chan_step::closed;
        return step;
    }
    if (c.count.load(std::memory_order_relaxed) == 0) {
        permit.receiver = claim_first(c.receivers);
        if (permit.receiver != nullptr) {
            step.what = chan_step::done;
            return step;
        }
    }
    if (!has_room(c)) return step;
    permit.promise = promise_place(c);
    step.what = chan_step::done;
    return step;
}

/// Everybody who waits on a closed channel; receivers only once nothing more will come.
inline void end_all_locked(channel_core& c, meeting_chain& woken) noexcept {
    while (chan_waiter* const one = claim_first(c.senders)) woken.add(*one, meeting_end::closed);
    if (c.count.load(std::memory_order_relaxed) != 0) return;
    while (chan_waiter* const one = claim_first(c.receivers)) {
        woken.add(*one, meeting_end::closed);
    }
}

/// A promise is kept or, without a box, given up: those who waited for it go on.
inline void settle_locked(channel_core& c, std::uintptr_t promise, std::uintptr_t box,
                          meeting_chain& woken) noexcept {
    settle_place(c, promise, box);
    for (;;) {
        while (c.count.load(std::memory_order_relaxed) != 0 && !head_is_promised(c)) {
            chan_waiter* const receiver = claim_first(c.receivers);
            if (receiver == nullptr) break;
            pop_cell(c, receiver->cell);
            woken.add(*receiver, meeting_end::done);
        }
        if (c.closed.load(std::memory_order_relaxed)) {
            end_all_locked(c, woken);
            return;
        }
        // Senders that have waited for a place may bring what receivers still wait for.
        if (!refill(c, woken)) return;
    }
}

/// What a receiver learns of a step that did not block.
[[gnu::always_inline]] inline void note_received(received& got, const chan_step& step) noexcept {
    got.status = step.what == chan_step::closed ? chan_status::closed : chan_status::ok;
    got.sender = step.sender;
    if (step.sender != nullptr) got.source = step.sender->source;
    if (step.next_sender != nullptr) {
        got.next_sender = step.next_sender;
        got.next_source = step.next_sender->source;
        got.promise = step.next_sender->promise;
    }
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

/// close_channel() where nothing may be waited for: at a coroutine's end. False: it was closed already.
bool close_at_end(channel_core& c) noexcept;

}  // namespace weft::detail
