// Descriptors that are not ours may be closed, duplicated and given out anew at any time, and nobody tells us. So nothing is kept of them:
// who waits stands in a list by the number, armed with a single entry of a poller of their own, and when that has told of
// something, or of nothing for whatever reason, poll(2) has the last word.
//
// A poller of their own, because the same number may be one of ours, which the program has got by native_handle(): to arm it would
// take the entry of that one.
#include "io/ready.hpp"

#include "arch/calls.hpp"
#include "base/stack_facts.hpp"
#include "io/poller.hpp"
#include "io/transfer.hpp"
#include "os/poller.hpp"
#include "os/ranked_lock.hpp"
#include "sched/poll.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sync/waiter.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <optional>
#include <stdexcept>

namespace weft::detail {
namespace {

struct number_waiter : waiter {
    int fd = -1;
    std::uint32_t what = 0;
};

struct bucket {
    ranked_lock lock{lock_rank::blocking};
    wait_list all;
};

constexpr std::size_t bucket_count = tiny_limits ? 2 : 64;
constinit std::array<bucket, bucket_count> buckets;
constinit poller its;

bucket& bucket_of(int fd) noexcept { return buckets[static_cast<unsigned>(fd) % bucket_count]; }

// Each of those in the list, which f may take out.
template <class F>
void for_each_locked(bucket& b, F&& f) noexcept {
    waiter* w = b.all.first();
    if (w == nullptr) return;
    waiter* const last = w->prev;
    for (bool more = true; more;) {
        waiter* const next = w->next;
        more = w != last;
        f(static_cast<number_waiter&>(*w));
        w = next;
    }
}

// What all who wait for the number wait for.
std::uint32_t wanted_locked(bucket& b, int fd) noexcept {
    std::uint32_t what = 0;
    for_each_locked(b, [&](const number_waiter& w) {
        if (w.fd == fd) what |= w.what;
    });
    return what;
}

int arm_locked(bucket& b, int fd) noexcept {
    const std::uint32_t what = wanted_locked(b, fd);
    if (what == 0) return 0;
    const auto who = static_cast<std::uint64_t>(fd);
    const int error = its.watch_again(fd, who, what);
    return error == -ENOENT ? its.watch_once(fd, who, what) : error;
}

void claim_ready(int fd, std::uint32_t what, wake_chain& woken) noexcept {
    bucket& b = bucket_of(fd);
    const std::lock_guard hold(b.lock);
    for_each_locked(b, [&](number_waiter& w) {
        if (w.fd != fd || (w.what & what) == 0) return;
        b.all.remove(w);
        if (sleeper::claim_to_hand_over(w.who)) woken.add(w);
    });
    // The entry is silent now. If it can't be armed again, then the number has gone, and the others see for themselves.
    if (arm_locked(b, fd) == 0) return;
    for_each_locked(b, [&](number_waiter& w) {
        if (w.fd != fd) return;
        b.all.remove(w);
        if (sleeper::claim_to_hand_over(w.who)) woken.add(w);
    });
}

std::size_t deliver_numbers(bool on_processor) noexcept {
    std::size_t count = 0;
    io_batch batch;
    do {
        batch.count = its.wait(batch.events, 0);
        for (std::size_t i = 0; i != batch.count; ++i) {
            wake_chain woken;
            claim_ready(static_cast<int>(batch.events[i].who), batch.events[i].what, woken);
            woken.for_each([&](const waiter& w) {
                ++count;
                wake_from_poller(w.who, on_processor);
            });
        }
    } while (batch.count == io_batch::capacity);
    return count;
}

void end_numbers() noexcept {
    its.close();
    for (bucket& b : buckets) {
        wake_chain woken;
        {
            const std::lock_guard hold(b.lock);
            woken.take_all(b.all);
        }
        woken.wake();
    }
}

constexpr inner_source numbers{&deliver_numbers, &end_numbers};

int queue_up(number_waiter& me) noexcept {
    bucket& b = bucket_of(me.fd);
    const std::lock_guard hold(b.lock);
    b.all.push(me);
    const int error = arm_locked(b, me.fd);
    if (error != 0) b.all.remove(me);
    return error;
}

void take_out(number_waiter& me) noexcept {
    bucket& b = bucket_of(me.fd);
    const std::lock_guard hold(b.lock);
    b.all.remove(me);
}

[[noreturn, gnu::cold, gnu::noinline]] void throw_ended() {
    throw std::logic_error("weft: the runtime has stopped while a thread waited for a descriptor");
}

// 1: to be looked at again; 0: the time has passed.
[[gnu::noinline]] int wait_once(int fd, std::uint32_t what, std::int64_t deadline) {
    std::optional<foreign_visit> visit;
    if (this_coroutine() == nullptr) [[unlikely]] {
        visit.emplace();
        if (!*visit) throw_ended();
    }
    if (!inner_is_open()) {
        if (const int error = open_inner(numbers, its); error != 0) return error;
    }
    waiting wait(cancellation::honoured, wait_kind::io_ready, nullptr);
    number_waiter me{{wait.ticket()}, fd, what};
    int error = 0;
    on_scheduler_stack([&] { error = queue_up(me); });
    visit.reset();
    if (error != 0) {
        wait.abandon();
        return error;
    }
    begin_outside_wait();
    wake_reason why = wake_reason::none;
    try {
        why = finish_in_list(wait, deadline, [&] { take_out(me); });
    } catch (...) {
        end_outside_wait();
        throw;
    }
    end_outside_wait();
    if (why == wake_reason::timeout) return 0;
    if (why != wake_reason::signalled) throw_wait_ended(why);
    return 1;
}

}  // namespace

int wait_until_ready(int fd, std::uint32_t what, std::int64_t deadline) {
    for (;;) {
        enter_io();
        if (const int there = poll_one(fd, what); there != 0) return there;
        if (deadline != never && now_ns() >= deadline) return 0;
        const int n = wait_once(fd, what, deadline);
        if (n == -EPERM) return 1;  // A file, say: always.
        if (n < 0) return n;
        if (n == 0) {
            const int there = poll_one(fd, what);
            return there;
        }
    }
}

}  // namespace weft::detail
