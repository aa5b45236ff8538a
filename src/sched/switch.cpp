#include "sched/switch.hpp"

#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "context/sanitizer.hpp"
#include "sched/claim.hpp"
#include "sched/collector.hpp"
#include "sched/extras.hpp"
#include "sched/idle.hpp"
#include "sched/park.hpp"
#include "sched/pick.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "sched/split_stack.hpp"

namespace weft::detail {
namespace {

// The word a jump carries: the coroutine that left; null for the scheduler stack; or this, when a coroutine
// has ended and only its stack is left to see to.
void* const dead_word = reinterpret_cast<void*>(std::uintptr_t{1});

void give_stack(machine& m, stack_ref stack) noexcept {
    if (stack.is_split()) {
        give_first_segment(m, *stack.newest());
        return;
    }
    processor* const p = m.p;
    if (p != nullptr && stack.log2_size() == sched.stack_log2 && !p->stacks.full()) {
        p->stacks.push(stack);
    } else {
        sched.stacks.give(stack);
    }
}

[[gnu::noinline]] void attach_stack(machine& m, coroutine& c) noexcept;

void coroutine_main(raw_arrival);

void set_stack(coroutine& c, stack_ref stack) noexcept {
    c.stack = stack;
    if (tsan_build && stack.is_reserved()) {
        relaxed<void*>& fiber = sched.stacks.tag_of(stack);
        if (fiber.get() == nullptr) fiber = new_tsan_fiber();
        extras_of(c).tsan_fiber = fiber.get();
    }
}

void attach_split_stack(machine& m, coroutine& c) noexcept {
    segment* const s = take_first_segment(m, c);
    if (s == nullptr) report_no_stack(c);
    c.stack = stack_ref(s);
    c.context = make_context(s->top(), s->size(), coroutine_main);
}

void attach_stack(machine& m, coroutine& c) noexcept {
    if (c.has_split_stack()) {
        attach_split_stack(m, c);
        return;
    }
    processor& p = *m.p;
    stack_ref stack;
    if (c.stack_log2() == sched.stack_log2 && !p.stacks.empty()) {
        stack = p.stacks.pop();
    } else {
        stack = sched.stacks.take(c.stack_log2());
        if (!stack) report_no_stack(c);
    }
    const std::size_t guard = stack_store::guard_size(stack.log2_size());
    unpoison_stack(stack.base() + guard, stack.size() - guard);
    set_stack(c, stack);
    const unrecorded unseen;  // On a stack whose last user was another coroutine.
    c.context = make_context(stack.top(), stack.size() - guard, coroutine_main);
}

// Makes `c`, which came off a run queue, the machine's own. False: it is claimed.
[[gnu::always_inline]] inline bool enter(machine& m, coroutine& c) noexcept {
    if (c.state.load(std::memory_order_acquire) == co_state::runnable) {
        attach_stack(m, c);
        c.state.store(co_state::running, std::memory_order_relaxed);
        return true;
    }
    WEFT_ASSERT(c.state.load(std::memory_order_relaxed) == co_state::parked);
    return enter_parked(c);
}

[[gnu::always_inline]] inline void save_exceptions(machine& m, coroutine& c) noexcept {
    const exception_globals& here = *m.exceptions.get();
    c.caught_exceptions = here.caught;
    c.uncaught_exceptions = static_cast<std::uint16_t>(here.uncaught);
    c.error_number = *m.error_number;
}

// Everything of `c` that the thread must hold while it runs.
[[gnu::always_inline]] inline void become(machine& m, coroutine& c) noexcept {
    exception_globals& here = *m.exceptions.get();
    here.caught = c.caught_exceptions;
    here.uncaught = c.uncaught_exceptions;
    *m.error_number = c.error_number;
    m.current = &c;
    thread_block& block = *m.block.get();
    WEFT_ASSERT(block.limit.load(std::memory_order_relaxed) ==
                0);  // Who switches is in the runtime.
    block.current.store(&c, std::memory_order_relaxed);
    block.attention.store(&c.attention, std::memory_order_relaxed);
}

void become_scheduler(machine& m) noexcept {
    WEFT_ASSERT(m.block->limit.load(std::memory_order_relaxed) == 0);
    m.exceptions->caught = m.outer_caught;
    m.exceptions->uncaught = m.outer_uncaught;
    m.current = nullptr;
    m.block->current.store(nullptr, std::memory_order_relaxed);
    m.block->attention.store(&no_attention, std::memory_order_relaxed);
    m.block->scheduler_sp.store(nullptr,
                                std::memory_order_relaxed);  // It is about to go on from there.
}

// First on the other side. At most 96 bytes of stack when nothing is amiss: it runs on whatever stack it
// finds.
template <bool for_scheduler = false>
[[gnu::always_inline]] inline void finish_switch(machine& m, const arrival& from) noexcept {
    if (from.word == nullptr) {
        m.scheduler_context = from.from;
        m.block->scheduler_sp.store(from.from, std::memory_order_relaxed);
        return;
    }
    if (from.word == dead_word) [[unlikely]] {
        give_stack(m, m.dead_stack);
        return;
    }
    coroutine& left = *static_cast<coroutine*>(from.word);
    left.context = from.from;
    if constexpr (for_scheduler) {
        if (left.state.load(std::memory_order_relaxed) == co_state::running) {
            WEFT_ASSERT(m.visitor == &left || sched.sim.load(std::memory_order_relaxed) != nullptr);
            return;  // It stays.
        }
    }
    co_state expected = co_state::parking;
    // acquire: when ready() came before us, what it was called for travels with its parking_ready (edge *overtaken*).
    if (left.state.load(std::memory_order_acquire) == co_state::parking &&
        left.state.compare_exchange_strong(expected, co_state::parked,
                                           std::memory_order_release,  // parked
                                           std::memory_order_acquire)) {
        return;
    }
    // ready() came before us, or it yielded: either way nobody else has it.
    left.state.store(co_state::parked, std::memory_order_release);  // parked
    if constexpr (for_scheduler) {
        requeue_at_look(m, left);
    } else {
        requeue(m, left);
    }
}

// Where a jump goes. Read as a whole before a sanitizer is told of it: behind that, ThreadSanitizer takes every
// access for the other's.
struct destination {
    context_ref context;
    const void* stack_bottom = nullptr;
    std::size_t stack_size = 0;
    void* tsan_fiber = nullptr;
};

[[gnu::always_inline]] [[nodiscard]] inline destination stack_of(const coroutine& c) noexcept {
    destination to{c.context};
    if constexpr (asan_build || tsan_build) {
        const coroutine_extras* const extras = peek_extras(c);
        const stack_ref stack = c.stack;
        to.stack_bottom = stack.base();
        to.stack_size = stack.size();
        to.tsan_fiber = extras == nullptr ? nullptr : extras->tsan_fiber.get();
    }
    return to;
}

[[gnu::always_inline]] [[nodiscard]] inline destination
scheduler_stack_of(const machine& m) noexcept {
    destination to{m.scheduler_context};
    if constexpr (asan_build || tsan_build) {
        to.stack_bottom = m.stack_bottom;
        to.stack_size = m.stack_size;
        to.tsan_fiber = m.tsan_fiber;
    }
    return to;
}

[[gnu::always_inline]] inline arrival jump_to(const destination& to, void** fake_stack,
                                              void* word) noexcept {
    before_switch(fake_stack, to.stack_bottom, to.stack_size, to.tsan_fiber);
    return jump(to.context, word);
}

[[gnu::always_inline]] inline void arrive(const arrival& from, void* fake_stack) noexcept {
    after_switch(fake_stack);
    finish_switch(*this_machine(), from);
}

// Whether there is nothing to yield to.
[[gnu::noinline]] bool yields_to_nobody(machine& m, processor& p) noexcept {
    if (p.next.peek() != nullptr || !p.woken.empty() || !sched.global.empty() ||
        needs_scheduler(m, p)) {
        return false;
    }
    p.tick.add();
    return true;
}

// Leaves the stack of a coroutine that has ended.
[[noreturn]] [[gnu::always_inline]] inline void leave_for_good(machine& m, stack_ref stack,
                                                               coroutine* next) noexcept {
    m.dead_stack = stack;
    if (next != nullptr) {
        become(m, *next);
    } else {
        become_scheduler(m);
    }
    const destination to = next != nullptr ? stack_of(*next) : scheduler_stack_of(m);
    if constexpr (tsan_build) {
        sched.stacks_left.fetch_add(1, std::memory_order_release);
        drop_shadow_frame();
    }
    jump_to(to, nullptr, dead_word);
    __builtin_unreachable();
}

void check_canary(stack_ref stack) noexcept {
    if (stack.is_reserved()) {
        if (!sched.stacks.canary_intact(stack)) report_canary(stack);
    } else {
        // All its other segments were checked when they were left. This one the next coroutine may get as it is; and
        // whoever gives it back does not know whose it was.
        end_first_segment(*stack.newest());
    }
}

// The bottom frame of every stack. When a coroutine ends and the next one has not run yet, it gets the stack
// as it is: no switch at all, and the stack is warm.
void coroutine_main(raw_arrival raw) {
    WEFT_FITS(960);
    arrive({raw.fctx, raw.data}, nullptr);
    for (;;) {
        coroutine& self = *this_coroutine();
        // Whoever took us off a queue has acquired what our spawner wrote; ThreadSanitizer, to which that was
        // somebody else, must see us do it.
        static_cast<void>(self.state.load(std::memory_order_acquire));
        const std::uintptr_t met = run_task(self);

        machine& m = *this_machine();
        const stack_ref stack = self.stack;
        check_canary(stack);
        const unsigned code = self.stack_code();
        retire(m, self, met);

        coroutine* next;
        for (;;) {
            next = pick_local(m, *m.p);
            if (next == nullptr) break;
            if (next->state.load(std::memory_order_acquire) == co_state::runnable) {
                if (next->stack_code() == code &&
                    (!stack.is_split() || inherit_first_segment(*stack.newest(), *next))) {
                    set_stack(*next, stack);
                } else {
                    attach_stack(m, *next);
                }
                next->state.store(co_state::running, std::memory_order_relaxed);
                break;
            }
            if (enter_parked(*next)) break;
        }
        if (next == nullptr || next->stack != stack) leave_for_good(m, stack, next);
        become(m, *next);
        load_default_float_control();  // As make_context() does for those that get a stack of their own.
    }
}

}  // namespace

// Leaves `self`, whose state is parking, for whatever is next. Returns when it runs again, maybe on another
// machine.
template <bool yields = false>
[[gnu::always_inline]] static inline void switch_away(machine& m, coroutine& self) noexcept {
    void* fake_stack = nullptr;
    for (;;) {
        coroutine* const next = pick_local(m, *m.p);
        if (next == nullptr) break;
        if (!enter(m, *next)) continue;
        save_exceptions(m, self);
        become(m, *next);
        const arrival from = jump_to(stack_of(*next), &fake_stack, &self);
        arrive(from, fake_stack);
        return;
    }
    if constexpr (yields) m.p->yielded = &self;
    switch_to_scheduler(m, self);
}

void switch_to_scheduler(machine& m, coroutine& self) noexcept {
    void* fake_stack = nullptr;
    if (is_marking()) [[unlikely]]
        tell_of_leaving(m, self);
    save_exceptions(m, self);
    become_scheduler(m);
    const arrival from = jump_to(scheduler_stack_of(m), &fake_stack, &self);
    arrive(from, fake_stack);
}

void visit_scheduler(machine& m, coroutine& self) noexcept {
    void* fake_stack = nullptr;
    m.visitor = &self;
    save_exceptions(m, self);
    become_scheduler(m);
    const arrival from = jump_to(scheduler_stack_of(m), &fake_stack, &self);
    arrive(from, fake_stack);
}

void park(coroutine& self) noexcept {
    WEFT_PARKS;
    machine& m = *this_machine();
    m.p->parks.add();
    switch_away(m, self);
}

void park_current() noexcept {
    coroutine& self = current_coroutine();
    prepare_park(self);
    machine& m = *this_machine();
    m.p->parks.add();
    switch_away(m, self);
}

void yield_current(coroutine& self) noexcept {
    machine& m = *this_machine();
    processor& p = *m.p;
    if (p.ring.empty() && yields_to_nobody(m, p)) return;
    // Nobody else may touch the state of a coroutine that has ready_pending set already.
    self.state.store(co_state::parking_ready, std::memory_order_relaxed);
    switch_away<true>(m, self);
}

// `c` is the machine's own. Inline, because each frame costs a return that is mispredicted.
[[gnu::always_inline]] static inline void go_to(machine& m, coroutine& c) noexcept {
    void* fake_stack = nullptr;
    m.outer_caught = m.exceptions->caught;
    m.outer_uncaught = m.exceptions->uncaught;
    become(m, c);
    const arrival from = jump_to(stack_of(c), &fake_stack, nullptr);
    after_switch(fake_stack);
    finish_switch<true>(m, from);
}

bool run_coroutine(machine& m, coroutine& c) noexcept {
    if (!enter(m, c)) return false;
    if (is_marking()) [[unlikely]]
        collector.load(std::memory_order_relaxed)->entering(m, c);
    go_to(m, c);
    return true;
}

void resume_coroutine(machine& m, coroutine& c) noexcept { go_to(m, c); }

}  // namespace weft::detail
