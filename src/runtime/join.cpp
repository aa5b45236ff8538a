// The untyped half of join_handle.
//
// The join word of a coroutine (sched/coroutine.hpp) is where its end and its joiner meet:
//
//     none -> joiner's ticket     join_wait           -> none       join_wait, cancelled
//     none -> detached            detach; run_task then sees to the result, retire gives the descriptor back
//     none, ticket -> finishing   the end of run_task: from here on the handle sees to the result
//     finishing -> done           retire
//
// A watch (sched/join_watch.hpp) may stand where none does. Each of these takes it out: the end of run_task, to end it; the
// joiner, to end it after its wait or put it back; detach, to drop it; end_channel_of, to look at it and put it back.
#include <weft/go.hpp>

#include "base/assert.hpp"
#include "base/backoff.hpp"
#include "base/stack_facts.hpp"
#include "os/fence.hpp"
#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/join_watch.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/switch.hpp"
#include "sched/wait.hpp"

#include <atomic>
#include <stdexcept>
#include <stop_token>
#include <utility>

namespace weft::detail {
namespace {

// acquire: with `done` comes the result.
bool is_done(const coroutine& c) noexcept {
    return c.join.load(std::memory_order_acquire) == join_done;
}

void await_done(const coroutine& c) noexcept {
    // Its end is between two stores, on a running thread.
    for (backoff wait; !is_done(c);) wait.pause();
}

// Signalled: it has ended. Else cancelled, or deadlock, and nothing has happened.
wake_reason wait_for_end(coroutine& c, cancellation how) {
    if (is_done(c)) return wake_reason::signalled;
    waiting wait(how, wait_kind::join, &c);
    const ticket mine = wait.ticket();
    const auto my_word = reinterpret_cast<std::uintptr_t>(&mine);
    std::uintptr_t before = join_none;
    // acq_rel: the ticket is there for the end, and a watch that is taken out is whole.
    while (!c.join.compare_exchange_weak(before, my_word, std::memory_order_acq_rel)) {
        if (before == join_none || is_watched(before)) continue;
        wait.abandon();
        await_done(c);
        return wake_reason::signalled;
    }
    const wake_reason why = wait.finish();
    if (why != wake_reason::signalled) {
        // Cancelled. But the coroutine may have ended too, and be looking at our ticket.
        std::uintptr_t seen = my_word;
        if (c.join.compare_exchange_strong(seen, before, std::memory_order_acq_rel)) return why;
        await_done(c);
    }
    end_watch(before, true);
    return wake_reason::signalled;
}

// Calls ask(), which asks a coroutine to stop, if the caller may.
template <class F>
void ask_to_stop(F&& ask) noexcept {
    if (this_machine() == nullptr) {
        // What the coroutine leaves behind must not go with the runtime while we look at it. And a
        // simulation is no business of other threads.
        const foreign_visit visit;
        if (visit && sched.sim.load(std::memory_order_relaxed) == nullptr) ask();
        return;
    }
    ask();
    simulation_point();
}

}  // namespace

void join_wait(coroutine& c) {
    WEFT_PARKS;
    coroutine* const self = this_coroutine();
    if (&c == self) throw std::logic_error("weft: a coroutine can't join itself");
    if (self != nullptr) {
        preemption_point(*self);
        simulation_point();
        cancellation_point(*self);
    } else if (sched.sim.load(std::memory_order_relaxed) != nullptr) {
        throw std::logic_error("weft: a foreign thread can't join a coroutine of a simulation");
    }
    const wake_reason why = wait_for_end(c, cancellation::honoured);
    if (why != wake_reason::signalled) throw_wait_ended(why);
}

WEFT_NOIPA void stop_and_join(coroutine& c) noexcept {
    WEFT_CALLS("uncaught");
    ask_to_stop([&c] {
        if (!is_done(c)) request_cancel(c, attention_cancel);
    });
    WEFT_CHECK(&c != this_coroutine() && "a coroutine destroyed its own join_handle");
    simulation_point();
    wait_for_end(c, cancellation::ignored);
    // In a scope the exception has reached the scope.
    if (c.flags.result == outcome::exception && c.scope == nullptr) sched.hooks.uncaught(c);
    drop_result(c);
    give_descriptor(c);
}

void rethrow_outcome(coroutine& c) {
    switch (c.flags.result) {
    case outcome::value:
        return;
    case outcome::cancelled:
        throw coroutine_cancelled();
    case outcome::exception:
        std::rethrow_exception(std::exchange(peek_extras(c)->error, nullptr));
    case outcome::none:
        break;
    }
    check_failed(__FILE__, __LINE__, "joined before its end");
}

WEFT_NOIPA void detach(coroutine& c) noexcept {
    WEFT_CALLS("uncaught");
    simulation_point();
    for (std::uintptr_t seen = join_none; seen != join_finishing && seen != join_done;) {
        // acq_rel: a watch that is taken out is whole.
        if (!c.join.compare_exchange_weak(seen, join_detached, std::memory_order_acq_rel)) continue;
        end_watch(seen, false);
        return;
    }
    await_done(c);
    if (c.flags.result == outcome::exception && c.scope == nullptr) sched.hooks.uncaught(c);
    drop_result(c);
    give_descriptor(c);  // The pool outlives the runtime: a handle may be the last to let go.
}

// A handle's coroutine, kept from being given back while it lives.
//
//     stop                                release
//     pins_ += 1                          c_ = null
//     heavy_fence()                       light_fence()
//     read c_: null, or it may be used    read pins_: none, or wait
//
// One of the two reads sees the other's store (os/fence.hpp). A join costs a load more, and the request, which is rare, pays.
class join_link::pin {
public:
    explicit pin(join_link& link) noexcept : link_(link) {
        link.pins_.fetch_add(1, std::memory_order_relaxed);  // Ordered by the fence.
        heavy_fence();
        c_ = link.get();
    }
    // release: what was done to the coroutine comes before its end as a descriptor.
    ~pin() { link_.pins_.fetch_sub(1, std::memory_order_release); }
    pin(const pin&) = delete;
    pin& operator=(const pin&) = delete;

    [[nodiscard]] coroutine* running() const noexcept {
        return c_ != nullptr && !is_done(*c_) ? c_ : nullptr;
    }

private:
    join_link& link_;
    coroutine* c_;
};

void join_link::stop() noexcept {
    if (get() == nullptr) return;
    // Stop callbacks are the program's and may wait, for the joiner too. So they run without the
    // pin.
    ask_to_stop([this] {
        std::uint64_t asked =
            0;  // A callback may end the coroutine, and the joiner may put another one here.
        for (std::stop_source callbacks{std::nostopstate};;) {
            {
                const pin here(*this);
                coroutine* const c = here.running();
                if (c == nullptr || (asked != 0 && asked != c->id)) return;
                asked = c->id;
                if (stop_quietly(*c, callbacks)) return;
            }
            request_stop_of(std::exchange(callbacks, std::stop_source(std::nostopstate)));
        }
    });
}

void join_link::release(bool result_taken) noexcept {
    coroutine& c = *take();
    light_fence();
    // acquire: pairs with the end of a pin.
    for (backoff wait; pins_.load(std::memory_order_acquire) != 0;) wait.pause();
    if (!result_taken) drop_result(c);
    give_descriptor(c);  // The pool outlives the runtime: a handle may be the last to let go.
}

std::uint64_t id_of(const coroutine& c) noexcept { return c.id; }

void throw_not_joinable() {
    throw std::logic_error("weft: the join_handle is not joinable: joined, detached or moved from");
}

}  // namespace weft::detail
