// The inside of a scope.
//
// Everything is under one spin lock. The state lives on the heap of the runtime, and the owner frees it only
// after it has seen, under the lock, that no child is left; a child's last access is its unlock, which stores
// and touches nothing more.
#pragma once

#include <weft/scope.hpp>

#include "base/intrusive_list.hpp"
#include "sched/sleeper.hpp"
#include <weft/detail/spin_lock.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>

namespace weft::detail {

struct coroutine;

struct scope_waiter {
    ticket who;
    scope_waiter* link = nullptr;
};

/// A walk over the children that lets go of the lock on the way. It stands at one of them, or at the end, and goes on
/// to the next one when that child is unlinked.
struct scope_walk {
    coroutine* at = nullptr;
    scope_walk* link = nullptr;
};

struct scope_state {
    scope_state(std::size_t most, std::uint64_t made_by) noexcept : limit(most), owner(made_by) {}

    static scope_state& of(scope_core& core) noexcept { return *core.state_; }

    const std::size_t limit;    // 0: none
    const std::uint64_t owner;  // The id of the coroutine that made it; 0: a foreign thread.

    spin_lock lock;
    coroutine* children = nullptr;  // Doubly linked through scope_next and scope_prev.
    intrusive_stack<scope_walk, &scope_walk::link> walks;
    std::size_t places_taken = 0;  // Children, and those about to be.
    bool cancelled = false;
    std::exception_ptr first_error;
    intrusive_stack<scope_waiter, &scope_waiter::link> joiners;
    intrusive_queue<scope_waiter, &scope_waiter::link> place_waiters;
};

/// Takes a place for one more child, waiting for it when the scope has a limit.
void enter_scope(scope_core& scope);
/// Gives it back without a child.
void leave_scope(scope_core& scope) noexcept;
/// Links the child that took a place.
void adopt_child(scope_core& scope, coroutine& child) noexcept;
/// What the scheduler calls when an exception has left a child, and when a child has ended.
void child_failed(coroutine& child) noexcept;
void child_ended(coroutine& child) noexcept;

}  // namespace weft::detail
