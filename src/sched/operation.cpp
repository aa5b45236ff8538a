#include <weft/detail/operation.hpp>

#include "base/config.hpp"
#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/simulation.hpp"

#include <stdexcept>

namespace weft::detail {

constinit std::atomic<std::uint32_t> simulation_detour{0};
constinit std::atomic<std::uint32_t> unlock_detour{assertions ? 1u : 0u};

void set_simulation_detour(bool simulating) noexcept {
    if (simulation_detour.exchange(simulating ? 1 : 0) == (simulating ? 1u : 0u)) return;
    unlock_detour.store(simulating || assertions ? 1 : 0);
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
        throw std::logic_error(
            "weft: a foreign thread can't use synchronisation objects while there "
            "is a simulation; use coroutines instead");
    }
}

void look_up_cancellably() {
    look_up();
    if (coroutine* const self = this_coroutine()) cancellation_point(*self);
}

}  // namespace weft::detail
