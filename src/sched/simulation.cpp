#include "sched/simulation.hpp"

#include <weft/go.hpp>

#include "os/clock.hpp"
#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulated_processors.hpp"

#include <algorithm>

namespace weft::detail {

std::int64_t now_ns() noexcept {
    const simulation* const sim = sched.sim.load(std::memory_order_relaxed);
    if (sim != nullptr && this_machine() != nullptr) [[unlikely]]
        return sim->now_ns;
    return monotonic_ns();
}

bool outside_simulation() noexcept {
    return sched.sim.load(std::memory_order_relaxed) != nullptr && this_machine() == nullptr;
}

void simulation_point_slow() noexcept {
    simulation* const sim = sched.sim.load(std::memory_order_relaxed);
    if (sim == nullptr) [[likely]]
        return;
    coroutine* const self = this_coroutine();
    if (self == nullptr) return;
    if (sim->processors() != nullptr) {
        sim->processors()->operate(*self);
    } else if (sim->gives_way()) {
        yield_current(*self);
    }
}

namespace {

// There is one processor, so time goes on to the next timer, which the scheduler fires; others may come then, and each
// millisecond, before this one goes on. Returns how much is left when, if `heeds_cancel`, it is asked to stop before.
std::int64_t compute_alone(simulation& sim, coroutine& self, std::int64_t ns,
                           bool heeds_cancel) noexcept {
    constexpr std::int64_t step = 1'000'000;
    for (;;) {
        if (heeds_cancel && is_asked_to_stop(self)) return ns;
        const processor& p = *this_machine()->p;
        const std::int64_t due = p.earliest_deadline.load(std::memory_order_relaxed);
        const std::int64_t until_due = std::max(due, sim.now_ns) - sim.now_ns;
        const std::int64_t part = std::min({ns, until_due, step, never - 1 - sim.now_ns});
        sim.now_ns += part;
        ns -= part;
        if (ns == 0 || sim.now_ns == never - 1) return 0;
        if (part == until_due) {
            yield_current(self);
        } else {
            simulation_point();
        }
    }
}

}  // namespace

std::int64_t simulate_compute(coroutine& self, std::int64_t ns, bool heeds_cancel) {
    simulation& sim = *sched.sim.load(std::memory_order_relaxed);
    if (ns <= 0) {
        simulation_point();
        return 0;
    }
    if (sim.processors() == nullptr) {
        const std::int64_t left = compute_alone(sim, self, ns, heeds_cancel);
        simulation_point();
        return left;
    }
    if ((self.traits & trait_blocking) == 0)
        return sim.processors()->compute(self, ns, heeds_cancel);
    sim.processors()->block(ns);
    return 0;
}

simulated_call::simulated_call() noexcept {
    simulation_point_slow();
    coroutine& self = *this_coroutine();
    if ((self.traits & trait_blocking) != 0) return;
    self.mark(trait_blocking);
    marked_ = true;
}

simulated_call::~simulated_call() {
    if (!marked_) return;
    this_coroutine()->unmark(trait_blocking);
}

bool simulated() noexcept { return sched.sim.load(std::memory_order_relaxed) != nullptr; }

}  // namespace weft::detail
