#include "base/backoff.hpp"

#include <atomic>
#include <thread>

namespace weft::detail {

void backoff::spin(unsigned count) noexcept {
    for (; count != 0; --count) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("isb");
#else
        std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
    }
}

void backoff::yield_thread() noexcept { std::this_thread::yield(); }

}  // namespace weft::detail
