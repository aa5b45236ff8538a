#include "gc/pacer.hpp"

#include "gc/heap/accounting.hpp"
#include "os/clock.hpp"
#include "sched/scheduler.hpp"
#include "stack/reserved_stack.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

namespace weft::detail {
namespace {

// Below this a collection costs more than the memory is worth.
constexpr std::uint64_t least_goal = std::uint64_t{4} << 20;
constexpr std::uint64_t no_goal = std::numeric_limits<std::uint64_t>::max();

struct {
    std::atomic<int> percent{100};
    std::atomic<std::size_t> limit{0};
    std::atomic<std::uint64_t> live{0};
    std::atomic<std::uint64_t> goal{least_goal};
    // When to begin, so that the cycle ends at the goal: by what has been allocated during the last ones.
    std::atomic<std::uint64_t> trigger{least_goal};
    std::atomic<std::uint64_t> meanwhile{0};
    // For a limit: the collector takes no more than half of the time.
    std::atomic<std::int64_t> not_before{0};
    std::atomic<std::int64_t> limited{0};
    std::atomic<bool> over{false};
} pacer;

// Tables, and stacks as far as they are memory: of reserved ones it is not known how much has been touched, and a page or two is
// what most have.
std::uint64_t other_bytes() noexcept {
    const std::uint64_t reserved = sched.stacks.bytes_in_use() >> sched.stack_log2;
    return table_bytes_in_use() + sched.segments.bytes_out() + reserved * 8192;
}

void choose_goal() noexcept {
    const std::uint64_t live = pacer.live.load(std::memory_order_relaxed);
    const int percent = pacer.percent.load(std::memory_order_relaxed);
    std::uint64_t goal = no_goal;
    if (percent >= 0) {
        goal = std::max(live + live / 100 * static_cast<std::uint64_t>(percent),
                        least_goal / 100 * static_cast<std::uint64_t>(std::min(percent, 100)));
    }
    if (const std::uint64_t limit = pacer.limit.load(std::memory_order_relaxed); limit != 0) {
        const std::uint64_t others = other_bytes();
        // A little early, because allocation goes on while the collector marks.
        const std::uint64_t most = limit > others ? limit - others : 0;
        goal = std::min(goal, std::max(most - most / 16, live + live / 64));
    }
    pacer.goal.store(goal, std::memory_order_relaxed);
    const std::uint64_t room = goal > live ? goal - live : 0;
    const std::uint64_t lead =
        std::min(pacer.meanwhile.load(std::memory_order_relaxed), room - room / 4);
    pacer.trigger.store(goal - lead, std::memory_order_relaxed);
}

}  // namespace

int set_gc_percent(int percent) noexcept {
    const int before = pacer.percent.exchange(percent < 0 ? -1 : percent);
    choose_goal();
    return before;
}

std::size_t set_gc_limit(std::size_t bytes) noexcept {
    const std::size_t before = pacer.limit.exchange(bytes);
    choose_goal();
    return before;
}

std::size_t gc_limit() noexcept { return pacer.limit.load(std::memory_order_relaxed); }

void note_cycle(std::uint64_t live, std::int64_t took_ns,
                std::uint64_t allocated_meanwhile) noexcept {
    const std::uint64_t before = pacer.meanwhile.load(std::memory_order_relaxed);
    pacer.meanwhile.store((before + allocated_meanwhile) / 2, std::memory_order_relaxed);
    pacer.live.store(live, std::memory_order_relaxed);
    const std::size_t limit = pacer.limit.load(std::memory_order_relaxed);
    pacer.not_before.store(limit != 0 ? monotonic_ns() + took_ns : 0, std::memory_order_relaxed);
    choose_goal();
    const bool over = limit != 0 && live + other_bytes() > limit;
    if (over) pacer.limited.fetch_add(took_ns, std::memory_order_relaxed);
    pacer.over.store(over, std::memory_order_relaxed);
}

void reset_pacer() noexcept {
    pacer.live.store(0, std::memory_order_relaxed);
    pacer.meanwhile.store(0, std::memory_order_relaxed);
    pacer.not_before.store(0, std::memory_order_relaxed);
    pacer.over.store(false, std::memory_order_relaxed);
    choose_goal();
}

std::uint64_t bytes_in_use() noexcept { return live_bytes() + allocated_since_cycle(); }
std::uint64_t live_bytes() noexcept { return pacer.live.load(std::memory_order_relaxed); }
std::uint64_t goal_bytes() noexcept { return pacer.goal.load(std::memory_order_relaxed); }

bool over_limit() noexcept { return pacer.over.load(std::memory_order_relaxed); }
std::uint64_t bytes_for_limit() noexcept { return bytes_in_use() + other_bytes(); }

std::int64_t limited_ns() noexcept { return pacer.limited.load(std::memory_order_relaxed); }

std::size_t bytes_to_keep() noexcept {
    const std::uint64_t live = live_bytes();
    const std::uint64_t goal = goal_bytes();
    if (goal == no_goal) return std::numeric_limits<std::size_t>::max();
    return goal > live ? goal - live + goal / 10 : goal / 10;
}

pace pace_now() noexcept {
    const std::uint64_t used = bytes_in_use();
    if (used < pacer.trigger.load(std::memory_order_relaxed)) return pace::go_on;
    const std::int64_t not_before = pacer.not_before.load(std::memory_order_relaxed);
    if (not_before != 0 && monotonic_ns() < not_before) return pace::go_on;
    const std::uint64_t goal = pacer.goal.load(std::memory_order_relaxed);
    return used > goal + goal / 16 ? pace::make_room : pace::collect;
}

}  // namespace weft::detail
