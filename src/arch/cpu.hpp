// What the code above needs to know of the CPU.
#pragma once

namespace weft::detail {

/// In a loop that waits for another core.
inline void cpu_pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
}

}  // namespace weft::detail
