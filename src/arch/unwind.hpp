// The CPU's part of walking the frames of a context that does not run.
#pragma once

#include <cstdint>
#include <unwind.h>

namespace weft::detail {

/// Where a thread has left the program for the kernel.
struct thread_place {
    std::uintptr_t pc = 0;  // The instruction to go on at.
    std::uintptr_t sp = 0;
};

#if defined(__x86_64__)

/// _Unwind_Backtrace over the frames of a suspended context, as if that one had called it: x86_64/unwind.S. The first
/// frame that `each` is shown is weft_unwind_parked's own. The context must be one that weft_jump left, and stay
/// suspended meanwhile.
extern "C" _Unwind_Reason_Code weft_unwind_parked(const void* context, _Unwind_Trace_Fn each,
                                                  void* argument) noexcept;

/// The same over the frames of a thread that is at `at`. Its other registers are unknown, so the walk goes as far as frames are
/// found without them.
extern "C" _Unwind_Reason_Code weft_unwind_from(const thread_place* at, _Unwind_Trace_Fn each,
                                                void* argument) noexcept;

/// Whether the context has the frame that weft_unwind_parked() describes. Not so where Boost.Context was built to save
/// something more, nor for one that has not run yet.
extern "C" bool weft_goes_on_at_resume(const void* context) noexcept;

/// f(argument), which must not throw, for which unwinders take that suspended context for the caller. So what is called
/// on a stack of its own is seen to have been called by who waits for it.
extern "C" void weft_call_over(const void* context, void (*f)(void*), void* argument);

#else

inline _Unwind_Reason_Code weft_unwind_parked(const void*, _Unwind_Trace_Fn, void*) noexcept {
    return _URC_END_OF_STACK;
}
inline _Unwind_Reason_Code weft_unwind_from(const thread_place*, _Unwind_Trace_Fn, void*) noexcept {
    return _URC_END_OF_STACK;
}
inline bool weft_goes_on_at_resume(const void*) noexcept { return false; }
inline void weft_call_over(const void*, void (*f)(void*), void* argument) { f(argument); }

#endif

}  // namespace weft::detail
