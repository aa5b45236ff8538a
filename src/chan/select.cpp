// Select: wait for several channels, and meet on one.
//
//   1  look which cases seem ready, without a lock; try one of them, picked at random, under the lock of its channel
//      alone, and so on until one has gone on or none is left
//   2  lock all channels, by address; try those that are ready; else put a waiter into each list, all with one ticket
//   3  unlock; sleep; who claims the ticket goes on with the one case
//   4  take the other waiters out, one channel after the other
//
// Step 1 makes the common case as cheap as an operation on one channel. It decides nothing but for the case that it
// goes on with: that none is ready is found out in step 2, with all channels locked, so there is a moment when it is true.
//
// Fairness: each step picks uniformly among the cases that are ready.
#include <weft/detail/operation.hpp>
#include <weft/detail/select_core.hpp>

#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "chan/channel_steps.hpp"
#include "chan/lock_order.hpp"
#include "chan/thread_random.hpp"
#include "chan/waited_cases.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/wait.hpp"

#include <new>
#include <span>

namespace weft::detail {
namespace {

using cases_span = std::span<select_case>;

static_assert(sizeof(chan_waiter) <= sizeof(select_case::waiter_room));
static_assert(alignof(chan_waiter) <= alignof(std::uintptr_t));

chan_waiter& waiter_of(select_case& one) noexcept {
    return *std::launder(reinterpret_cast<chan_waiter*>(one.waiter_room.data()));
}

std::uint32_t random_below(std::uint32_t count) noexcept {
    if (count == 1) return 0;
    machine* const m = this_machine();
    if (m == nullptr || m->p == nullptr) return random_on_thread(count);
    if (simulation* const sim = sched.sim.load(std::memory_order_relaxed)) return sim->below(count);
    const unrecorded unseen;  // The processor's: its coroutines use it in turn.
    return m->p->random.below(count);
}

bool may_go_on(const select_case& one) noexcept {
    if (one.channel == nullptr) return false;
    return one.sends ? may_send(*one.channel) : may_receive(*one.channel);
}

chan_step step_of(select_case& one, send_permit& permit) noexcept {
    if (!one.sends) return receive_locked(*one.channel, one.cell);
    if (one.cell == nullptr) return promise_locked(*one.channel, permit);
    return send_locked(*one.channel, one.cell);
}

// Which cases seem ready: their numbers, in `ready`; returns how many.
std::uint32_t list_ready(cases_span cases) noexcept {
    std::uint32_t n = 0;
    for (std::uint32_t i = 0; i != cases.size(); ++i) {
        if (may_go_on(cases[i])) cases[n++].ready = i;
    }
    return n;
}

// One of those `n`, picked at random, and taken off the list.
std::uint32_t pick_ready(cases_span cases, std::uint32_t& n) noexcept {
    const std::uint32_t at = random_below(n);
    const std::uint32_t picked = cases[at].ready;
    cases[at].ready = cases[--n].ready;
    return picked;
}

// What a step that did not block has come to.
void went_on(selected& result, std::uint32_t index, const select_case& one, const chan_step& step,
             send_permit permit) noexcept {
    result.index = index;
    result.status = step.what == chan_step::closed ? chan_status::closed : chan_status::ok;
    note_received(result.got, step);
    result.permitted = one.sends && one.cell == nullptr && result.status == chan_status::ok;
    result.permit = permit;
}

// Step 1. Returns false if none can go on. Out of line, as all steps are: a coroutine that waits is to hold the frame of
// the last one only.
[[gnu::noinline]] bool try_one_by_one(cases_span cases, selected& result) noexcept {
    for (std::uint32_t n = list_ready(cases); n != 0;) {
        const std::uint32_t i = pick_ready(cases, n);
        select_case& one = cases[i];
        send_permit permit;
        one.channel->lock.lock();
        const chan_step step = step_of(one, permit);
        one.channel->lock.unlock();
        step.wake();
        if (step.what != chan_step::blocked) {
            went_on(result, i, one, step, permit);
            return true;
        }
    }
    return false;
}

// Out of line: its frame is gone when the coroutine waits.
[[gnu::noinline]] void sort_by_address(cases_span cases) noexcept { sort_locks(cases); }

template <class F>
void for_each_lock(cases_span cases, F&& f) noexcept {
    channel_core* last = nullptr;
    for (select_case& one : cases) {
        if (one.lock_order != last) f(one.lock_order->lock);
        last = one.lock_order;
    }
}

// The select's locks, all of them.
class all_locked {
public:
    explicit all_locked(cases_span cases) noexcept : cases_(cases) {
        for_each_lock(cases_, [](spin_lock& lock) { lock.lock(); });
    }
    ~all_locked() {
        for_each_lock(cases_, [](spin_lock& lock) { lock.unlock(); });
    }
    all_locked(const all_locked&) = delete;
    all_locked& operator=(const all_locked&) = delete;

private:
    cases_span cases_;
};

// Step 2, the first half. Returns false if none can go on.
[[gnu::always_inline]] inline bool try_locked(cases_span cases, chan_step& step,
                                              selected& result) noexcept {
    for (std::uint32_t n = list_ready(cases); n != 0;) {
        const std::uint32_t i = pick_ready(cases, n);
        send_permit permit;
        step = step_of(cases[i], permit);
        if (step.what != chan_step::blocked) {
            went_on(result, i, cases[i], step, permit);
            return true;
        }
    }
    return false;
}

void enqueue_all(cases_span cases, const ticket& who, meeting& here) noexcept {
    for (std::uint32_t i = 0; i != cases.size(); ++i) {
        select_case& one = cases[i];
        if (one.channel == nullptr) continue;
        auto* const me = ::new (static_cast<void*>(one.waiter_room.data()))
            chan_waiter(who, one.cell, one.source);
        me->shared = &here;
        me->index = i;
        (one.sends ? one.channel->senders : one.channel->receivers).push(*me);
    }
    // While it waits nobody looks for what is ready, so a report finds the number there.
    if (!cases.empty()) cases.front().ready = static_cast<std::uint32_t>(cases.size());
}

// Step 4. The winner was popped by who claimed it.
void dequeue_all(cases_span cases, const chan_waiter* winner) noexcept {
    for (select_case& one : cases) {
        if (one.channel == nullptr || &waiter_of(one) == winner) continue;
        one.channel->lock.lock();
        (one.sends ? one.channel->senders : one.channel->receivers).remove(waiter_of(one));
        one.channel->lock.unlock();
    }
}

// A case that somebody else has ended.
void met(selected& result, const chan_waiter& winner, const select_case& one) noexcept {
    result.index = winner.index;
    result.status = winner.how == meeting_end::closed ? chan_status::closed : chan_status::ok;
    result.got.status = result.status;
    result.permitted = one.sends && winner.how == meeting_end::promised;
    if (result.permitted) result.permit = {nullptr, winner.promise};
}

// Steps 2 to 4. Returns false if the meeting came to nothing, and all must start again.
[[gnu::noinline]] bool wait_for_one(cases_span cases, std::int64_t deadline, selected& result) {
    meeting here;
    waiting wait(cancellation::checked, wait_kind::select, cases.data());  // See waited_cases().
    chan_step step;
    bool went = false;
    {
        const all_locked hold(cases);
        went = try_locked(cases, step, result);
        if (!went) enqueue_all(cases, wait.ticket(), here);
    }
    // Without any lock there was no fence for edge *cancel*.
    if (cases.empty() || cases.back().lock_order == nullptr) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    if (went) {
        step.wake();
        wait.abandon();
        return true;
    }
    wake_reason why = wake_reason::none;
    try {
        why = wait.finish(deadline);
    } catch (...) {
        dequeue_all(cases, nullptr);
        throw;
    }
    const chan_waiter* const winner = why == wake_reason::signalled ? here.winner : nullptr;
    dequeue_all(cases, winner);
    if (winner != nullptr) {
        if (winner->how == meeting_end::retry) return false;
        met(result, *winner, cases[winner->index]);
        return true;
    }
    if (why != wake_reason::timeout) throw_wait_ended(why);
    return true;
}

// With all channels locked: none can go on at one moment.
[[gnu::noinline]] void try_all(cases_span cases, selected& result) noexcept {
    chan_step step;
    {
        const all_locked hold(cases);
        try_locked(cases, step, result);
    }
    step.wake();
}

}  // namespace

std::span<const select_case> waited_cases(const void* object) noexcept {
    const auto* const first = static_cast<const select_case*>(object);
    return {first, first == nullptr ? 0 : first->ready};
}

selected select_cells(select_case* first, std::size_t count, std::int64_t deadline,
                      bool in_lock_order) {
    WEFT_PARKS;
    cancellable_operation_point();
    const cases_span cases(first, count);
    selected result;  // The caller's: the steps write into it in place.
    result.index = no_case;
    if (try_one_by_one(cases, result)) return result;
    if (!in_lock_order) sort_by_address(cases);
    if (deadline == chan_tries) {
        try_all(cases, result);
    } else {
        while (!wait_for_one(cases, deadline, result)) {}
    }
    return result;
}

}  // namespace weft::detail
