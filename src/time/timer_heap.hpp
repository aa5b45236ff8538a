// The timers of one processor: a 4-ary heap by deadline.
//
//     entries_   [0] earliest; children of i at 4i + 1 .. 4i + 4
//
// Four children rather than two: half the depth, and the four lie in two cache lines, so a sift reads fewer
// lines in all (known from Go's timers, and from LaMarca and Ladner). An entry is 24 bytes, held by value:
// it names what to fire by a ticket, and a ticket may be stale. Cancelling therefore touches no heap; it only counts
// (`forget`), and when half of the entries are dead a sweep drops those that can no longer fire.
//
// Locking. The owner adds and runs; other processors run what is due when they find nothing else to do. All
// under the lock, which is uncontended but for them. `earliest` is published under it, and read without:
//   - by idle machines, to know until when to sleep. Edge *new deadline*, keep_timers() in sched/wake.cpp.
#pragma once

#include "sched/processor.hpp"
#include "sched/work_source.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "os/ranked_lock.hpp"

namespace weft::detail {

class timer_heap {
public:
    struct entry {
        std::int64_t when;
        timer_event event;
    };

    /// Throws std::bad_alloc.
    void add(processor& p, std::int64_t when, const timer_event& event);
    void forget(processor& p) noexcept;
    void drop_forgotten(processor& p) noexcept;
    std::size_t run_due(processor& p, std::int64_t now) noexcept;
    [[nodiscard]] std::size_t size() noexcept;

private:
    void push(const entry& e);
    entry pop() noexcept;
    void sift_up(std::size_t at, const entry& e) noexcept;
    void sift_up_to(std::size_t root, std::size_t at, const entry& e) noexcept;
    [[nodiscard]] std::size_t sink_hole(std::size_t at) noexcept;
    void drop_dead() noexcept;
    void publish(processor& p) noexcept;

    ranked_lock lock_{lock_rank::timers};
    std::vector<entry> entries_;
    std::size_t dead_ = 0;  // At most: some may have been popped since.
};

/// What the composition root plugs into the scheduler.
extern const timer_source heap_timers;

}  // namespace weft::detail
