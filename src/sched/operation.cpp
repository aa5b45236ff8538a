#include <weft/detail/operation.hpp>

#include "base/config.hpp"
#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/simulation.hpp"

#include <stdexcept>

namespace weft::detail {

constinit std::atomic<std::uint32_t> detours{assertions ? detour_checked : 0u};

bool look_up_quietly() noexcept {
    if (coroutine* const self = this_coroutine()) {
        preemption_point(*self);
        simulation_point();
        return true;
    }
    return !outside_simulation();
}

void look_up() {
    if (!look_up_quietly()) {
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
