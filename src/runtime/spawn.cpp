// Making coroutines.
#include <weft/go.hpp>

#include "base/assert.hpp"
#include "base/bits.hpp"
#include "base/off_heap.hpp"
#include "os/fence.hpp"
#include "runtime/scope_state.hpp"
#include "sched/cancel.hpp"
#include "sched/collector.hpp"
#include "sched/idle.hpp"
#include "sched/local.hpp"
#include "sched/monitor.hpp"
#include "sched/park.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/split_stack.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>
#include <stdexcept>

namespace weft::detail {
namespace {

// Its code: see coroutine::stack_code().
unsigned stack_for(const task_type& type, const spawn_options* options) {
    if (options == nullptr || options->stack_size == 0) {
        if (type.split_stack) return split_stack_code_for(0);
        return sched.stack_log2 - stack_store::log2_min;
    }
    const unsigned log2 = std::max(log2_ceil(options->stack_size), stack_store::log2_min);
    const std::size_t most = std::max<std::size_t>(sched.opts.max_stack, 1);
    if (log2 > std::max(log2_ceil(most), stack_store::log2_min)) {
        throw std::invalid_argument("weft: spawn_options.stack_size is above options.max_stack");
    }
    // There are arenas up to this size, and no more bits for it in the descriptor.
    if (log2 > stack_store::log2_max) {
        throw std::invalid_argument("weft: spawn_options.stack_size is above 16 GiB");
    }
    if (type.split_stack) return split_stack_code_for(options->stack_size);
    return log2 - stack_store::log2_min;
}

void count_spawn() noexcept {
    machine* const m = this_machine();
    processor* const p = m == nullptr ? nullptr : m->p.get();
    if (p != nullptr) {
        p->spawned.add();
    } else {
        sched.foreign_spawned.fetch_add(1, std::memory_order_seq_cst);
    }
}

void uncount_spawn() noexcept {
    machine* const m = this_machine();
    processor* const p = m == nullptr ? nullptr : m->p.get();
    if (p != nullptr) {
        p->finished.add();
    } else {
        sched.foreign_finished.fetch_add(1, std::memory_order_seq_cst);
    }
    light_fence();  // Either draining is seen here, or the count is seen by who drains (cancel_all).
    if (sched.draining.load(std::memory_order_acquire)) note_finished();
}

// A foreign thread needs the runtime to stay for as long as it is here.
void visit_if_foreign(std::optional<foreign_visit>& visit) {
    if (this_machine() != nullptr) return;
    visit.emplace();
    if (!*visit) {
        throw std::logic_error("weft: no runtime is up; start one with weft::run or weft::runtime");
    }
    if (outside_simulation()) {
        throw std::logic_error("weft: a foreign thread can't spawn into a simulation");
    }
}

void apply(const spawn_options& options, coroutine& c) {
    if (!options.name.empty()) set_coroutine_name(c, options.name);
    if (options.affinity >= 0 && static_cast<unsigned>(options.affinity) < sched.processor_count) {
        c.affinity = static_cast<std::int16_t>(options.affinity);
        c.traits = trait_affinity;
    }
}

}  // namespace

coroutine& begin_spawn(const task_type& type, const spawn_options* options, scope_core* scope,
                       spawn_mode mode, const call_site& where) {
    std::optional<foreign_visit> visit;
    visit_if_foreign(visit);
    const unsigned stack = stack_for(type, options);
    if (scope != nullptr) enter_scope(*scope);

    coroutine* const c = take_descriptor();
    if (c == nullptr) {
        if (scope != nullptr) leave_scope(*scope);
        throw std::bad_alloc();
    }
    c->type = &type;
    c->id = take_id();
    c->set_origin(where);
    c->flags.result = outcome::none;
    c->flags.big_frame = false;
    c->flags.stack_above_min = stack & 31u;
    c->no_preempt_depth = 0;
    c->lock_depth = 0;
    c->no_cancel = 0;
    c->traits = 0;
    c->caught_exceptions = nullptr;
    c->uncaught_exceptions = 0;
    c->scan_stamp.store(0, std::memory_order_relaxed);
    c->error_number = 0;
    c->scope = scope;
    c->attention.store(0, std::memory_order_relaxed);
    c->join.store(mode == spawn_mode::detached ? join_detached : join_none,
                  std::memory_order_relaxed);
    count_spawn();
    try {
        // Counted first and asked behind it: either stop waits for this one, or it is refused here.
        if (visit && sched.draining.load(std::memory_order_seq_cst)) {
            throw std::logic_error(
                "weft: the runtime is stopping; nothing can be spawned from outside");
        }
        if (type.size > inline_frame_size || type.align > inline_frame_align) {
            void* const frame = off_heap_allocate(type.size, type.align);
            std::memcpy(c->frame.data(), &frame, sizeof(frame));
            c->flags.big_frame = true;
        }
        if (options != nullptr) apply(*options, *c);
        inherit_locals(*c);
        if constexpr (tsan_build)
            static_cast<void>(extras_of(*c));  // Later it would be somebody else who makes them.
    } catch (...) {
        abandon_spawn(*c);
        throw;
    }
    return *c;
}

void commit_spawn(coroutine& c) noexcept {
    const bool is_simulated = sched.sim.load(std::memory_order_relaxed) != nullptr;
    if (!is_simulated) ensure_monitor();
    if (is_simulated) {
        c.attention.fetch_or(attention_point, std::memory_order_relaxed);
    }
    if (c.scope != nullptr) adopt_child(*c.scope, c);
    if (is_marking()) [[unlikely]]
        shade_words(c.frame_address(), c.type->size);
    // release: who sees it runnable, through a queue or through the registry, sees all of it.
    c.state.store(co_state::runnable, std::memory_order_release);
    // Shutdown walks the registry once: either it finds this one, or we see that it has begun (the pair of this
    // fence is the heavy one in cancel_all).
    light_fence();
    if (sched.draining.load(std::memory_order_relaxed)) {
        c.attention.fetch_or(attention_cancel, std::memory_order_seq_cst);
    }
    enqueue(c);
    if (coroutine* const self = this_coroutine()) preemption_point(*self);
    simulation_point();
}

void abandon_spawn(coroutine& c) noexcept {
    scope_core* const scope = c.scope;
    c.scope = nullptr;
    give_descriptor(c);
    if (scope != nullptr) leave_scope(*scope);
    uncount_spawn();
}

void* frame_of(coroutine& c) noexcept { return c.frame_address(); }

}  // namespace weft::detail
