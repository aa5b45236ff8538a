#include "sched/simulation.hpp"

#include <weft/go.hpp>

#include "os/clock.hpp"
#include "sched/machine.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"

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
    if (self != nullptr && sim->gives_way()) yield_current(*self);
}

bool simulated() noexcept { return sched.sim.load(std::memory_order_relaxed) != nullptr; }

}  // namespace weft::detail
