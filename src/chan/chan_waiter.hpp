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
    std::uint32_t index = 0;     // Which case of a select.
    std::uintptr_t promise = 0;  // Of `promised`.
    meeting_end how = meeting_end::none;
    chan_waiter* next_woken = nullptr;  // Of those that one step wakes.
};

/// Ends the wait of `w`, which the caller has claimed. It may be gone when this returns.
inline void end_meeting(chan_waiter& w, meeting_end how,
                        void (*wake)(ticket) noexcept = &wake_claimed) noexcept {
    const ticket who = w.who;
    w.how = how;
    w.shared->winner.store(&w, std::memory_order_release);  // meeting
    wake(who);
}

}  // namespace weft::detail
