// One who waits on a channel, alone or with others of a select.
//
// The waiters of one select share a ticket and a *meeting*. Who claims the ticket, by one of them, hands over through
// that one, notes it as the winner, and wakes.
//
// Who wakes has written cell, `how` and winner before, and who is woken reads them behind that: see wake_claimed() in
// sched/park.hpp.
#pragma once

#include <weft/detail/channel_core.hpp>

#include "sync/waiter.hpp"

#include <cstdint>

namespace weft::detail {

struct chan_waiter;

struct meeting {
    chan_waiter* winner = nullptr;
};

enum class meeting_end : std::uint8_t {
    none,
    done,  // The cell has been copied; or, of a sender with a `source`, the value has been taken from there.
    closed,    // The channel was.
    promised,  // A sender with a `source` has a place in the buffer.
    retry,     // Nothing has happened after all: the other side's move threw.
};

struct chan_waiter : waiter {
    chan_waiter(const ticket& t, void* where, void* value) noexcept
        : waiter{t}, cell(where), source(value) {}

    void* cell;                 // A receiver's: where to. A sender's: from where.
    void* source;               // Of a sender that has no cell: its value.
    meeting* shared = nullptr;  // Of a select.
    meeting_end how = meeting_end::none;
    // Written by whom they concern, and read by nobody else.
    std::uint32_t index;      // Of a select: which case.
    std::uintptr_t promise;   // Of `promised`.
    chan_waiter* next_woken;  // In a meeting_chain.
};

/// Ends the wait of `w`, which the caller has claimed. It may be gone when this returns.
inline void end_meeting(chan_waiter& w, meeting_end how,
                        void (*wake)(ticket) noexcept = &wake_claimed) noexcept {
    const ticket who = w.who;
    w.how = how;
    if (w.shared != nullptr) w.shared->winner = &w;
    wake(who);
}

}  // namespace weft::detail
