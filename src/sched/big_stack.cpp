// Calling a function on a larger stack, within the same coroutine.
#include <weft/go.hpp>

#include "arch/calls.hpp"
#include "arch/unwind.hpp"
#include "base/stack_facts.hpp"
#include "context/context.hpp"
#include "context/sanitizer.hpp"
#include "sched/big_stack.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/switch.hpp"

#include <new>

namespace weft::detail {
namespace {

constexpr unsigned log2_smallest = 17;  // 128 KiB: 64 KiB and a guard fit.

struct borrowed_call {
    void (*f)(void*);
    void* argument;
    coroutine* self;
    stack_ref home;
    borrowed_note* note;
};

// An exception would find the handlers of who waits below, on a stack to which only our jump leads back.
void call_without_throwing(void* what) noexcept {
    const auto& call = *static_cast<const borrowed_call*>(what);
    call.f(call.argument);
}

void announce_stack(void** fake_stack, stack_ref stack) noexcept {
    // The same coroutine, and so the same fiber: only AddressSanitizer needs to know.
    if constexpr (asan_build) before_switch(fake_stack, stack.base(), stack.size(), nullptr);
}

// The bottom frame of a borrowed stack. f may park and go on elsewhere; the stack is the coroutine's until
// the jump back, and the context to jump back to is in this frame.
void on_borrowed_stack(raw_arrival raw) {
    if constexpr (asan_build) after_switch(nullptr);
    auto& call = *static_cast<borrowed_call*>(raw.data);
    call.note->context = raw.fctx;
    if (weft_goes_on_at_resume(raw.fctx)) {
        weft_call_over(raw.fctx, call_without_throwing, &call);
    } else {
        call_without_throwing(&call);
    }
    if (call.self != nullptr) {
        call.self->stack = call.home;
        if (!call.note->home_is_borrowed) call.self->unmark(trait_borrows);
    }
    announce_stack(nullptr, call.home);
    jump(raw.fctx, nullptr);
    __builtin_unreachable();
}

}  // namespace

WEFT_NOIPA void call_on_big_stack(void (*f)(void*), void* argument, std::size_t bytes) {
    WEFT_CALLS_NOTHING;
    simulation_point();
    if (bytes < sched.opts.max_stack && weft_call_user_with_room(f, argument, bytes)) return;
    // Inside blocking() the thread has no coroutine to show, but its stack is one all the same: `home` is
    // found by address.
    const coroutine* const self = this_coroutine();
    if (self != nullptr && self->stack.get().is_split())
        throw std::bad_alloc();  // Above max_stack.
    char here;
    const stack_ref home = sched.stacks.find(reinterpret_cast<std::uintptr_t>(&here)).stack;
    if (!home) {
        f(argument);  // A thread's own stack is large.
        return;
    }
    unsigned log2 = log2_smallest;
    while (log2 <= stack_store::log2_max &&
           (std::size_t{1} << log2) - stack_store::guard_size(log2) < bytes) {
        ++log2;
    }
    if (log2 > stack_store::log2_max) throw std::bad_alloc();
    const stack_ref stack = sched.stacks.take(log2);
    if (!stack) throw std::bad_alloc();

    const std::size_t guard = stack_store::guard_size(log2);
    unpoison_stack(stack.base() + guard, stack.size() - guard);
    borrowed_note* const note = &note_of_borrowed(stack);
    borrowed_call call{f, argument, this_coroutine(), home, note};
    *note = {home, nullptr, call.self != nullptr && (call.self->traits & trait_borrows) != 0};
    if (call.self != nullptr) {
        call.self->stack = stack;
        call.self->mark(trait_borrows);
    }
    const context_ref context =
        make_context(note, stack.size() - guard - sizeof(borrowed_note), on_borrowed_stack);
    void* fake_stack = nullptr;
    announce_stack(&fake_stack, stack);
    jump(context, &call);
    if constexpr (asan_build) after_switch(fake_stack);
    if (!sched.stacks.canary_intact(stack)) report_canary(stack);
    sched.stacks.give(stack);
}

}  // namespace weft::detail
