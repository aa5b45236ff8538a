#include <weft/chan.hpp>
#include <weft/detail/operation.hpp>

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
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

template <class Step>
[[gnu::always_inline]] inline chan_step locked(channel_core& c, Step&& step) noexcept {
    const std::lock_guard hold(c.lock);
    return step();
}

chan_status status_of(const chan_step& step) noexcept {
    return step.what == chan_step::closed ? chan_status::closed : chan_status::ok;
}

// What a wait has come to.
struct waited {
    chan_status status = chan_status::ok;
    // With `ok`: how the other side that was met has finished the step. `none`: the step did not block, and `done` was called.
    meeting_end how = meeting_end::none;
    std::uintptr_t promise = 0;  // Of `promised`.
};

constexpr auto nothing_else = [](const chan_step&) noexcept {};

// Tries `step` again and, if that blocks, waits in `list` for somebody to meet us. Calls done(step) if it did not block.
template <class Step, class Done>
[[gnu::always_inline]] inline waited
wait_for_meeting(channel_core& c, wait_list& list, wait_kind kind, void* cell, void* source,
                 std::int64_t deadline, Step&& step, Done&& done) {
    waited result;
    for (bool again = false;; again = true) {
        waiting wait(cancellation::checked, kind, &c);
        chan_waiter me(wait.ticket(), cell, source);
        const chan_step did = locked(c, [&] {
            const chan_step now = step();
            if (now.what == chan_step::blocked) again ? list.push_front(me) : list.push(me);
            return now;
        });
        if (did.what != chan_step::blocked) {
            did.wake();
            wait.abandon();
            done(did);
            result.status = status_of(did);
            return result;
        }
        const wake_reason why = finish_in_list(wait, deadline, [&] {
            const std::lock_guard hold(c.lock);
            list.remove(me);
        });
        if (!wait_succeeded(why)) {
            result.status = chan_status::timeout;
            return result;
        }
        if (me.how == meeting_end::retry) continue;
        if (me.how == meeting_end::closed) result.status = chan_status::closed;
        result.how = me.how;
        if (me.how == meeting_end::promised) result.promise = me.promise;
        return result;
    }
}

[[gnu::noinline]] chan_status send_waiting(channel_core& c, void* cell, std::int64_t deadline) {
    return wait_for_meeting(
               c, c.senders, wait_kind::chan_send, cell, nullptr, deadline,
               [&] { return send_locked(c, cell); }, nothing_else)
        .status;
}

template <class Done>
[[gnu::always_inline]] inline chan_status receive_waiting(channel_core& c, void* cell,
                                                          std::int64_t deadline, Done&& done) {
    return wait_for_meeting(
               c, c.receivers, wait_kind::chan_recv, cell, nullptr, deadline,
               [&] { return receive_locked(c, cell); }, done)
        .status;
}

[[gnu::noinline]] chan_status receive_value_waiting(channel_core& c, void* cell,
                                                    std::int64_t deadline) {
    return receive_waiting(c, cell, deadline, nothing_else);
}

[[gnu::noinline]] void receive_box_waiting(channel_core& c, void* cell, std::int64_t deadline,
                                           received& got) {
    got.status =
        receive_waiting(c, cell, deadline, [&](const chan_step& did) { note_received(got, did); });
}

// An operation tries at once where it looks as if it would succeed, and waits otherwise. Two functions, and neither calls
// the other: who waits has no frame but its own, which on a split stack decides in how many segments it is parked. `empty`:
// it would have to wait.

[[gnu::noinline]] chan_status send_at_once(channel_core& c, void* cell) {
    const chan_step step = locked(c, [&] { return send_locked(c, cell); });
    if (step.what == chan_step::blocked) return chan_status::empty;
    step.wake();
    return status_of(step);
}

[[gnu::noinline]] chan_status receive_value_at_once(channel_core& c, void* cell) {
    const chan_step step = locked(c, [&] { return receive_locked(c, cell); });
    if (step.what == chan_step::blocked) return chan_status::empty;
    step.wake();
    return status_of(step);
}

[[gnu::noinline]] void receive_box_at_once(channel_core& c, void* cell, received& got) {
    const chan_step step = locked(c, [&] { return receive_locked(c, cell); });
    if (step.what == chan_step::blocked) return;
    step.wake();
    note_received(got, step);
}

}  // namespace

chan_status send_cell(channel_core& c, void* cell, std::int64_t deadline) {
    WEFT_PARKS;
    cancellable_operation_point();
    if (may_send(c) || deadline == chan_tries) {
        const chan_status status = send_at_once(c, cell);
        if (status != chan_status::empty || deadline == chan_tries) return status;
    }
    return send_waiting(c, cell, deadline);
}

