#include "io/descriptor.hpp"

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "io/poller.hpp"
#include "io/transfer.hpp"
#include "mem/fixed_pool.hpp"
#include "os/socket.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

namespace weft::detail {
namespace {

using value = io_descriptor::value;

// Never destroyed: the program's connections may be statics.
using descriptor_pool = fixed_pool<io_descriptor, &io_descriptor::link>;
alignas(descriptor_pool) constinit descriptor_pool pool{"descriptors"};

constexpr unsigned generation_shift = 48;
constexpr std::uint64_t address_bits = (std::uint64_t{1} << generation_shift) - 1;
constexpr std::uint32_t generation_bits = 0xffff;

std::uint32_t this_runtime() noexcept {
    return static_cast<std::uint32_t>(sched.generation.load(std::memory_order_relaxed));
}

WEFT_NOIPA void add_deadline(processor& p, io_descriptor& d, std::int64_t when, std::uint64_t word,
                             processor*& home) {
    WEFT_CALLS("timers.add");
    home = &sched.hooks.timers->add(p, when, timer_event::call(d, word));
}

// The timer that was armed is stale. On any thread.
WEFT_NOIPA void forget_timer(std::uint32_t home, std::uint32_t runtime) noexcept {
    WEFT_CALLS("timers.forget");
    const foreign_visit visit;
    if (!visit || runtime != this_runtime() || outside_simulation()) return;
    sched.hooks.timers->forget(*sched.processors[home]);
}

// Who waits on a side, claimed; under the guard. Null: nobody, or somebody else was faster.
ticket claim_waiter(io_descriptor& d, io_side_of which, value& w) noexcept {
    if ((w & io_descriptor::of(io_descriptor::waits, which)) == 0) return {};
    w &= ~io_descriptor::of(io_descriptor::waits, which);
    const ticket t = d.at(which).who;
    return sleeper::claim_to_hand_over(t) ? t : ticket();
}

void give_back(io_descriptor& d) noexcept {
    const value w = d.state.enter();
    WEFT_ASSERT((w & io_descriptor::calls) == 0);
    static_cast<void>(w);
    const bool timed = d.armed_for != never;
    const std::uint32_t home = d.timer_home;
    const std::uint32_t runtime = d.known_to.load(std::memory_order_relaxed);
    ++d.generation;
    d.word.store(d.word.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    d.armed_for = never;
    d.known_to.store(0, std::memory_order_relaxed);
    d.state.leave(0);
    if (timed) forget_timer(home, runtime);
    pool.give(d);
}

// No call is in progress, nor will be.
int shut_here(io_descriptor& d) noexcept {
    value w = d.state.enter();
    const int fd = std::exchange(d.fd, -1);
    const std::uint32_t known_to = d.known_to.load(std::memory_order_relaxed);
    d.state.leave(w);
    if ((w & io_descriptor::is_shown) != 0) unwatch_io(fd, known_to);
    const int error = close_fd(fd);
    tell_of_free_number();
    w = d.state.enter();
    const bool is_last = (w & io_descriptor::owned) == 0;
    d.state.leave(w | io_descriptor::is_closed);
    if (is_last) give_back(d);
    return error;
}

// Where there is room: who leaves a call may have waited on a kilobyte.
int shut(io_descriptor& d) noexcept {
    int error = 0;
    on_scheduler_stack([&] { error = shut_here(d); });
    return error;
}

void fire_deadline(timer_target& target, std::uint64_t word) noexcept {
    auto& d = static_cast<io_descriptor&>(target);
    value w = d.state.enter();
    if (d.word.load(std::memory_order_relaxed) != word) {
        d.state.leave(w);
        return;
    }
    const std::int64_t now = now_ns();
    std::int64_t next = never;
    ticket woken[2];
    for (const io_side_of which : {io_side_of::read, io_side_of::write}) {
        if ((w & io_descriptor::of(io_descriptor::waits, which)) == 0) continue;
        const std::int64_t deadline = d.at(which).deadline.load(std::memory_order_relaxed);
        if (deadline <= now) {
            woken[static_cast<std::size_t>(which)] = claim_waiter(d, which, w);
        } else {
            next = std::min(next, deadline);
        }
    }
    d.armed_for = next;
    d.word.store(word + 1, std::memory_order_relaxed);
    if (next != never) {
        processor* home = nullptr;
        try {
            add_deadline(*this_machine()->p, d, next, word + 1, home);
            d.timer_home = home->index;
        } catch (const std::bad_alloc&) {
            // Who waits arms it itself, or says that there is no memory.
            d.armed_for = never;
            for (const io_side_of which : {io_side_of::read, io_side_of::write}) {
                ticket& t = woken[static_cast<std::size_t>(which)];
                if (t.who == nullptr) t = claim_waiter(d, which, w);
            }
        }
    }
    d.state.leave(w);
    for (const ticket& t : woken) {
        if (t.who != nullptr) wake_claimed_by_timer(t);
    }
}

}  // namespace

io_descriptor::io_descriptor() noexcept { fire = &fire_deadline; }

io_descriptor* take_io_descriptor(int fd, value flags) noexcept {
    io_descriptor* const d = pool.take();
    if (d == nullptr) return nullptr;
    static_cast<void>(d->state.enter());  // An event that is late may look at it.
    d->fd = fd;
    for (io_descriptor::side& s : d->sides) s.deadline.store(never, std::memory_order_relaxed);
    d->state.leave(flags | io_descriptor::owned |
                   io_descriptor::of(io_descriptor::ready, io_side_of::read) |
                   io_descriptor::of(io_descriptor::ready, io_side_of::write));
    return d;
}

int close_io_descriptor(io_descriptor& d) noexcept {
    ticket woken[2];
    wake_chain followers;
    value w = d.state.enter();
    if ((w & io_descriptor::closing) != 0) {
        d.state.leave(w);
        return -EBADF;
    }
    w |= io_descriptor::closing;
    for (const io_side_of which : {io_side_of::read, io_side_of::write}) {
        woken[static_cast<std::size_t>(which)] = claim_waiter(d, which, w);
        followers.take_all(d.at(which).queue);
        w &= ~io_descriptor::of(io_descriptor::queued, which);
    }
    d.state.leave(w);
    for (const ticket& t : woken) {
        if (t.who != nullptr) wake_claimed(t);
    }
    followers.wake();
    return (w & io_descriptor::calls) == 0 ? shut(d) : 0;
}

void give_back_readiness(io_descriptor& d, io_side_of which) noexcept {
    const value w = d.state.enter();
    d.state.leave(w | io_descriptor::of(io_descriptor::ready, which));
}

void drop_io_descriptor(io_descriptor& d) noexcept {
    const value w = d.state.enter();
    d.state.leave(w & ~io_descriptor::owned);
    if ((w & io_descriptor::is_closed) != 0) give_back(d);
}

int release_io_descriptor(io_descriptor& d) noexcept {
    const value w = d.state.enter();
    if ((w & io_descriptor::closing) != 0 || (w & io_descriptor::calls) != 0) {
        d.state.leave(w);
        return (w & io_descriptor::closing) != 0 ? -EBADF : -EBUSY;
    }
    const int fd = std::exchange(d.fd, -1);
    const std::uint32_t known_to = d.known_to.load(std::memory_order_relaxed);
    d.state.leave(w | io_descriptor::closing | io_descriptor::is_closed);
    unwatch_io(fd, known_to);
    return fd;
}

void show_io_descriptor(io_descriptor& d) noexcept {
    const value w = d.state.enter();
    d.state.leave(w | io_descriptor::is_shown);
}

void set_io_deadline(io_descriptor& d, io_side_of which, std::int64_t when) noexcept {
    ticket woken;
    wake_chain followers;
    io_descriptor::side& s = d.at(which);
    value w = d.state.enter();
    const bool earlier = when < s.deadline.load(std::memory_order_relaxed);
    s.deadline.store(when, std::memory_order_relaxed);
    if (earlier) {
        woken = claim_waiter(d, which, w);
        followers.take_all(s.queue);
        w &= ~io_descriptor::of(io_descriptor::queued, which);
    }
    d.state.leave(w);
    if (woken.who != nullptr) wake_claimed(woken);
    followers.wake();
}

io_hold::io_hold(io_descriptor* d) noexcept : d_(d) {
    if (d == nullptr) return;
    const value w = d->state.enter();
    const bool open = (w & io_descriptor::closing) == 0;
    d->state.leave(open ? w + io_descriptor::call : w);
    if (!open) d_ = nullptr;
}

io_hold::~io_hold() {
    if (d_ != nullptr) leave_io_calls(*d_);
}

void leave_io_calls(io_descriptor& d) noexcept {
    const value w = d.state.enter() - io_descriptor::call;
    d.state.leave(w);
    if ((w & io_descriptor::calls) == 0 && (w & io_descriptor::closing) != 0) shut(d);
}

namespace {

[[gnu::noinline]] void leave_side_slow(io_descriptor& d, io_side_of which, bool ready) noexcept {
    value w = d.state.enter() - io_descriptor::call;
    if (ready) w |= io_descriptor::of(io_descriptor::ready, which);
    ticket next;
    io_descriptor::side& s = d.at(which);
    if ((w & io_descriptor::of(io_descriptor::queued, which)) != 0) {
        if (waiter* const follower = s.queue.pop_claimed()) {
            static_cast<io_follower*>(follower)->has_side = true;
            next = follower->who;
        }
        if (s.queue.empty()) w &= ~io_descriptor::of(io_descriptor::queued, which);
    }
    if (next.who == nullptr) w &= ~io_descriptor::of(io_descriptor::busy, which);
    d.state.leave(w);
    if (next.who != nullptr) wake_claimed(next);
    if ((w & io_descriptor::calls) == 0 && (w & io_descriptor::closing) != 0) shut(d);
}

}  // namespace

void leave_io_side(io_descriptor& d, io_side_of which, bool ready) noexcept {
    const value slow = guarded_word::guard | io_descriptor::closing |
                       io_descriptor::of(io_descriptor::queued, which);
    value w = d.state.load();
    while ((w & slow) == 0) [[likely]] {
            value now = (w & ~io_descriptor::of(io_descriptor::busy, which)) - io_descriptor::call;
            if (ready) now |= io_descriptor::of(io_descriptor::ready, which);
            if (d.state.change(w, now, std::memory_order_release)) return;
        }
    leave_side_slow(d, which, ready);
}

std::uint64_t event_word(const io_descriptor& d) noexcept {
    return (std::uint64_t{d.generation & generation_bits} << generation_shift) |
           reinterpret_cast<std::uintptr_t>(&d);
}

void prefetch_io(std::uint64_t word) noexcept {
    __builtin_prefetch(reinterpret_cast<const void*>(word & address_bits), 1);
    __builtin_prefetch(reinterpret_cast<const std::byte*>(word & address_bits) + 64, 1);
}

std::size_t note_ready(std::uint64_t word, std::uint32_t what, io_woken& woken) noexcept {
    auto& d = *reinterpret_cast<io_descriptor*>(word & address_bits);
    std::size_t count = 0;
    value w = d.state.enter();
    if (event_word(d) == word) {
        if ((what & poll_end) != 0) w |= io_descriptor::ended;
        for (const io_side_of which : {io_side_of::read, io_side_of::write}) {
            if ((what & (which == io_side_of::read ? poll_in : poll_out)) == 0) continue;
            const ticket t = claim_waiter(d, which, w);
            if (t.who != nullptr) {
                woken.sides[count++] = t;
            } else {
                w |= io_descriptor::of(io_descriptor::ready, which);
            }
        }
    }
    d.state.leave(w);
    return count;
}

void end_io_descriptors() noexcept {
    pool.for_each([](io_descriptor& d) {
        ticket woken[2];
        value w = d.state.enter();
        for (const io_side_of which : {io_side_of::read, io_side_of::write}) {
            woken[static_cast<std::size_t>(which)] = claim_waiter(d, which, w);
        }
        d.state.leave(w);
        for (const ticket& t : woken) {
            if (t.who != nullptr) wake_claimed(t);
        }
    });
    pool.release();
}

}  // namespace weft::detail
