#include "os/fence.hpp"

#include "base/assert.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weft::detail {

bool light_fence_is_free = false;

bool prepare_fences() noexcept {
    // Written once at most: who comes later may do so while others read it.
    if (!light_fence_is_free &&
        ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0) {
        light_fence_is_free = true;
    }
    return light_fence_is_free;
}

void heavy_fence() noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (light_fence_is_free) {
        WEFT_CHECK(::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
    }
}

}  // namespace weft::detail