chan_status receive_value_cell(channel_core& c, void* cell, std::int64_t deadline) {
    WEFT_PARKS;
    cancellable_operation_point();
    if (may_receive(c) || deadline == chan_tries) {
        const chan_status status = receive_value_at_once(c, cell);
        if (status != chan_status::empty || deadline == chan_tries) return status;
    }
    return receive_value_waiting(c, cell, deadline);
}

received receive_box_cell(channel_core& c, void* cell, std::int64_t deadline) {
    WEFT_PARKS;
    cancellable_operation_point();
    received got;  // The caller's: both write into it in place.
    if (may_receive(c) || deadline == chan_tries) {
        receive_box_at_once(c, cell, got);
        if (got.status != chan_status::empty || deadline == chan_tries) return got;
    }
    receive_box_waiting(c, cell, deadline, got);
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
    // NOLINTNEXTLINE(bugprone-sizeof-expression): the pointer is what a cell holds.
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
    WEFT_PARKS;
    cancellable_operation_point();
    send_grant grant;
    const auto step = [&] { return promise_locked(c, grant.permit); };
    if (may_send(c) || deadline == chan_tries) {
        const chan_step first = locked(c, step);
        if (first.what != chan_step::blocked) {
            grant.status = status_of(first);
            return grant;
        }
        if (deadline == chan_tries) return grant;
    }
    const waited result = wait_for_meeting(c, c.senders, wait_kind::chan_send, nullptr, source,
                                           deadline, step, nothing_else);
    grant.status = result.status;
    grant.taken = result.how == meeting_end::done;
    if (result.how == meeting_end::promised) grant.permit = {nullptr, result.promise};
    return grant;
}

namespace {

void settle(channel_core& c, std::uintptr_t promise, std::uintptr_t box) noexcept {
    meeting_chain woken;
    {
        const std::lock_guard hold(c.lock);
        settle_locked(c, promise, box, woken);
    }
    woken.wake_all();
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
    return close_at_end(c);
}

bool close_at_end(channel_core& c) noexcept {
    meeting_chain woken;
    {
        const std::lock_guard hold(c.lock);
        if (c.closed.load(std::memory_order_relaxed)) return false;
        c.closed.store(true, std::memory_order_relaxed);
        end_all_locked(c, woken);
    }
    woken.wake_all();
    return true;
}

channel_core* make_channel(std::size_t capacity, std::size_t cell_size, bool boxed, bool carried,
                           void (*drop)(void* cell) noexcept) {
    constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
    const std::size_t room = std::numeric_limits<std::ptrdiff_t>::max() - sizeof(channel_core);
    if (capacity > most || (cell_size != 0 && capacity > room / cell_size)) throw std::bad_alloc();
    const std::size_t size = sizeof(channel_core) + capacity * cell_size;
    // Without a buffer nothing of a value ever lies here.
    carried = carried && capacity != 0;
    void* const memory = carried ? allocate_carrier(size, alignof(channel_core))
                                 : off_heap_allocate(size, alignof(channel_core));
    return ::new (memory) channel_core(capacity, cell_size, boxed, carried, drop);
}

WEFT_NOIPA void destroy_channel(channel_core& c) noexcept {
    WEFT_CALLS("channel_owner");
    if (c.owner != nullptr) c.owner->let_go(*c.owner);
    WEFT_ASSERT(c.senders.empty() && c.receivers.empty());
    if (c.drop != nullptr) {
        // Destructors may do what they like, but nobody has a handle any more.
        while (returned_cell* box = c.returned.load(std::memory_order_relaxed)) {
            c.returned.store(box->next, std::memory_order_relaxed);
            call_user(c.drop, &box);
        }
        for (; c.count.load(std::memory_order_relaxed) != 0; drop_head(c)) {
            call_user(c.drop, c.cell_at(c.head));
        }
    }
    const bool carried = c.carried;
    c.~channel_core();
    if (carried) {
        free_carrier(&c);
    } else {
        off_heap_free(&c);
    }
}

void* allocate_box(std::size_t size, std::size_t align, bool carried) {
    return carried ? allocate_carrier(size, align) : off_heap_allocate(size, align);
}
void free_box(void* box, bool carried) noexcept {
    if (carried) {
        free_carrier(box);
    } else {
        off_heap_free(box);
    }
}

void throw_channel_closed() { throw channel_closed(); }

void throw_no_channel() {
    throw std::logic_error(
        "weft: this handle names no channel: it was moved from, or is a sender or receiver "
        "that was never given one; assign one first");
}

}  // namespace weft::detail

namespace weft {

closing::~closing() {
    detail::channel_core* const core = detail::handle_access::core_or_null(c_);
    if (core == nullptr) return;
    try {
        static_cast<void>(detail::close_channel(*core));
    } catch (const std::logic_error&) {
        // A foreign thread during a simulation.
    }
}

}  // namespace weft
