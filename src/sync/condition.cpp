// The condition variable.
//
// **No notification is lost.** Who waits enters the queue before it unlocks. With a mutex of ours it is ready to be
// woken by then; unlocking another lock is the program's code, which may wait itself, so there a waiter is in the queue
// first and asleep later, and one that is notified in between does not go to sleep.
//
// **No stampede.** Who is notified is claimed, so neither time nor a request to stop can end its wait any more, and
// then moves on to the queue of the mutex (mutex_core::adopt), where it is woken when its turn comes. Only one of all
// that are notified is ever awake to compete for the mutex.
//
// **Destruction.** A program may destroy a condition variable when everybody has been notified. Those who were claimed
// do not touch it again. Those whose wait was ended otherwise at the same time do, to take themselves off the queue:
// `inside_` counts them, and the destructor waits until they are gone, which takes no more than their turn to run.
//
// **Stop tokens.** The destructor of a std::stop_callback blocks its thread until a callback that is running on another
// one has returned, and does not block when the callback was called by its own thread. Both by the thread, where we
// have coroutines. So the callback only fires a ticket: it parks nowhere, takes nothing that is held by somebody who
// parks, and never has to be waited for by who can hold it up. Neither can a coroutine that destroys its stop_callback
// be on the thread on which the callback is under way: that thread is busy with it, as long as the *other* callbacks
// of the token do not park, which std::stop_source demands as well (it remembers the thread that calls them). The
// ticket may be stale, and then does nothing.
#include <weft/sync/condition_variable.hpp>

#include <weft/go.hpp>

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/simulation.hpp"
#include "sync/mutex_waiter.hpp"

#include <exception>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace weft {

void condition_variable::throw_not_locked() {
    throw std::logic_error("weft: condition_variable: wait() needs a lock that is locked");
}

namespace detail {

struct condition_waiter : mutex_waiter {
    condition_waiter(agent a, mutex_core* m) noexcept : mutex_waiter(a), mutex(m) {}
    mutex_core* const mutex;  // Null: another lock.
    bool asleep = false;      // Under the guard; `who` is set.
    bool notified = false;    // Before it was asleep.
};

condition_stop::condition_stop(std::stop_token token) : token_(std::move(token)) {
    callback_.emplace(token_, waker{*this});
}

condition_stop::~condition_stop() {
    // When the stop was requested on this thread std reads plainly what the callback has left: the sanitizer, to which
    // whoever requested it is another thread, does not see the order.
    const unrecorded unseen;
    callback_.reset();
}

bool condition_stop::arm(const ticket& t) noexcept {
    const std::lock_guard hold(lock_);
    if (token_.stop_requested()) return false;
    who_ = t.who;
    word_ = t.word;
    return true;
}

void condition_stop::wake() noexcept {
    if (outside_simulation()) return;
    ticket t;
    {
        const std::lock_guard hold(lock_);
        t = {who_, word_};
    }
    if (t.who != nullptr) fire(t, wake_reason::none);
}

bool condition_core::wait(mutex_core& mutex, clock::time_point deadline, condition_stop* stop) {
    WEFT_PARKS;
    refuse_outside_simulation();
    if (!mutex.mine()) {
        throw std::logic_error("weft: condition_variable: wait() with a mutex that somebody else "
                               "has locked, or nobody");
    }
    condition_waiter me(this_agent(), &mutex);
    waiting wait(cancellation::honoured, wait_kind::condition, this);
    me.who = wait.ticket();
    me.asleep = true;
    bool stopped = false;
    {
        const std::lock_guard hold(guard_);
        stopped = stop != nullptr && !stop->arm(me.who);
        if (!stopped) {
            queue_.push(me);
            inside_.store(inside_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        }
    }
    if (stopped) {
        wait.abandon();
        return true;
    }
    mutex.unlock_quietly();
    wake_reason why = wake_reason::none;
    try {
        why = finish_in_list(wait, deadline.time_since_epoch().count(), [&] { leave(me); });
    } catch (...) {
        mutex.relock(me);
        throw;
    }
    mutex.relock(me);
    return why == wake_reason::none || wait_succeeded(why);
}

bool condition_core::wait(const any_lock& lock, clock::time_point deadline, condition_stop* stop) {
    WEFT_PARKS;
    refuse_outside_simulation();
    if (coroutine* const self = this_coroutine()) {
        simulation_point();
        cancellation_point(*self);
    }
    condition_waiter me(this_agent(), nullptr);
    {
        const std::lock_guard hold(guard_);
        if (stop != nullptr && stop->requested()) return true;
        queue_.push(me);
        inside_.store(inside_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    try {
        call_user(lock.unlock, lock.lock);
    } catch (...) {
        leave(me);
        throw;
    }

    wake_reason why = wake_reason::signalled;
    std::exception_ptr failure;
    bool inside = true;
    try {
        waiting wait(cancellation::honoured, wait_kind::condition, this);
        {
            const std::lock_guard hold(guard_);
            me.who = wait.ticket();
            me.asleep = !me.notified && (stop == nullptr || stop->arm(me.who));
        }
        if (me.asleep) {
            inside = false;  // From here on finish_in_list() sees to it, or whoever claims us.
            why = finish_in_list(wait, deadline.time_since_epoch().count(), [&] { leave(me); });
        } else {
            wait.abandon();
        }
    } catch (...) {
        failure = std::current_exception();
    }
    if (inside) {
        leave(me);
        if (me.notified) failure = nullptr;  // That has happened, and wins.
    }

    [&]() noexcept {
        const no_cancel locked_for_sure;
        call_user(lock.relock, lock.lock);
    }();
    if (failure) std::rethrow_exception(std::move(failure));
    return why == wake_reason::none || wait_succeeded(why);
}

void condition_core::leave(condition_waiter& me) noexcept {
    const std::lock_guard hold(guard_);
    queue_.remove(me);
    inside_.store(inside_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

void condition_core::notify_slow(bool all) noexcept {
    if (outside_simulation()) return;
    simulation_point();
    wake_chain woken;
    {
        const std::lock_guard hold(guard_);
        while (waiter* const first = queue_.pop()) {
            auto& w = static_cast<condition_waiter&>(*first);
            if (!w.asleep) {
                w.notified = true;
            } else if (sleeper::claim_to_hand_over(w.who)) {
                inside_.store(inside_.load(std::memory_order_relaxed) - 1,
                              std::memory_order_relaxed);
                woken.add(w);
            } else {
                continue;
            }
            if (!all) break;
        }
    }
    woken.for_each([](waiter& w) {
        auto& one = static_cast<condition_waiter&>(w);
        if (one.mutex != nullptr) {
            one.mutex->adopt(one);
        } else {
            wake_claimed(one.who);
        }
    });
}

void condition_core::see_off() noexcept {
    for (;;) {
        bool leaving = false;
        {
            const std::lock_guard hold(guard_);
            std::uint32_t waiting = 0;
            waiter* w = queue_.first();
            if (w != nullptr) {
                do {
                    const auto& one = static_cast<const condition_waiter&>(*w);
                    if (one.asleep && one.who.who->waits_for(one.who.word)) ++waiting;
                    w = w->next;
                } while (w != queue_.first());
            }
            WEFT_ASSERT(waiting == 0 && "a condition_variable is destroyed while somebody waits");
            leaving = inside_.load(std::memory_order_relaxed) != waiting;
        }
        if (!leaving) return;
        const no_cancel in_a_destructor;
        yield();
    }
}

}  // namespace detail
}  // namespace weft
