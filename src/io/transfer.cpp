#include "io/transfer.hpp"

#include <weft/detail/operation.hpp>

#include "base/stack_facts.hpp"
#include "io/faults.hpp"
#include "io/loan.hpp"
#include "io/poller.hpp"
#include "sched/poll.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/wait.hpp"
#include <weft/detail/spin_lock.hpp>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>

namespace weft::detail {
namespace {

using value = io_descriptor::value;

[[noreturn, gnu::cold, gnu::noinline]] void throw_no_runtime() {
    throw std::logic_error(
        "weft: the network needs a runtime; call this inside weft::run, or while "
        "a weft::runtime is up");
}
[[noreturn, gnu::cold, gnu::noinline]] void throw_simulated() {
    throw std::logic_error("weft: there is no network in a simulation; give the program channels "
                           "there in place of connections");
}

constexpr io_side_of side_of(io_kind kind) noexcept {
    switch (kind) {
    case io_kind::read:
    case io_kind::read_loan:
    case io_kind::receive_from:
    case io_kind::receive_packets:
    case io_kind::accept:
    case io_kind::readable:
        return io_side_of::read;
    default:
        return io_side_of::write;
    }
}

constexpr wait_kind wait_of(io_kind kind) noexcept {
    switch (kind) {
    case io_kind::read:
    case io_kind::read_loan:
    case io_kind::receive_from:
    case io_kind::receive_packets:
        return wait_kind::io_read;
    case io_kind::accept:
        return wait_kind::io_accept;
    case io_kind::connect:
        return wait_kind::io_connect;
    case io_kind::readable:
    case io_kind::writable:
        return wait_kind::io_ready;
    default:
        return wait_kind::io_write;
    }
}

[[gnu::noinline]] std::int64_t receive_on_loan(io_request& r) noexcept {
    std::byte* const memory = take_loan();
    if (memory == nullptr) return -ENOMEM;
    const std::int64_t n = receive(r.d->fd, memory, loan_size);
    if (n > 0) {
        r.data = memory;
    } else {
        give_loan(memory);
    }
    return n;
}

std::int64_t attempt(io_request& r) noexcept {
    const int fd = r.d->fd;
    switch (r.kind) {
    case io_kind::read:
        return receive(fd, r.data, r.size);
    case io_kind::read_loan:
        return receive_on_loan(r);
    case io_kind::write:
        return transmit(fd, r.data, r.size);
    case io_kind::write_parts:
        return transmit_parts(fd, r.parts, r.size, r.skip);
    case io_kind::receive_from:
        return receive_from(fd, r.data, r.size, r.peer, r.flag);
    case io_kind::send_to:
        return transmit_to(fd, r.data, r.size, r.peer);
    case io_kind::receive_packets:
        return receive_packets(fd, r.packets, r.size);
    case io_kind::send_packets:
        return transmit_packets(fd, r.packets, r.size);
    case io_kind::accept:
        return accept_socket(fd, nullptr);
    case io_kind::connect: {
        const int there = poll_one(fd, poll_out);
        if (there <= 0) return there == 0 ? -EAGAIN : there;
        return connect_result(fd);
    }
    case io_kind::readable:
    case io_kind::writable: {
        const int there = poll_one(fd, r.kind == io_kind::readable ? poll_in : poll_out);
        return there == 0 ? -EAGAIN : there;
    }
    }
    return -EINVAL;
}

// Whether there may be more, behind an attempt that came to `n` and is not -EAGAIN.
bool ready_after(const io_request& r, std::int64_t n) noexcept {
    if (n <= 0) return true;
    std::size_t asked = 0;
    switch (r.kind) {
    case io_kind::read:
    case io_kind::read_loan:
    case io_kind::write:
        asked = r.size;
        break;
    case io_kind::write_parts:
        for (std::size_t i = 0; i != std::min(r.size, parts_max); ++i) asked += r.parts[i].size();
        asked -= r.skip;
        break;
    default:
        return true;
    }
    if (static_cast<std::size_t>(n) >= asked) return true;
    const value w = r.d->state.load();
    return (w & io_descriptor::is_flow) == 0 || (w & io_descriptor::ended) != 0;
}

bool has_passed(std::int64_t deadline) noexcept {
    return deadline != never && now_ns() >= deadline;
}

std::int64_t deadline_of(const io_request& r, io_side_of which) noexcept {
    return std::min(r.deadline, r.d->at(which).deadline.load(std::memory_order_relaxed));
}

// Counts the call in and takes the side. Null: done; `ready` says whether it is worth a try. Otherwise the error.
int take_side(const io_request& r, io_side_of which, bool& ready);

// The side is the caller's, until this is destroyed.
class side_hold {
public:
    side_hold(io_descriptor& d, io_side_of which, bool is_ready) noexcept
        : ready(is_ready), d_(d), which_(which) {}
    ~side_hold() { leave_io_side(d_, which_, ready); }
    side_hold(const side_hold&) = delete;
    side_hold& operator=(const side_hold&) = delete;

