// Making and switching machine contexts: the one place that knows Boost.Context.
//
// The C entry points, not boost::context::fiber: fiber neither transfers control symmetrically nor, before
// 1.88, saves the exception state, and saving it twice would be wrong too (hence the check below). What
// travels with a coroutine beyond its registers is saved by sched/switch.cpp.
#pragma once

#include "arch/jump.hpp"

#include <boost/context/detail/fcontext.hpp>
#include <boost/version.hpp>

#include <cstddef>

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
    // make_fcontext copies its maker's floating-point control words.
    set_default_float_control(context);
    return context;
}

/// Saves the registers on this stack, continues `to`, and returns when somebody jumps back.
inline arrival jump(context_ref to, void* word) noexcept {
    const jump_result here = weft_jump(to, word);
    return {here.context, here.word};
}

}  // namespace weft::detail
