#include "sched/arrivals.hpp"

#include "base/stack_facts.hpp"
#include "sched/idle.hpp"
#include "sched/monitor.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

namespace weft::detail {
namespace {

// All processors are busy. One of them comes by when its coroutine parks, yields or does anything with the runtime; and
// where some compute for long, the monitor has one make room.
void ask_for_a_look() noexcept {
    const auto all = sched.all_processors();
    const std::size_t first = sched.looks_asked.fetch_add(1, std::memory_order_relaxed);
    const machine* const here = this_machine();  // It may be about to leave its processor.
    for (std::size_t i = 0; i != all.size(); ++i) {
        machine* const m = all[(first + i) % all.size()]->holder.load(std::memory_order_relaxed);
        if (m != nullptr && m != here && request_look(*m)) break;
    }
    tell_monitor_of(now_ns());
}

}  // namespace

// Deep, for what makes others ready may be on the smallest segment, and this is on none: it comes from other threads.
[[gnu::noinline]] void arrive(coroutine& c) noexcept {
    WEFT_DEEP;
    sched.global.push_arrival(c);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // no lost wakeup, look
    wake_one();
    // Also when that has just woken the last idle one: others may have taken it, and a look in vain costs little.
    if (sched.idle_count.load(std::memory_order_relaxed) == 0) ask_for_a_look();
}

void arrive_together(std::span<coroutine* const> batch) noexcept {
    if (batch.empty()) return;
    sched.global.push_arrivals(batch);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // look
    if (sched.idle_count.load(std::memory_order_relaxed) == 0) ask_for_a_look();
}

}  // namespace weft::detail
