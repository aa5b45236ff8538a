// P: the right to run coroutines, and what is cached for it.
//
// There are as many as coroutines may run at once. A machine holds at most one, and everything below that is
// not marked otherwise belongs to that machine. Holding is handed over under the idle lock, or through the
// note of the machine that is woken with it.
#pragma once

#include "base/cache_line.hpp"
#include "base/config.hpp"
#include "base/counter.hpp"
#include "base/random.hpp"
#include "base/relaxed.hpp"
#include "os/clock.hpp"
#include "sched/bias.hpp"
#include "sched/coroutine.hpp"
#include "sched/inbox.hpp"
#include "sched/machine.hpp"
#include "sched/next_slot.hpp"
#include "sched/run_queue.hpp"
#include "sched/turns.hpp"
#include "stack/reserved_stack.hpp"
#include "stack/segment_cache.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// What a thief saw of a victim's `next`, and at which dispatch.
struct glimpse {
    coroutine* next = nullptr;
    std::uint64_t tick = 0;
};

struct blocking_site;
struct gc_mutator;

struct alignas(cache_line) processor {
    processor(unsigned number, bool shared, std::uint64_t seed) noexcept
        : index(number), owner_bias(shared), ring(owner_bias), woken(owner_bias), random(seed) {}
    processor(const processor&) = delete;
    processor& operator=(const processor&) = delete;

    const unsigned index;
    bias owner_bias;

    /// Dispatches so far: the processor's time, for fairness and for whoever watches it.
    counter tick;

    /// The dispatch at which to go by way of the scheduler stack and look around; see pick.hpp. 0: at the next.
    relaxed<std::uint64_t> look_at{0};

    /// How many coroutines in a row came from `next`; and, above, a number that changes when it is found empty: what runs
    /// until then is a chain, which has one slice. In one word, for both change with every dispatch.
    relaxed<std::uint64_t> chain{0};
    static constexpr std::uint64_t streak_bits = 0xff;
    [[nodiscard]] std::uint64_t chain_number() const noexcept { return chain & ~streak_bits; }
    void begin_chain() noexcept { chain = (chain | streak_bits) + 1; }
    /// The one that yielded last, by way of the scheduler stack. It is only compared.
    relaxed<const coroutine*> yielded{nullptr};

    alignas(cache_line) next_slot next;  // Thieves look here too.
    alignas(cache_line) inbox incoming;  // Any thread.
    run_queue ring;
    run_queue
        woken;  // Arrivals: made ready by timers while others waited for the processor, or taken to be run here.

    // The last look around.
    alignas(cache_line) relaxed<std::uint64_t> look_tick{0};
    relaxed<std::int64_t> look_ns{0};
    relaxed<bool> cuts_in{false};  // What timers wake now goes to `woken`.
    relaxed<bool> from_all{
        false};  // Who is next of many arrivals: one of `woken`, or of the queue of all.
    // The coroutine that ran last was overdue, and had never run; see global_queue.hpp.
    relaxed<bool> probes{false};
    relaxed<std::uint64_t> spawned_before_probe{0};
    turns turn;

    // The time layer's. What follows the pointer is published under the heap's lock and read by anyone.
    alignas(cache_line) void* timers = nullptr;
    processor* timer_owner =
        nullptr;  // Who gets the timers that are set here: this one, but for substitutes.
    std::atomic<std::int64_t> earliest_deadline{never};
    std::atomic<std::size_t> timer_count{0};

    relaxed<bool> new_deadline{false};  // An earlier one was added; see keep_timers().

    /// Who holds it; null while it is idle. Written with machine::p; the monitor reads it.
    std::atomic<machine*> holder{nullptr};
    /// Not 0: the holder is in a short blocking call, and whoever takes this back to 0 has the processor.
    std::atomic<std::uint64_t> call{0};
    relaxed<blocking_site*> call_site{nullptr};  // Of that call.

    // Of a processor that was added for a thread that does not respond; see compensate.hpp.
    relaxed<processor*> compensates{nullptr};
    relaxed<std::uint64_t> stuck_tick{0};
    std::atomic<bool> retiring{false};

    /// When a thief last took what was in `next`, and at which dispatch. Relaxed: only a guess rests on it (trait_goes_on).
    std::atomic<std::int64_t> stolen_at{0};
    std::atomic<std::uint64_t> stolen_tick{0};

    processor* idle_link = nullptr;  // Under the idle lock.
    bool idle = false;
    bool spare = false;  // A substitute that is out of use. Under the idle lock.

    // The collector's; see collector.hpp.
    /// The last of its requests that was answered here. Written by the holder, or, under the idle lock, for a processor that
    /// nobody holds.
    std::atomic<std::uint32_t> answered{0};
    /// What a thread that holds it has as thread_block::heap and thread_block::mutator. Set once, by the holder or by the
    /// collector; the mutator is stored last, with release.
    std::atomic<gc_local_head*> heap{&gc_no_heap};
    std::atomic<gc_mutator*> mutator{nullptr};

    alignas(cache_line) owner_cache<coroutine*, tiny_limits ? 4 : 128> coroutines;
    owner_cache<stack_ref, tiny_limits ? 2 : 32> stacks;
    segment_cache segments;
    relaxed<std::uint64_t> next_id{0};  // Ids up to `last_id` are this processor's to give out.
    relaxed<std::uint64_t> last_id{0};
    random_source random;
    glimpse* seen = nullptr;  // One a processor; what this one, as a thief, saw a round ago.

    // Statistics.
    alignas(cache_line) counter spawned;
    counter finished;
    counter steals;
    counter parks;
    counter preemptions;
    counter cut_ins;
    counter handoffs;
    counter retakes;
    // Waits for descriptors that have begun and ended here: the difference of all is how many there are.
    counter outside_begun;
    counter outside_ended;
};

/// No object can be allocated on the thread from here on.
inline void hide_heap(thread_block& block) noexcept {
    block.heap.store(&gc_no_heap, std::memory_order_relaxed);
    block.mutator.store(nullptr, std::memory_order_relaxed);
}
/// They can again.
inline void show_heap(thread_block& block, const processor& p) noexcept {
    gc_mutator* const mutator = p.mutator.load(std::memory_order_acquire);
    block.heap.store(p.heap.load(std::memory_order_relaxed), std::memory_order_relaxed);
    block.mutator.store(mutator, std::memory_order_relaxed);
}

/// From here on `m` holds `p`, which nobody else does.
inline void hold(machine& m, processor& p) noexcept {
    m.p = &p;
    m.block->segments.store(&p.segments, std::memory_order_relaxed);
    show_heap(*m.block.get(), p);
    p.holder.store(&m, std::memory_order_relaxed);
}

/// It no longer holds its processor.
inline processor& let_go(machine& m) noexcept {
    processor& p = *m.p;
    hide_heap(*m.block.get());
    p.holder.store(nullptr, std::memory_order_relaxed);
    m.p = nullptr;
    return p;
}

}  // namespace weft::detail
