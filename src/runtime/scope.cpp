#include <weft/scope.hpp>

#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "runtime/scope_state.hpp"
#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/wait.hpp"

#include <array>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace weft::detail {
namespace {

void link_child(scope_state& s, coroutine& child) noexcept {
    child.scope_prev = nullptr;
    child.scope_next = s.children;
    if (s.children != nullptr) s.children->scope_prev = &child;
    s.children = &child;
}

void unlink_child(scope_state& s, coroutine& child) noexcept {
    if (child.scope_prev != nullptr) {
        child.scope_prev->scope_next = child.scope_next;
    } else {
        s.children = child.scope_next;
    }
    if (child.scope_next != nullptr) child.scope_next->scope_prev = child.scope_prev;
    s.walks.for_each([&](scope_walk& walk) {
        if (walk.at == &child) walk.at = child.scope_next;
    });
}

struct stop_to_request {
    std::stop_source source{std::nostopstate};
};

// Asks every child to stop.
//
// The walk wakes children under the scope's lock, because without it a child may end, and its descriptor serve another
// coroutine. Stop callbacks are the program's, so they run outside, before the child may see the request and take them along. Therefore the
// walk goes in steps: each takes the lock for a few children, settles those without callbacks, and collects the
// callbacks of some others; these are called without the lock, and the next step begins with the first child that was not
// settled. Each child is looked at twice or so, however many there are, and nobody waits for the lock for long. Children
// that come meanwhile are linked in front of the walk, and are born cancelled.
[[gnu::noinline]] void cancel_children(scope_state& s) noexcept {
    constexpr std::size_t looks_at_most = 64;
    std::array<stop_to_request, 8> stops;
    scope_walk walk;
    {
        const std::lock_guard hold(s.lock);
        walk.at = s.children;
        s.walks.push(walk);
    }
    for (bool done = false; !done;) {
        std::size_t collected = 0;
        {
            const std::lock_guard hold(s.lock);
            coroutine* c = walk.at;
            for (std::size_t looks = 0; c != nullptr && looks != looks_at_most; ++looks) {
                const bool settled = stop_quietly(*c, stops[collected].source);
                c = c->scope_next;
                if (!settled) {
                    if (++collected == stops.size()) break;
                } else if (collected == 0) {
                    walk.at = c;
                }
            }
            done = walk.at == nullptr;
            if (done) s.walks.remove(walk);
        }
        for (std::size_t i = 0; i != collected; ++i) {
            request_stop_of(std::exchange(stops[i].source, std::stop_source(std::nostopstate)));
        }
        // A long walk makes room for others when the monitor asks, as any operation does.
        if (coroutine* const self = this_coroutine()) preemption_point(*self);
    }
}

// Gives a place to whoever has waited longest, or back; and tells the joiners when it was the last. They are
// fired under the lock: behind it they may free the scope.
void release_place(scope_state& s) noexcept {
    const std::lock_guard hold(s.lock);
    while (scope_waiter* const heir = s.place_waiters.pop()) {
        if (fire(heir->who, wake_reason::signalled))
            return;  // Not one that was cancelled meanwhile.
    }
    if (--s.places_taken != 0) return;
    while (scope_waiter* const joiner = s.joiners.pop()) fire(joiner->who, wake_reason::signalled);
}

bool take_place_locked(scope_state& s) noexcept {
    if (s.limit != 0 && s.places_taken >= s.limit) return false;
    ++s.places_taken;
    return true;
}

// Signalled: no child is left. Else cancelled, or deadlock.
wake_reason wait_for_children(scope_core& scope, cancellation how) {
    scope_state& s = scope_state::of(scope);
    for (;;) {
        {
            const std::lock_guard hold(s.lock);
            if (s.places_taken == 0) return wake_reason::signalled;
        }
        waiting wait(how, wait_kind::scope_join, &scope);
        scope_waiter me{wait.ticket()};
        bool waits = false;
        {
            const std::lock_guard hold(s.lock);
            waits = s.places_taken != 0;
            if (waits) s.joiners.push(me);
        }
        if (!waits) {
            wait.abandon();
            return wake_reason::signalled;
        }
        const wake_reason why = wait.finish();
        if (why == wake_reason::signalled) continue;  // Children may have come since.
        const std::lock_guard hold(s.lock);
        s.joiners.remove(me);
        return why;
    }
}

std::uint64_t id_of_caller() noexcept {
    const coroutine* const self = this_coroutine();
    return self == nullptr ? 0 : self->id.get();
}

// Cancels the children and waits until none is left, whatever happens to the caller meanwhile.
void end_children(scope_core& scope) noexcept {
    scope.cancel();
    wait_for_children(scope, cancellation::ignored);
}

// A join calls this before it throws because it did not see the end. The owner's locals that the
// children use may be declared after the scope, and would be destroyed before the scope's destructor
// waits. So the owner waits here. Another coroutine does not, because it may be a child itself, and
// then would wait for its own end.
void give_up_join(scope_core& scope) noexcept {
    if (scope_state::of(scope).owner == id_of_caller()) {
        end_children(scope);
    } else {
        scope.cancel();
    }
}

}  // namespace

