// Telling AddressSanitizer and ThreadSanitizer about stack switches. Nothing in other builds.
//
// ThreadSanitizer sees a *fiber* for each stack. Its fibers are switched without an edge between them
// (`no_sync`): that two coroutines happen to share a thread orders nothing in the program's logic, and an
// edge would hide the program's races. (Not so under testing::simulate(): there all of a program runs in one
// thread, its races are looked for by what they lead to, and every switch is an edge.) There is one fiber a stack, for as long as the stack's slot
// exists, and at most tsan_fibers_max of them. Each fiber has a shadow of its calls, so no call may begin on
// one fiber and end on another: everything around a jump is inline, and who never returns says so.
#pragma once

#include "base/config.hpp"

#include <atomic>
#include <cstddef>

#if WEFT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if WEFT_TSAN
#include <sanitizer/tsan_interface.h>
extern "C" void __tsan_func_exit();  // What the compiler calls at the end of every function.
#endif

namespace weft::detail {

#if WEFT_TSAN
inline constinit std::atomic<unsigned> tsan_switch_flags{__tsan_switch_to_fiber_no_sync};
#endif

/// Whether ThreadSanitizer takes a switch for an edge. While nothing runs.
inline void switches_are_edges([[maybe_unused]] bool edges) noexcept {
#if WEFT_TSAN
    tsan_switch_flags.store(edges ? 0 : unsigned{__tsan_switch_to_fiber_no_sync},
                            std::memory_order_relaxed);
#endif
}

/// Immediately before a jump to the stack [bottom, bottom + size). `fake_stack` receives what
/// after_switch() of the same context needs; null when this context never continues.
[[gnu::always_inline]] inline void before_switch([[maybe_unused]] void** fake_stack,
                                                 [[maybe_unused]] const void* bottom,
                                                 [[maybe_unused]] std::size_t size,
                                                 [[maybe_unused]] void* tsan_fiber) noexcept {
#if WEFT_ASAN
    __sanitizer_start_switch_fiber(fake_stack, bottom, size);
#endif
#if WEFT_TSAN
    if (tsan_fiber != nullptr) {
        __tsan_switch_to_fiber(tsan_fiber, tsan_switch_flags.load(std::memory_order_relaxed));
    }
#endif
}

/// First thing behind a jump; null on the first entry of a context.
[[gnu::always_inline]] inline void after_switch([[maybe_unused]] void* fake_stack) noexcept {
#if WEFT_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

/// In a function that leaves its stack for good, before before_switch(): its shadow frame goes too.
[[gnu::always_inline]] inline void drop_shadow_frame() noexcept {
#if WEFT_TSAN
    __tsan_func_exit();
#endif
}

/// A stack is about to be used afresh: what its last user left poisoned is good again.
inline void unpoison_stack([[maybe_unused]] void* bottom,
                           [[maybe_unused]] std::size_t size) noexcept {
#if WEFT_ASAN
    __asan_unpoison_memory_region(bottom, size);
#endif
}

[[nodiscard]] inline void* this_tsan_fiber() noexcept {
#if WEFT_TSAN
    return __tsan_get_current_fiber();
#else
    return nullptr;
#endif
}

/// g++ 12's runtime dies at 8,128 fibers.
inline constexpr std::size_t tsan_fibers_max = 4000;

/// Aborts with a clear message when there are too many.
[[nodiscard]] void* new_tsan_fiber() noexcept;
void delete_tsan_fiber(void* fiber) noexcept;

/// The calling thread's thread-local variables, errno among them, belong to whichever fiber runs on it:
/// ThreadSanitizer must not take two fibers' use of them for a race.
void share_thread_storage() noexcept;

}  // namespace weft::detail
