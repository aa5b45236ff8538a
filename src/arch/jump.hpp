// The CPU's part of a context switch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weft::detail {

/// What arrives on the other side: laid out as Boost.Context's transfer_t, and returned in registers like it.
struct jump_result {
    void* context;
    void* word;
};

#if defined(__x86_64__)

/// jump_fcontext, by a detour that the CPU's return predictor likes: x86_64/jump.S.
extern "C" jump_result weft_jump(void* to, void* word) noexcept;

/// Gives a context that has not started the ABI's defaults: MXCSR at the bottom of its frame, the x87 control
/// word behind it.
inline void set_default_float_control(void* context) noexcept {
    const std::uint32_t mxcsr = 0x1f80;
    const std::uint16_t x87 = 0x037f;
    std::memcpy(context, &mxcsr, sizeof(mxcsr));
    std::memcpy(static_cast<std::byte*>(context) + 4, &x87, sizeof(x87));
}

/// Gives them to the calling thread.
inline void load_default_float_control() noexcept {
    const std::uint32_t mxcsr = 0x1f80;
    const std::uint16_t x87 = 0x037f;
    asm volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87));
}

#else

extern "C" jump_result jump_fcontext(void* to, void* word);

inline jump_result weft_jump(void* to, void* word) noexcept { return jump_fcontext(to, word); }

/// The frame of this CPU holds no control words.
inline void set_default_float_control(void*) noexcept {}
inline void load_default_float_control() noexcept {}

#endif

}  // namespace weft::detail
