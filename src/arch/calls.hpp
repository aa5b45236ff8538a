// Calls between the runtime and the program, and to where there is room, as far as split stacks make them special.
//
// Where no stack is split these are plain calls (plain_calls.cpp); in programs with split stacks x86_64/enter.S takes
// their place. Everything in the runtime that calls the program's code does so by call_user().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace weft::detail {

/// Runs f(a, b), which is the program's: on the coroutine's own stack, where it may grow and be preempted.
/// `f` is any function of at most two pointers; what it returns comes back if it is a pointer.
extern "C" void* weft_call_user(void (*f)(), void* a, void* b);
inline void call_user(void (*f)(void*), void* a) {
    weft_call_user(reinterpret_cast<void (*)()>(f), a, nullptr);
}
inline void call_user(void (*f)(void*) noexcept, void* a) noexcept {
    weft_call_user(reinterpret_cast<void (*)()>(f), a, nullptr);
}
inline void* call_user(void* (*f)(const void*), const void* a) {
    return weft_call_user(reinterpret_cast<void (*)()>(f), const_cast<void*>(a), nullptr);
}
/// The same for what is no plain call: f() may call the program as it likes. It has a large stack for it.
template <class F>
inline void call_user(F&& f) {
    void (*const run)(void*) = [](void* g) { (*static_cast<std::remove_reference_t<F>*>(g))(); };
    call_user(run, const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

/// The same for f(argument), where weft_noting_personality() is asked about each exception that leaves it, before anything
/// is unwound: x86_64/noted_call.S.
#if defined(__x86_64__)
extern "C" void weft_call_noting_throws(void (*f)(void*), void* argument);
#else
inline void weft_call_noting_throws(void (*f)(void*), void* argument) { call_user(f, argument); }
#endif

/// The same with at least `bytes` of stack, when the coroutine's is a split one; false, and nothing has happened, when it
/// is not.
extern "C" bool weft_call_user_with_room(void (*f)(void*), void* argument, std::size_t bytes);

/// The same for a function of the runtime's. In the program's mode one would not be safe: what it calls on the scheduler
/// stack may be an entry into the runtime, which would look for room there.
extern "C" bool weft_call_inside_with_room(void (*f)(void*), void* argument, std::size_t bytes);

/// Runs f(argument) on the scheduler stack, when the coroutine's own is a split one. It does not park.
extern "C" void weft_on_scheduler_stack(void (*f)(void*), void* argument);
template <class F>
inline void on_scheduler_stack(F&& f) {
    weft_on_scheduler_stack([](void* g) { (*static_cast<std::remove_reference_t<F>*>(g))(); },
                            std::addressof(f));
}

/// Whether this is a program with split stacks.
extern "C" bool weft_splits_stacks() noexcept;

/// The smallest class of first segment that has room for the runtime's own frames: 0, unless the compiler that it was built
/// with makes larger ones.
extern "C" const unsigned weft_first_class_min;

/// The word that the prologues of code compiled for split stacks compare with, of the calling thread.
[[nodiscard]] inline std::atomic<std::uintptr_t>* this_stack_limit() noexcept {
#if defined(__x86_64__)
    std::uintptr_t thread = 0;
    asm("movq %%fs:0, %0" : "=r"(thread));
    return reinterpret_cast<std::atomic<std::uintptr_t>*>(thread + 0x70);
#else
    return nullptr;
#endif
}

}  // namespace weft::detail
