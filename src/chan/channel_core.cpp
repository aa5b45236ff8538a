#include <weft/chan.hpp>
#include <weft/detail/operation.hpp>

#include "base/assert.hpp"
#include "base/off_heap.hpp"
#include "chan/channel_steps.hpp"
#include "sched/simulation.hpp"
#include "sched/wait.hpp"

#include <mutex>
#include <new>
#include <stdexcept>

namespace weft::detail {

static_assert(chan_waits == never);
static_assert(sizeof(channel_core) <= 80, "an empty channel of int is to take 96 bytes at most");

namespace {

wait_list& list_of(channel_core& c, wait_kind kind) noexcept {
    return kind == wait_kind::chan_send ? c.senders : c.receivers;
}

// What a wait has come to.
struct waited {
    chan_status status = chan_status::ok;
    meeting_end how = meeting_end::none;  // Of `ok`, when others ended it.
    std::uintptr_t promise = 0;           // Of `promised`.
    chan_step step;                       // Of `ok`, when the step did not block in the end.
};

// Tries `step` again and, if that blocks, waits for somebody to meet `me`.
template <class Step>
void wait_for_meeting(channel_core& c, wait_kind kind, void* cell, void* source,
                      std::int64_t deadline, Step&& step, waited& result) {
    for (bool again = false;; again = true) {
        meeting here;
        chan_waiter me;
        waiting wait(cancellation::honoured, kind, &c);
        me.who = wait.ticket();
        me.cell = cell;
        me.source = source;
        me.shared = &here;
        {
            const std::lock_guard hold(c.lock);
            step(result.step);
            if (result.step.what == chan_step::blocked) {
                again ? list_of(c, kind).push_front(me) : list_of(c, kind).push(me);
            }
        }
        if (result.step.what != chan_step::blocked) {
            result.step.wake.wake_all();
            wait.abandon();
            return;
        }
        const auto leave = [&] {
            const std::lock_guard hold(c.lock);
            list_of(c, kind).remove(me);
        };
        wake_reason why = wake_reason::none;
        try {
            why = wait.finish(deadline);
        } catch (...) {
            leave();
            throw;
        }
        if (why == wake_reason::signalled) {
            static_cast<void>(here.winner.load(std::memory_order_acquire));  // meeting
            if (me.how == meeting_end::retry) continue;
            result.how = me.how;
            result.promise = me.promise;
            if (me.how == meeting_end::closed) result.status = chan_status::closed;
            return;
        }
        leave();
        if (why != wake_reason::timeout) throw_wait_ended(why);
        result.status = chan_status::timeout;
        return;
    }
}

// The first try, without a wait; skipped when it would fail.
template <class Step>
void try_at_once(channel_core& c, bool may, std::int64_t deadline, Step&& step,
                 chan_step& result) noexcept {
    if (!may && deadline != chan_tries) return;
    {
        const std::lock_guard hold(c.lock);
        step(result);
    }
    result.wake.wake_all();
}

}  // namespace

chan_status send_cell(channel_core& c, void* cell, std::int64_t deadline) {
    cancellable_operation_point();
    const auto step = [&](chan_step& to) { send_locked(c, cell, to); };
    chan_step first;
    try_at_once(c, may_send(c), deadline, step, first);
    if (first.what == chan_step::done) return chan_status::ok;
    if (first.what == chan_step::closed) return chan_status::closed;
    if (deadline == chan_tries) return chan_status::empty;
    waited result;
    wait_for_meeting(c, wait_kind::chan_send, cell, nullptr, deadline, step, result);
    return result.step.what == chan_step::closed ? chan_status::closed : result.status;
}

received receive_cell(channel_core& c, void* cell, std::int64_t deadline) {
    cancellable_operation_point();
    const auto step = [&](chan_step& to) { receive_locked(c, cell, to); };
    chan_step first;
    try_at_once(c, may_receive(c), deadline, step, first);
    if (first.what != chan_step::blocked) return received_by(first);
    if (deadline == chan_tries) return {};
    waited result;
    wait_for_meeting(c, wait_kind::chan_recv, cell, nullptr, deadline, step, result);
    if (result.step.what != chan_step::blocked) return received_by(result.step);
    received got;
    got.status = result.status;
    return got;
}

void sender_served(waiter& sender) noexcept {
    end_meeting(static_cast<chan_waiter&>(sender), meeting_end::done);
}

void sender_must_retry(waiter& sender) noexcept {
    end_meeting(static_cast<chan_waiter&>(sender), meeting_end::retry);
}

void sender_promised(waiter& sender, std::uintptr_t promise) noexcept {
    auto& one = static_cast<chan_waiter&>(sender);
    one.promise = promise;
    end_meeting(one, meeting_end::promised);
}

void return_cell(channel_core& c, void* cell) noexcept {
    returned_cell* box = nullptr;
    std::memcpy(&box, cell, sizeof(box));
    chan_waiter* receiver = nullptr;
    {
        const std::lock_guard hold(c.lock);
        receiver = static_cast<chan_waiter*>(c.receivers.pop_claimed());
        if (receiver == nullptr) {
            box->next = c.returned.load(std::memory_order_relaxed);
            c.returned.store(box, std::memory_order_relaxed);
        } else {
            copy_cell(receiver->cell, cell, c.cell_size);
        }
    }
    if (receiver != nullptr) end_meeting(*receiver, meeting_end::done);
}

send_grant ask_to_send(channel_core& c, void* source, std::int64_t deadline) {
    cancellable_operation_point();
    send_grant grant;
    const auto step = [&](chan_step& to) { promise_locked(c, grant.permit, to); };
    const auto settle = [&](chan_step::result what) {
        grant.status = what == chan_step::closed ? chan_status::closed : chan_status::ok;
        return grant;
    };
    chan_step first;
    try_at_once(c, may_send(c), deadline, step, first);
    if (first.what != chan_step::blocked) return settle(first.what);
    if (deadline == chan_tries) return grant;
    waited result;
    wait_for_meeting(c, wait_kind::chan_send, nullptr, source, deadline, step, result);
    if (result.step.what != chan_step::blocked) return settle(result.step.what);
    grant.status = result.status;
    grant.taken = result.how == meeting_end::done;
    grant.permit = {nullptr, result.promise};
    return grant;
}

namespace {

void settle(channel_core& c, std::uintptr_t promise, std::uintptr_t box) noexcept {
    chan_step step;
    {
        const std::lock_guard hold(c.lock);
        settle_locked(c, promise, box, step);
    }
    step.wake.wake_all();
}

}  // namespace

void use_permit(channel_core& c, send_permit permit, void* box) noexcept {
    if (permit.receiver == nullptr) {
        settle(c, permit.promise, reinterpret_cast<std::uintptr_t>(box));
        return;
    }
    auto& receiver = static_cast<chan_waiter&>(*permit.receiver);
    std::memcpy(receiver.cell, &box, sizeof(box));
    end_meeting(receiver, meeting_end::done);
}

void give_up_permit(channel_core& c, send_permit permit) noexcept {
    if (permit.receiver == nullptr) {
        settle(c, permit.promise, 0);
        return;
    }
    end_meeting(static_cast<chan_waiter&>(*permit.receiver), meeting_end::retry);
}

bool close_channel(channel_core& c) {
    operation_point();
    chan_step step;
    {
        const std::lock_guard hold(c.lock);
        if (c.closed.load(std::memory_order_relaxed)) return false;
        c.closed.store(true, std::memory_order_relaxed);
        end_all_locked(c, step);
    }
    step.wake.wake_all();
    return true;
}

channel_core* make_channel(std::size_t capacity, std::size_t cell_size, bool boxed,
                           void (*drop)(void* cell) noexcept) {
    constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
    const std::size_t room = std::numeric_limits<std::ptrdiff_t>::max() - sizeof(channel_core);
    if (capacity > most || (cell_size != 0 && capacity > room / cell_size)) throw std::bad_alloc();
    void* const memory =
        off_heap_allocate(sizeof(channel_core) + capacity * cell_size, alignof(channel_core));
    return ::new (memory) channel_core(capacity, cell_size, boxed, drop);
}

void destroy_channel(channel_core& c) noexcept {
    if (c.owner != nullptr) c.owner->let_go(*c.owner);
    WEFT_ASSERT(c.senders.empty() && c.receivers.empty());
    if (c.drop != nullptr) {
        // Destructors may do what they like, but nobody has a handle any more.
        while (returned_cell* box = c.returned.load(std::memory_order_relaxed)) {
            c.returned.store(box->next, std::memory_order_relaxed);
            c.drop(&box);
        }
        for (; c.count.load(std::memory_order_relaxed) != 0; drop_head(c)) {
            c.drop(c.cell_at(c.head));
        }
    }
    c.~channel_core();
    off_heap_free(&c);
}

void* allocate_box(std::size_t size, std::size_t align) { return off_heap_allocate(size, align); }
void free_box(void* box) noexcept { off_heap_free(box); }

void throw_channel_closed() { throw channel_closed(); }

void throw_no_channel() {
    throw std::logic_error("weft: this handle names no channel: it was moved from");
}

}  // namespace weft::detail
