// What every operation that may wait begins with.
#pragma once

#include <weft/detail/thread_block.hpp>

#include "sched/scheduler.hpp"

namespace weft::detail {

/// Throws std::logic_error on a foreign thread.
void refuse_outsiders();

/// A safepoint, and a cancellation point. Throws std::logic_error on a foreign thread while there is a simulation.
inline void operation_point() {
    if (safepoint_due()) [[unlikely]]
        safepoint_slow();
    if (sched.sim.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
        refuse_outsiders();
}

}  // namespace weft::detail
