#include <weft/runtime.hpp>

#include "base/stack_facts.hpp"
#include "sched/compensate.hpp"
#include "sched/scheduler.hpp"
#include "sched/stall.hpp"
#include "sched/trim.hpp"

namespace weft {

using namespace detail;

WEFT_NOIPA runtime_stats stats() noexcept {
    WEFT_CALLS_NOTHING;
    runtime_stats s;
    const foreign_visit
        visit;  // On a machine too: stop must not take the processors away meanwhile.
    if (!visit) return s;
    for (processor* p : sched.all_processors()) {
        s.spawned += p->spawned.read();
        s.switches += p->tick.read();
        s.steals += p->steals.read();
        s.parks += p->parks.read();
        s.preemptions += p->preemptions.read();
        s.handoffs += p->handoffs.read();
        s.retakes += p->retakes.read();
        s.cut_ins += p->cut_ins.read();
        s.runnable += p->ring.size() + p->woken.size() + (p->next.peek() != nullptr ? 1 : 0);
        s.timers += sched.hooks.timers->count(*p);
    }
    s.spawned += sched.foreign_spawned.load(std::memory_order_relaxed);
    s.coroutines = live_coroutines();
    s.runnable += sched.global.size();
    s.threads = sched.machine_count.load(std::memory_order_relaxed) +
                sched.helper_threads.load(std::memory_order_relaxed);
    const compensation_counts added = compensations();
    s.compensations = added.added;
    s.unstuck = added.unstuck;
    s.stalls = stalls();
    s.trimmed_bytes = trimmed_bytes();
    s.processors = sched.active_count.load(std::memory_order_relaxed);
    s.stack_bytes = sched.stacks.bytes_in_use() + sched.segments.bytes_out();
    return s;
}

unsigned processors() noexcept {
    const foreign_visit visit;
    return visit ? sched.active_count.load(std::memory_order_relaxed) : 0;
}

}  // namespace weft
