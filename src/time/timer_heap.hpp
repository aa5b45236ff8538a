// The timers of one processor: a 4-ary heap by deadline.
//
//     entries_   [0] earliest; children of i at 4i + 1 .. 4i + 4
//
// Four children rather than two: half the depth, and the four lie in two cache lines, so a sift reads fewer
// lines in all (known from Go's timers, and from LaMarca and Ladner). An entry is 24 bytes, held by value:
// it names what to fire by a ticket, and a ticket may be stale. Cancelling therefore touches no heap; it only counts
// (`forget`), and when half of the entries may be dead a sweep begins to drop those that can no longer fire.
//
// The sweep goes in steps: each call of forget() looks at up to 64 entries, so that nobody waits for the lock while a
// million are looked at. A cursor goes from the end to the root:
//
//     [ not looked at yet | cursor | looked at, or added since ]
//
// An entry that is taken out leaves a hole; the last entry fills it, after the hole has sunk along its earliest children.
// Children lie behind the cursor, so nothing that was not looked at moves past it downwards but one entry: when
// the filler rises above the hole its parents come down, and the lowest of them fills the hole. The cursor therefore stays
// until what it points at can fire. An entry that is added and rises past the cursor moves one down likewise; that one
// counts as dead again, because the sweep will not see it.
//
// Locking. The owner adds and runs; other processors run what is due when they find nothing else to do. All
// under the lock, which is uncontended but for them. `earliest` is published under it, and read without:
//   - by idle machines, to know until when to sleep. Edge *new deadline*, keep_timers() in sched/wake.cpp.
#pragma once

#include "base/config.hpp"
#include "mem/page_array.hpp"
#include "os/ranked_lock.hpp"
#include "sched/processor.hpp"
#include "sched/work_source.hpp"

#include <cstddef>
#include <cstdint>

namespace weft::detail {

class timer_heap {
public:
    struct entry {
        std::int64_t when;
        timer_event event;
    };

    /// A sweep looks at no more entries a call.
    static constexpr std::size_t looks_a_step = tiny_limits ? 4 : 64;

    timer_heap() = default;
    ~timer_heap();
    timer_heap(const timer_heap&) = delete;
    timer_heap& operator=(const timer_heap&) = delete;

    /// `p` is the owner, here and below. Returns whether it is the earliest now. Throws std::bad_alloc.
    bool add(processor& p, std::int64_t when, const timer_event& event);
    void forget(processor& p) noexcept;
    std::size_t drop_forgotten(processor& p, std::size_t most) noexcept;
    /// Goes on with a sweep that is due or under way, for a moment. Returns how many bytes of entries it dropped.
    std::size_t cool(processor& p) noexcept;
    std::size_t run_due(processor& p, std::int64_t now) noexcept;
    [[nodiscard]] std::size_t size() noexcept;
    /// Returns how much address space the entries take.
    [[nodiscard]] std::size_t reserved_bytes() noexcept;

private:
    void push(const entry& e);
    entry pop() noexcept;
    void remove(std::size_t at) noexcept;
    std::size_t sift_up(std::size_t at, const entry& e) noexcept;
    [[nodiscard]] std::size_t sink_hole(std::size_t at) noexcept;
    [[nodiscard]] bool sweep_is_due() const noexcept;
    std::size_t sweep_step() noexcept;
    void publish(processor& p) noexcept;

    ranked_lock lock_{lock_rank::timers};
    page_array<entry> entries_;
    std::size_t dead_ =
        0;  // At most: some may have been popped since. Those before the cursor do not count.
    std::size_t cursor_ =
        0;  // Entries before it are still to be looked at; 0: no sweep is under way.
};

/// What the composition root plugs into the scheduler.
extern const timer_source heap_timers;

}  // namespace weft::detail
