// What the code above needs to know of the CPU.
#pragma once

#include <atomic>

namespace weft::detail {

/// In a loop that waits for another core.
inline void cpu_pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
}

/// A full fence where an atomic read-modify-write, of whatever order, came just before. On x86 that has been one.
inline void fence_behind_rmw() noexcept {
#if defined(__x86_64__)
    std::atomic_signal_fence(std::memory_order_seq_cst);
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

/// Where the stack of the function that this is inlined into ends.
[[gnu::always_inline]] inline void* stack_pointer() noexcept {
#if defined(__x86_64__)
    void* sp;
    asm volatile("movq %%rsp, %0" : "=r"(sp));
    return sp;
#elif defined(__aarch64__)
    void* sp;
    asm volatile("mov %0, sp" : "=r"(sp));
    return sp;
#else
    return __builtin_frame_address(0);
#endif
}

}  // namespace weft::detail