    bool ready;  // Taken, and to be given back.

private:
    io_descriptor& d_;
    const io_side_of which_;
};

// A follower that goes counts itself out.
class call_hold {
public:
    explicit call_hold(io_descriptor& d) noexcept : d_(&d) {}
    ~call_hold() {
        if (d_ != nullptr) leave_io_calls(*d_);
    }
    call_hold(const call_hold&) = delete;
    call_hold& operator=(const call_hold&) = delete;
    void release() noexcept { d_ = nullptr; }

private:
    io_descriptor* d_;
};

[[gnu::noinline]] int follow(const io_request& r, io_side_of which, bool& ready) {
    io_descriptor& d = *r.d;
    io_descriptor::side& s = d.at(which);
    const value busy = io_descriptor::of(io_descriptor::busy, which);
    const value is_ready = io_descriptor::of(io_descriptor::ready, which);
    const value queued = io_descriptor::of(io_descriptor::queued, which);
    for (;;) {
        const std::int64_t deadline = deadline_of(r, which);
        if (has_passed(deadline)) return -ETIMEDOUT;
        waiting wait(cancellation::honoured, wait_of(r.kind), &d);
        io_follower me{{wait.ticket()}};
        value w = d.state.enter();
        if ((w & io_descriptor::closing) != 0) {
            d.state.leave(w);
            wait.abandon();
            return -EBADF;
        }
        if ((w & busy) == 0) {
            ready = (w & is_ready) != 0;
            d.state.leave(((w | busy) & ~is_ready) + io_descriptor::call);
            wait.abandon();
            return 0;
        }
        s.queue.push(me);
        d.state.leave((w | queued) + io_descriptor::call);
        call_hold counted(d);
        const auto take_out = [&] {
            const value now = d.state.enter();
            s.queue.remove(me);
            d.state.leave(s.queue.empty() ? now & ~queued : now);
        };
        const wake_reason why = finish_in_list(wait, deadline, take_out);
        if (why == wake_reason::signalled && me.has_side) {
            counted.release();
            w = d.state.enter();
            ready = (w & is_ready) != 0;
            d.state.leave(w & ~is_ready);
            return 0;
        }
        if (why != wake_reason::signalled && why != wake_reason::timeout) throw_wait_ended(why);
        // It was closed, or its deadline has moved.
        if ((d.state.load(std::memory_order_acquire) & io_descriptor::closing) != 0)
            return -ECANCELED;
    }
}

int take_side(const io_request& r, io_side_of which, bool& ready) {
    io_descriptor& d = *r.d;
    const value busy = io_descriptor::of(io_descriptor::busy, which);
    const value is_ready = io_descriptor::of(io_descriptor::ready, which);
    value w = d.state.load();
    while ((w & (guarded_word::guard | io_descriptor::closing | busy)) == 0) [[likely]] {
            const value now = ((w | busy) & ~is_ready) + io_descriptor::call;
            if (d.state.change(w, now, std::memory_order_acquire)) {
                ready = (w & is_ready) != 0;
                return 0;
            }
        }
    return follow(r, which, ready);
}

enum class waited : std::uint8_t { is_ready, again, is_closed };

// The deadline's timer of the descriptor, with the ticket already there. False: no memory.
[[gnu::noinline]] WEFT_NOIPA bool arm(io_descriptor& d, std::int64_t deadline) noexcept {
    WEFT_CALLS("timers.add");
    value w = d.state.enter();
    if (deadline >= d.armed_for) {
        d.state.leave(w);
        return true;
    }
    const std::uint64_t word = d.word.load(std::memory_order_relaxed) + 1;
    d.word.store(word, std::memory_order_relaxed);
    d.armed_for = deadline;
    d.state.leave(w);
    try {
        processor& home =
            sched.hooks.timers->add(*this_machine()->p, deadline, timer_event::call(d, word));
        w = d.state.enter();
        if (d.word.load(std::memory_order_relaxed) == word) d.timer_home = home.index;
        d.state.leave(w);
        return true;
    } catch (const std::bad_alloc&) {
        w = d.state.enter();
        if (d.word.load(std::memory_order_relaxed) == word) d.armed_for = never;
        d.state.leave(w);
        return false;
    }
}

// Takes what may be left of the wait out of the side. If somebody has claimed it, then perhaps because it is ready.
void take_ticket_out(io_descriptor& d, io_side_of which) noexcept {
    const value waits = io_descriptor::of(io_descriptor::waits, which);
    const value w = d.state.enter();
    const bool claimed = (w & waits) == 0;
    d.state.leave(claimed ? w | io_descriptor::of(io_descriptor::ready, which) : w & ~waits);
}

// 0: `what` says what came; else the error.
[[gnu::noinline]] int wait_ready(const io_request& r, io_side_of which, waited& what) {
    io_descriptor& d = *r.d;
    // On a thread the runtime stays until the ticket is where the end of the runtime finds it.
    std::optional<foreign_visit> visit;
    if (this_coroutine() == nullptr) [[unlikely]] {
        visit.emplace();
        if (!*visit) throw_no_runtime();
    }
    if (d.known_to.load(std::memory_order_relaxed) !=
        static_cast<std::uint32_t>(sched.generation.load(std::memory_order_relaxed))) {
        const int error = watch_io(d);
        if (error == -EPERM) {
            what = waited::is_ready;
            return 0;
        }
        if (error != 0) return error;
    }
    const value is_ready = io_descriptor::of(io_descriptor::ready, which);
    waiting wait(cancellation::honoured, wait_of(r.kind), &d);
    value w = d.state.enter();
    if ((w & (is_ready | io_descriptor::closing)) != 0) {
        d.state.leave(w & ~is_ready);
        wait.abandon();
        what = (w & io_descriptor::closing) != 0 ? waited::is_closed : waited::is_ready;
        return 0;
    }
    const std::int64_t deadline = deadline_of(r, which);
    d.at(which).who = wait.ticket();
    const bool arms = deadline < d.armed_for && !visit && r.deadline == never;
    d.state.leave(w | io_descriptor::of(io_descriptor::waits, which));
    const bool on_thread = visit.has_value();
    visit.reset();
    if (arms && !arm(d, deadline)) {
        wait.abandon();
        take_ticket_out(d, which);
        return -ENOMEM;
    }
    begin_outside_wait();
    wake_reason why = wake_reason::none;
    try {
        // A deadline of this call alone is a timer of this wait alone.
        why = wait.finish(on_thread || r.deadline != never ? deadline : never);
    } catch (const std::bad_alloc&) {
        end_outside_wait();
        take_ticket_out(d, which);
        return -ENOMEM;
    }
    end_outside_wait();
    if (why == wake_reason::signalled) {
        const bool is_closed =
            (d.state.load(std::memory_order_acquire) & io_descriptor::closing) != 0;
        what = is_closed ? waited::is_closed : waited::is_ready;
        return 0;
    }
    take_ticket_out(d, which);
    if (why != wake_reason::timeout) throw_wait_ended(why);
    what = waited::again;
    return 0;
}

// `ready`: whether there may be more behind it.
std::int64_t attempt_with_faults(io_request& r, io_side_of which, bool& ready) noexcept {
    if (io_fault(5)) [[unlikely]] {
        // As if somebody else had taken it, and an event had come since.
        const value w = r.d->state.enter();
        r.d->state.leave(w | io_descriptor::of(io_descriptor::ready, which));
        ready = false;
        return -EAGAIN;
    }
    const std::size_t asked = r.size;
    if ((r.kind == io_kind::read || r.kind == io_kind::write) && io_fault(3)) [[unlikely]]
        r.size = io_shortened(asked);
    const std::int64_t n = attempt(r);
    ready = n != -EAGAIN && ready_after(r, n);
    r.size = asked;
    return n;
}

// The time has passed. A wait for readiness that has a time of its own is answered by what is there, so with a time in the past it is a
// question.
[[gnu::noinline]] std::int64_t end_at_deadline(const io_request& r, io_side_of which,
                                               side_hold& side) noexcept {
    const bool only_waits = r.kind == io_kind::readable || r.kind == io_kind::writable;
    if (!only_waits || has_passed(r.d->at(which).deadline.load(std::memory_order_relaxed)))
        return -ETIMEDOUT;
    const int there = poll_one(r.d->fd, which == io_side_of::read ? poll_in : poll_out);
    if (there == 0) return -ETIMEDOUT;
    side.ready = true;
    return there;
}

// One try after the other, with waits in between. The side is the caller's.
std::int64_t perform_in(io_request& r, io_side_of which, side_hold& side) {
    for (;;) {
        if (has_passed(deadline_of(r, which))) [[unlikely]]
            return end_at_deadline(r, which, side);
        if (side.ready) {
            const std::int64_t n = attempt_with_faults(r, which, side.ready);
            if (n != -EAGAIN) [[likely]]
                return n;
        }
        waited what = waited::again;
        if (const int error = wait_ready(r, which, what); error != 0) return error;
        if (what == waited::is_closed) return -ECANCELED;
        side.ready = what == waited::is_ready;
    }
}

// So many bytes have been written. Returns whether nothing is left.
bool advance(io_request& r, std::size_t n) noexcept {
    if (r.kind == io_kind::write) {
        r.data = static_cast<std::byte*>(r.data) + n;
        r.size -= n;
        return r.size == 0;
    }
    r.skip += n;
    while (r.size != 0 && r.skip >= r.parts->size()) {
        r.skip -= r.parts->size();
        ++r.parts;
        --r.size;
    }
    return r.size == 0;
}

}  // namespace

constinit std::atomic<std::uint64_t> io_faults{0};

void enter_io() {
    cancellable_operation_point();
    if (sched.sim.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
        throw_simulated();
    if (this_coroutine() == nullptr) [[unlikely]] {
        const foreign_visit visit;
        if (!visit) throw_no_runtime();
    }
}

std::int64_t perform(io_request& r) {
    enter_io();
    if (r.d == nullptr) return -EBADF;
    const io_side_of which = side_of(r.kind);
    bool ready = false;
    if (const int error = take_side(r, which, ready); error != 0) [[unlikely]]
        return error;
    side_hold side(*r.d, which, ready);
    return perform_in(r, which, side);
}

int perform_all(io_request& r, std::size_t& done) {
    done = 0;
    enter_io();
    if (r.d == nullptr) return -EBADF;
    bool ready = false;
    if (const int error = take_side(r, io_side_of::write, ready); error != 0) [[unlikely]]
        return error;
    side_hold side(*r.d, io_side_of::write, ready);
    while (!advance(r, 0)) {
        const std::int64_t n = perform_in(r, io_side_of::write, side);
        if (n < 0) return static_cast<int>(n);
        done += static_cast<std::size_t>(n);
        if (advance(r, static_cast<std::size_t>(n))) break;
        cancellable_operation_point();
    }
    return 0;
}

// A wait for several takes no sides: these are the caller's alone, and nobody else has their descriptors yet.
int wait_for_any(io_descriptor* const* which, std::size_t count, std::int64_t until) {
    const value is_ready = io_descriptor::of(io_descriptor::ready, io_side_of::write);
    const value waits = io_descriptor::of(io_descriptor::waits, io_side_of::write);
    std::optional<foreign_visit> visit;
    if (this_coroutine() == nullptr) {
        visit.emplace();
        if (!*visit) throw_no_runtime();
    }
    for (std::size_t i = 0; i != count; ++i) {
        if (const int error = watch_io(*which[i]); error != 0) return error - 1;
    }
    waiting wait(cancellation::honoured, wait_kind::io_connect, nullptr);
    const ticket mine = wait.ticket();
    std::size_t placed = 0;
    int found = -1;
    for (; placed != count && found < 0; ++placed) {
        io_descriptor& d = *which[placed];
        const value w = d.state.enter();
        if ((w & is_ready) != 0) {
            d.state.leave(w & ~is_ready);
            found = static_cast<int>(placed);
            break;
        }
        d.at(io_side_of::write).who = mine;
        d.state.leave(w | waits);
    }
    visit.reset();
    const auto take_out = [&] {
        for (std::size_t i = 0; i != placed; ++i) {
            io_descriptor& d = *which[i];
            const value w = d.state.enter();
            if ((w & waits) != 0) {
                d.state.leave(w & ~waits);
            } else if (found < 0) {
                found = static_cast<int>(i);
                d.state.leave(w);
            } else {
                d.state.leave(w | is_ready);
            }
        }
    };
    if (found >= 0) {
        wait.abandon();
        take_out();
        return found;
    }
    begin_outside_wait();
    wake_reason why = wake_reason::none;
    try {
        why = wait.finish(until);
    } catch (...) {
        end_outside_wait();
        take_out();
        throw;
    }
    end_outside_wait();
    take_out();
    if (why != wake_reason::signalled && why != wake_reason::timeout) throw_wait_ended(why);
    return found;
}

namespace {

struct waits_for_number {
    spin_lock lock;
    wait_list all;
};
constinit waits_for_number free_numbers;

}  // namespace

void wait_for_free_number(std::int64_t until) {
    waiting wait(cancellation::honoured, wait_kind::io_accept, nullptr);
    waiter me{wait.ticket()};
    {
        const std::lock_guard hold(free_numbers.lock);
        free_numbers.all.push(me);
    }
    const wake_reason why = finish_in_list(wait, until, [&] {
        const std::lock_guard hold(free_numbers.lock);
        free_numbers.all.remove(me);
    });
    if (why != wake_reason::signalled && why != wake_reason::timeout) throw_wait_ended(why);
}

void tell_of_free_number() noexcept {
    if (free_numbers.all.empty()) [[likely]]
        return;
    wake_chain woken;
    {
        const std::lock_guard hold(free_numbers.lock);
        if (waiter* const w = free_numbers.all.pop_claimed()) woken.add(*w);
    }
    woken.wake();
}

}  // namespace weft::detail
