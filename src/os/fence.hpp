// Asymmetric fences: the pair of a frequent side, which pays nothing, and a rare side, which pays for both.
//
//       frequent                    rare
//       x = 1                       y = 1
//       light_fence()               heavy_fence()
//       read y                      read x
//
// At least one of the two reads sees the other side's store, as if both fences were seq_cst ones. The
// kernel makes it so: membarrier(PRIVATE_EXPEDITED) runs a full fence on every CPU that runs a thread of
// this process before it returns, so the light side only has to stop the compiler. Where the kernel has
// no membarrier both sides are real fences. Known from liburcu and folly/synchronization/AsymmetricFence.
#pragma once

#include <atomic>

namespace weft::detail {

/// Set once by prepare_fences(), before the runtime's first thread; never cleared. Hidden as `sched` is.
[[gnu::visibility("hidden")]] extern bool light_fence_is_free;

/// Registers the process for membarrier; idempotent. Whether light fences are free now.
bool prepare_fences() noexcept;

inline void light_fence() noexcept {
    if (light_fence_is_free) [[likely]] {
        std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
}

/// 1 to 10 us.
void heavy_fence() noexcept;

}  // namespace weft::detail
