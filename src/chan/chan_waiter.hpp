// One who waits on a channel, alone or with others of a select.
//
// The waiters of one wait share a ticket and a *meeting*. Who claims the ticket, by one of them, hands over through
// that one, notes it as the winner, and wakes.
//
// Edge *meeting*: the waker stores the winner with release when the cell has been copied; the woken loads it with
// acquire. (The ticket's edge comes too early: the claim is made before the cell is copied.)
#pragma once

#include <weft/detail/channel_core.hpp>

#include "sync/waiter.hpp"

#include <atomic>
#include <cstdint>

namespace weft::detail {

struct chan_waiter;

struct meeting {
    std::atomic<chan_waiter*> winner{nullptr};
};

enum class meeting_end : std::uint8_t {
    none,
    done,  // The cell has been copied; or, of a sender with a `source`, the value has been taken from there.
    closed,    // The channel was.
    promised,  // A sender with a `source` has a place in the buffer.
    retry,     // Nothing has happened after all: the other side's move threw.
};

struct chan_waiter : waiter {
    void* cell = nullptr;    // A receiver's: where to. A sender's: from where.
    void* source = nullptr;  // Of a sender that has no cell: its value.
    meeting* shared = nullptr;
    std::uint32_t index = 0;  // Which case of a select.
    meeting_end how = meeting_end::none;
    chan_waiter* next_woken = nullptr;  // Of those that one close() wakes.
};

/// Ends the wait of `w`, which the caller has claimed. It may be gone when this returns.
inline void end_meeting(chan_waiter& w, meeting_end how) noexcept {
    const ticket who = w.who;
    w.how = how;
    w.shared->winner.store(&w, std::memory_order_release);  // meeting
    wake_claimed(who);
}

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

/// What a step under the lock has led to.
struct chan_step {
    enum result : std::uint8_t { blocked, done, closed } what = blocked;
    chan_waiter* wake = nullptr;  // To be told, behind the lock, how its wait has ended:
    meeting_end how = meeting_end::done;
    chan_waiter* sender = nullptr;  // Of a receiver: from whose source to take the value.
};

// One try each, under the lock; `channel_core.hpp` states the rules.
[[nodiscard]] chan_step send_locked(channel_core& c, const void* cell) noexcept;
[[nodiscard]] chan_step receive_locked(channel_core& c, void* cell) noexcept;
/// For a sender without a cell: `done` gives it a permit.
[[nodiscard]] chan_step promise_locked(channel_core& c, send_permit& permit) noexcept;

/// Puts a cell into a place that was promised, or gives the place up when there is none.
[[nodiscard]] chan_step fulfil_locked(channel_core& c, const void* cell) noexcept;
/// Everybody who waits on a channel that is closed, linked by `next_woken`; receivers only once nothing more will come.
[[nodiscard]] chan_waiter* claim_all_locked(channel_core& c) noexcept;

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

/// What every operation begins with: a safepoint, and a cancellation point. Throws std::logic_error on a foreign
/// thread while there is a simulation.
void operation_point();

}  // namespace weft::detail
