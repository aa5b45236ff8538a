#include "gc/outcome.hpp"

#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "gc/collector.hpp"
#include "gc/heap/heap.hpp"
#include "gc/pacer.hpp"
#include "os/clock.hpp"
#include "sched/scheduler.hpp"

#include <atomic>
#include <cstdlib>

#include <unistd.h>

namespace weft::detail {
namespace {

// Relaxed, but for `cycles`: who has seen a cycle end sees what it has left.
constinit struct {
    std::atomic<std::uint64_t> cycles{0};
    std::atomic<std::uint64_t> rounds{0};
    std::atomic<std::int64_t> cpu_ns{0};
    std::atomic<std::int64_t> cpu_at_begin{0};
} counted;

void count(const cycle_result& result) noexcept {
    counted.rounds.fetch_add(result.rounds, std::memory_order_relaxed);
    counted.cpu_ns.fetch_add(result.cpu_ns, std::memory_order_relaxed);
    counted.cycles.fetch_add(1, std::memory_order_release);
}

double cpu_fraction() noexcept {
    const std::int64_t since =
        process_cpu_ns() - counted.cpu_at_begin.load(std::memory_order_relaxed);
    if (since <= 0) return 0;
    return static_cast<double>(counted.cpu_ns.load(std::memory_order_relaxed)) /
           static_cast<double>(since);
}

// One line, of which each part is key=value: what is there stays, and more may come behind it.
void trace(const cycle_result& result) noexcept {
    printer out;
    out << "weft: gc cycle=" << counted.cycles.load(std::memory_order_relaxed)
        << " rounds=" << result.rounds << " mark_us=" << result.mark_ns / 1000
        << " total_us=" << result.total_ns / 1000 << " cpu_us=" << result.cpu_ns / 1000
        << " objects=" << result.objects << " live=" << result.live_bytes
        << " heap=" << heap_bytes() << " goal=" << goal_bytes() << " released=" << released_bytes()
        << " destructors=" << result.destructors << "\n";
    out.flush();
}

constexpr std::int64_t minute_ns = 60'000'000'000;

// More is in use than the limit allows.
void say_over_limit(const cycle_result& result) noexcept {
    static std::int64_t not_before = 0;
    const bool exits = sched.opts.on_memory_limit == memory_limit_action::report_and_exit;
    const std::int64_t now = monotonic_ns();
    if (sched.opts.on_memory_limit == memory_limit_action::throw_bad_alloc) return;
    if (exits || now >= not_before) {
        not_before = now + minute_ns;
        printer out;
        out << "weft: memory limit: " << bytes_for_limit() << " bytes in use, of which "
            << result.live_bytes << " in reachable objects; the limit is " << gc_limit()
            << (exits ? "; the process ends\n" : "\n");
        out.flush();
    }
    if (exits) ::_exit(EXIT_FAILURE);
}

}  // namespace

[[gnu::noinline]] void note_outcome(const cycle_result& result) noexcept {
    WEFT_DEEP;
    if (!result.begun) return;
    count(result);
    note_cycle(result.live_bytes, result.mark_ns, result.allocated_meanwhile);
    while (scavenge(bytes_to_keep(), scavenge_step) != 0) {}
    if (sched.env.gc_trace) trace(result);
    if (over_limit()) say_over_limit(result);
}

void begin_counting() noexcept {
    counted.cpu_at_begin.store(process_cpu_ns(), std::memory_order_relaxed);
}

gc_counts count_cycles() noexcept {
    return {counted.cycles.load(std::memory_order_acquire),
            counted.rounds.load(std::memory_order_relaxed), limited_ns(), cpu_fraction()};
}

}  // namespace weft::detail
