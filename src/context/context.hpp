// Making and switching machine contexts: the one place that knows Boost.Context.
//
// The C entry points, not boost::context::fiber: fiber neither transfers control symmetrically nor, before
// 1.88, saves the exception state, and saving it twice would be wrong too (hence the check below). What
// travels with a coroutine beyond its registers is saved by sched/switch.cpp.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <boost/version.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weft::detail {

/// A suspended context: the stack pointer under which its registers were pushed.
using context_ref = boost::context::detail::fcontext_t;

/// What arrives on the other side of a jump: who jumped, and the word it sent.
struct arrival {
    context_ref from;
    void* word;
};

using raw_arrival = boost::context::detail::transfer_t;
using context_entry = void (*)(raw_arrival);

/// A context that will call `entry`, which never returns, on the stack below `top`.
[[nodiscard]] inline context_ref make_context(void* top, std::size_t size,
                                              context_entry entry) noexcept {
    const context_ref context = boost::context::detail::make_fcontext(top, size, entry);
#if defined(__x86_64__)
    // make_fcontext copies its maker's floating-point control words; a new coroutine starts with the
    // defaults of the ABI: MXCSR at the bottom of the frame, the x87 word behind it.
    const std::uint32_t mxcsr = 0x1f80;
    const std::uint16_t x87 = 0x037f;
    std::memcpy(context, &mxcsr, sizeof(mxcsr));
    std::memcpy(static_cast<std::byte*>(context) + 4, &x87, sizeof(x87));
#endif
    return context;
}

#if defined(__x86_64__)
/// jump_fcontext, by a detour that the CPU's return predictor likes: src/arch/x86_64/jump.S.
extern "C" raw_arrival weft_jump(context_ref to, void* word) noexcept;
#else
inline raw_arrival weft_jump(context_ref to, void* word) noexcept {
    return boost::context::detail::jump_fcontext(to, word);
}
#endif

/// Saves the registers on this stack, continues `to`, and returns when somebody jumps back.
inline arrival jump(context_ref to, void* word) noexcept {
    const raw_arrival here = weft_jump(to, word);
    return {here.fctx, here.data};
}

}  // namespace weft::detail