void enter_scope(scope_core& scope) {
    WEFT_PARKS;
    scope_state& s = scope_state::of(scope);
    {
        const std::lock_guard hold(s.lock);
        if (take_place_locked(s)) return;
    }
    waiting wait(cancellation::honoured, wait_kind::scope_place, &scope);
    scope_waiter me{wait.ticket()};
    bool waits = false;
    {
        const std::lock_guard hold(s.lock);
        waits = !take_place_locked(s);
        if (waits) s.place_waiters.push(me);
    }
    if (!waits) {
        wait.abandon();
        return;
    }
    const wake_reason why = wait.finish();
    if (why == wake_reason::signalled) return;  // The place was handed over.
    {
        const std::lock_guard hold(s.lock);
        s.place_waiters.remove(me);
    }
    throw_wait_ended(why);
}

void leave_scope(scope_core& scope) noexcept { release_place(scope_state::of(scope)); }

void adopt_child(scope_core& scope, coroutine& child) noexcept {
    scope_state& s = scope_state::of(scope);
    const std::lock_guard hold(s.lock);
    link_child(s, child);
    if (s.cancelled) child.attention.fetch_or(attention_cancel, std::memory_order_seq_cst);
}

void child_failed(coroutine& child) noexcept {
    WEFT_CALLED_AS("scope_failure");
    scope_state& s = scope_state::of(*child.scope);
    {
        const std::lock_guard hold(s.lock);
        if (s.first_error) return;
        s.first_error = peek_extras(child)->error;
        s.cancelled = true;
    }
    cancel_children(s);  // This child's own place keeps the scope.
}

void child_ended(coroutine& child) noexcept {
    WEFT_CALLED_AS("scope_end");
    scope_state& s = scope_state::of(*child.scope);
    {
        const std::lock_guard hold(s.lock);
        unlink_child(s, child);
    }
    release_place(s);
}

scope_core::scope_core(std::size_t limit)
    : state_(off_heap_new<scope_state>(limit, id_of_caller())) {}

scope_core::~scope_core() {
    simulation_point();
    scope_state& s = *state_;
    bool left = false;
    {
        const std::lock_guard hold(s.lock);
        left = s.places_taken != 0;
    }
    if (left) end_children(*this);
    off_heap_delete(state_);
}

void scope_core::join() {
    WEFT_PARKS;
    if (outside_simulation()) {
        throw std::logic_error("weft: a foreign thread can't join what is in a simulation");
    }
    scope_state& s = *state_;
    coroutine* const self = this_coroutine();
    if (self != nullptr) {
        simulation_point();
        if (cancellation_due(*self)) {
            give_up_join(*this);
            throw_cancelled(*self);
        }
    }
    wake_reason why = wake_reason::none;
    try {
        why = wait_for_children(*this, cancellation::honoured);
    } catch (const cancelled&) {
        give_up_join(*this);
        throw;
    }
    if (why == wake_reason::cancelled) {
        give_up_join(*this);
        throw_wait_ended(why);
    }
    if (why != wake_reason::signalled) {
        cancel();
        // A second deadlock ends this wait: there are children then that nothing wakes.
        const no_cancel until_they_have_ended;
        wait_for_children(*this, cancellation::honoured);
        throw_wait_ended(why);
    }
    std::exception_ptr error;
    {
        const std::lock_guard hold(s.lock);
        std::swap(error, s.first_error);
    }
    if (error) std::rethrow_exception(std::move(error));
}

void scope_core::cancel() noexcept {
    // From its destructor too, which then waits for the children as they are.
    if (outside_simulation()) return;
    scope_state& s = *state_;
    {
        const std::lock_guard hold(s.lock);
        s.cancelled = true;
    }
    cancel_children(s);
    simulation_point();
}

}  // namespace weft::detail
