#include "sched/simulation.hpp"

#include <weft/go.hpp>

#include "os/clock.hpp"
#include "sched/machine.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulated_processors.hpp"

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

void simulate_compute(coroutine& self, std::int64_t ns) {
    simulation& sim = *sched.sim.load(std::memory_order_relaxed);
    if (ns <= 0) return;
    if (sim.processors() == nullptr) {
        sim.now_ns += ns;
        if (this_machine()->p->earliest_deadline.load(std::memory_order_relaxed) <= sim.now_ns) {
            yield_current(self);  // The scheduler fires it.
        } else {
            simulation_point();
        }
    } else if ((self.traits & trait_blocking) != 0) {
        sim.processors()->block(ns);
    } else {
        sim.processors()->compute(self, ns);
    }
}

simulated_call::simulated_call() noexcept {
    simulation_point_slow();
    coroutine& self = *this_coroutine();
    if (simulated_queues() == nullptr || (self.traits & trait_blocking) != 0) return;
    self.traits = static_cast<std::uint8_t>(self.traits | trait_blocking);
    marked_ = true;
}

simulated_call::~simulated_call() {
    if (!marked_) return;
    coroutine& self = *this_coroutine();
    self.traits = static_cast<std::uint8_t>(self.traits & ~unsigned{trait_blocking});
}

bool simulated() noexcept { return sched.sim.load(std::memory_order_relaxed) != nullptr; }

}  // namespace weft::detail
