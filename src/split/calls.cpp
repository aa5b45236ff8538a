// What only programs with split stacks have: the C++ ends of src/arch/x86_64/{morestack,thunks,enter}.S.
#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "sched/collector.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "sched/split_stack.hpp"
#include "sched/switch.hpp"
#include "split/mode.hpp"

#include <array>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <unwind.h>

#include <ucontext.h>

namespace weft::detail {
namespace {

// Whether a coroutine that was asked to yield may be interrupted where it is. Not on its way to park, where others may make
// it ready already: what waits is mostly the runtime, which is not interrupted, but tests wait by its means, too.
bool may_preempt(const coroutine& self, const machine& m) noexcept {
    return m.p.get() != nullptr &&
           self.state.load(std::memory_order_relaxed) == co_state::running &&
           !self.stack.get().newest()->over_borrowed() && self.no_preempt_depth == 0 &&
           self.lock_depth == 0 && m.exceptions->uncaught == 0;
}

}  // namespace

void leave_newest_segment(coroutine& self) noexcept {
    segment& left = *self.stack.get().newest();
    segment_cache& cache = this_machine()->p->segments;
    self.stack = stack_ref(left.below);
    left.link = cache.left_behind;
    cache.left_behind = &left;
}

void leave_segments_above(coroutine& self, std::uintptr_t sp) noexcept {
    const segment* holder = self.stack.get().newest();
    while (holder != nullptr && !holder->holds(sp)) holder = holder->below;
    if (holder == nullptr) return;
    while (self.stack.get().newest() != holder) leave_newest_segment(self);
    thread_block& block = *this_thread_block();
    // A handler that is left by a jump does not put it back.
    block.scheduler_sp.store(this_machine()->scheduler_context, std::memory_order_relaxed);
    enter_user_mode(block, *holder);
}

extern "C" {

bool weft_splits_stacks() noexcept { return true; }

/// 0, 1, 2: vector registers of 16, 32 and 64 bytes.
[[gnu::visibility("hidden")]] std::uint8_t weft_vector_level = 0;

/// Functions that are called in place: see thunks.S. One slot more, for the neighbour of the last.
[[gnu::visibility("hidden")]] const void* weft_in_place[IN_PLACE_SLOTS + 1] = {};

/// Called by assembly in the coroutine's own code, through its stub.
void weft_preempt_here() noexcept {
    WEFT_ENTERED;
    WEFT_PARKS;
    machine& m = *this_machine();
    coroutine& self = *this_coroutine();
    thread_block& block = *m.block.get();
    block.poisoned.store(0, std::memory_order_relaxed);
    // Wherever it is: nothing else runs before it goes on, on this thread.
    if (block.collector.load(std::memory_order_relaxed) != 0 && m.p.get() != nullptr &&
        self.state.load(std::memory_order_relaxed) == co_state::running) {
        visit_scheduler(m, self);
    }
    if (!is_to_yield(m) || !may_preempt(self, m)) return;
    saved_registers* const mine = block.registers.load(std::memory_order_relaxed);
    saved_registers* fresh = nullptr;
    try {
        fresh = off_heap_new<saved_registers>();
    } catch (const std::bad_alloc&) {
        return;
    }
    block.registers.store(fresh, std::memory_order_relaxed);
    segment& here = *self.stack.get().newest();
    here.registers = mine;
    here.flags |= SEGMENT_REGISTERS;
    preempt_implicitly(self);
    here.flags &= static_cast<std::uint16_t>(~SEGMENT_REGISTERS);
    thread_block& now = *this_thread_block();
    free_unread(now.registers.exchange(mine, std::memory_order_relaxed));
}

// Phase 2 of an exception passes the frame of a crossing: the segment above it is left. The unwinder still runs there.
_Unwind_Reason_Code weft_morestack_personality(int, _Unwind_Action actions, _Unwind_Exception_Class,
                                               _Unwind_Exception*, _Unwind_Context*) noexcept {
    if ((actions & _UA_CLEANUP_PHASE) == 0) return _URC_CONTINUE_UNWIND;
    coroutine& self = *this_coroutine();
    leave_newest_segment(self);
    thread_block& block = *this_thread_block();
    if (block.limit.load(std::memory_order_relaxed) != 0) {
        enter_user_mode(block, *self.stack.get().newest());
    }
    return _URC_CONTINUE_UNWIND;
}

// It leaves the runtime.
_Unwind_Reason_Code weft_entered_personality(int, _Unwind_Action actions, _Unwind_Exception_Class,
                                             _Unwind_Exception*, _Unwind_Context*) noexcept {
    if ((actions & _UA_CLEANUP_PHASE) == 0) return _URC_CONTINUE_UNWIND;
    enter_user_mode(*this_thread_block(), *this_coroutine()->stack.get().newest());
    return _URC_CONTINUE_UNWIND;
}

// It comes from the program, into the runtime.
_Unwind_Reason_Code weft_user_personality(int, _Unwind_Action actions, _Unwind_Exception_Class,
                                          _Unwind_Exception*, _Unwind_Context*) noexcept {
    if ((actions & _UA_CLEANUP_PHASE) == 0) return _URC_CONTINUE_UNWIND;
    enter_runtime_mode(*this_thread_block());
    return _URC_CONTINUE_UNWIND;
}

// g++ -fsplit-stack links with --wrap=pthread_create. A thread begins on its own stack, with a limit of 0.
int __real_pthread_create(void*, const void*, void* (*)(void*), void*);
int __wrap_pthread_create(void* handle, const void* attributes, void* (*body)(void*),
                          void* argument) {
    return __real_pthread_create(handle, attributes, body, argument);
}

}  // extern "C"

namespace {

std::size_t slot_of(const void* function) noexcept {
    return (reinterpret_cast<std::uintptr_t>(function) >> 4) & (IN_PLACE_SLOTS - 1);
}

bool call_in_place(const void* function) noexcept {
    const std::size_t slot = slot_of(function);
    for (const std::size_t at : {slot, slot + 1}) {
        if (weft_in_place[at] != nullptr && weft_in_place[at] != function) continue;
        weft_in_place[at] = function;
        return true;
    }
    return false;
}

template <class F>
const void* address_of(F* function) noexcept {
    return reinterpret_cast<const void*>(function);
}

extern "C" int __sigsetjmp(jmp_buf, int);
extern "C" int _setjmp(jmp_buf);
extern "C" int weft_setjmp_itself(jmp_buf) __asm__("setjmp");

// Before any coroutine. What returns twice comes first, for it must have a place.
[[gnu::constructor]] void fill_in_place() noexcept {
    WEFT_CHECK(call_in_place(address_of(&weft_setjmp_itself)));
    WEFT_CHECK(call_in_place(address_of(&_setjmp)));
    WEFT_CHECK(call_in_place(address_of(&__sigsetjmp)));
    WEFT_CHECK(call_in_place(address_of(&::getcontext)));
    static_cast<void>(call_in_place(address_of(&::memcpy)));
    static_cast<void>(call_in_place(address_of(&::memmove)));
    static_cast<void>(call_in_place(address_of(&::memset)));
    static_cast<void>(call_in_place(address_of(&::memcmp)));
    static_cast<void>(call_in_place(address_of(&::strlen)));
    weft_vector_level = __builtin_cpu_supports("avx512f") ? 2
                        : __builtin_cpu_supports("avx")   ? 1
                                                          : 0;
}

}  // namespace
}  // namespace weft::detail
