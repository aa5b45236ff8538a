// Where a running coroutine looks up: yield, checkpoint, and the scheduling points of a simulation.
#include <weft/go.hpp>

#include "base/stack_facts.hpp"
#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/park.hpp"
#include "sched/preempt.hpp"
#include "sched/processor.hpp"
#include "sched/simulation.hpp"

#include <thread>

namespace weft {
namespace detail {

void safepoint_slow() {
    WEFT_PARKS;
    coroutine* const self = this_coroutine();
    if (self == nullptr) return;
    preemption_point(*self);
    simulation_point();
    cancellation_point(*self);
}

}  // namespace detail

void yield() {
    WEFT_PARKS;
    detail::coroutine* const self = detail::this_coroutine();
    if (self == nullptr) {
        std::this_thread::yield();
        return;
    }
    detail::cancellation_point(*self);
    if ((self->traits & detail::trait_sticky) != 0) [[unlikely]]
        detail::unstick(*self);
    detail::yield_current(*self);
}

}  // namespace weft
