#include <weft/detail/operation.hpp>

#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/simulation.hpp"

#include <stdexcept>

namespace weft::detail {

constinit std::atomic<std::uint32_t> simulation_detour{0};

void set_simulation_detour(bool simulating) noexcept {
    simulation_detour.store(simulating ? 1 : 0);
}

void look_up() {
    refuse_outside_simulation();
    if (coroutine* const self = this_coroutine()) {
        preemption_point(*self);
        simulation_point();
    }
}

void refuse_outside_simulation() {
    if (outside_simulation()) {
        throw std::logic_error("weft: a foreign thread can't use channels and synchronisation "
                               "objects while there is a "
                               "simulation; use coroutines instead");
    }
}

void look_up_cancellably() {
    look_up();
    if (coroutine* const self = this_coroutine()) cancellation_point(*self);
}

}  // namespace weft::detail
