#include "io/poller.hpp"

#include "base/stack_facts.hpp"
#include "os/poller.hpp"
#include "os/ranked_lock.hpp"
#include "sched/park.hpp"
#include "sched/poll.hpp"
#include "sched/scheduler.hpp"

#include <array>
#include <cerrno>
#include <mutex>

namespace weft::detail {
namespace {

constinit poller the_poller;
constinit ranked_lock opening{lock_rank::lifecycle};
std::atomic<const inner_source*> numbers{nullptr};
std::atomic<bell_hook> bell{nullptr};
// No descriptor's: those are even.
constexpr std::uint64_t numbers_word = 1;
constexpr std::uint64_t bell_word = 3;
constexpr bool is_descriptor(std::uint64_t who) noexcept { return (who & 1) == 0; }

void wait_for_events(io_batch& out, std::int64_t until) noexcept {
    out.count = the_poller.wait(out.events, until);
}

// In three passes, as timers are fired: what each touches has been fetched in the one before.
std::size_t deliver(const io_batch& batch) noexcept {
    const machine* const m = this_machine();
    const bool on_processor = m != nullptr && m->p.get() != nullptr;
    std::array<ticket, 2 * io_batch::capacity> woken;
    std::size_t count = 0;
    std::size_t others = 0;
    for (std::size_t i = 0; i != batch.count; ++i) {
        if (is_descriptor(batch.events[i].who)) prefetch_io(batch.events[i].who);
    }
    for (std::size_t i = 0; i != batch.count; ++i) {
        const poll_event& event = batch.events[i];
        if (event.who == numbers_word) {
            others += numbers.load(std::memory_order_acquire)->deliver(on_processor);
            continue;
        }
        if (event.who == bell_word) {
            others += bell.load(std::memory_order_acquire)(on_processor);
            continue;
        }
        io_woken both;
        const std::size_t n = note_ready(event.who, event.what, both);
        for (std::size_t side = 0; side != n; ++side) {
            woken[count++] = both.sides[side];
            if (!sleeper::is_thread(both.sides[side])) {
                prefetch_woken(timer_event::wake(both.sides[side]));
            }
        }
    }
    for (std::size_t i = 0; i != count; ++i) wake_from_poller(woken[i], on_processor);
    return count + others;
}

void end() noexcept {
    if (const inner_source* const inner = numbers.exchange(nullptr)) inner->end();
    the_poller.close();
    end_io_descriptors();
}

constexpr io_source source{
    .wait = &wait_for_events,
    .deliver = &deliver,
    .interrupt = []() noexcept { the_poller.interrupt(); },
    .anything_ready = []() noexcept { return the_poller.anything_ready(); },
    .close = &end,
};

int open_poller() noexcept {
    const std::lock_guard hold(opening);
    if (sched.io.load(std::memory_order_acquire) != nullptr) return 0;
    if (const int error = the_poller.open(); error != 0) return error;
    open_io(source);
    return 0;
}

}  // namespace

[[gnu::noinline]] int ensure_poller() noexcept {
    WEFT_DEEP;
    return sched.io.load(std::memory_order_acquire) != nullptr ? 0 : open_poller();
}

// Under the guard, although the kernel is called, so that the other side's call sees either that it is known or that it is not. This comes
// once a connection, and who waits for the guard meanwhile is a call of the same connection, or an event that it has caused.
[[gnu::noinline]] int watch_io(io_descriptor& d) noexcept {
    WEFT_DEEP;
    const auto runtime =
        static_cast<std::uint32_t>(sched.generation.load(std::memory_order_relaxed));
    if (const int error = ensure_poller(); error != 0) return error;
    const io_descriptor::value w = d.state.enter();
    int error = 0;
    if (d.known_to.load(std::memory_order_relaxed) != runtime) {
        error = the_poller.watch(d.fd, event_word(d));
        if (error == 0) {
            d.known_to.store(runtime, std::memory_order_relaxed);
            d.armed_for = never;
        }
    }
    d.state.leave(w);
    return error;
}

[[gnu::noinline]] void unwatch_io(int fd, std::uint32_t known_to) noexcept {
    WEFT_DEEP;
    if (known_to == 0) return;
    const foreign_visit visit;  // Also on a machine: the poller stays open meanwhile.
    if (visit &&
        known_to == static_cast<std::uint32_t>(sched.generation.load(std::memory_order_relaxed))) {
        the_poller.forget(fd);
    }
}

[[gnu::noinline]] int open_inner(const inner_source& inner, poller& its) noexcept {
    WEFT_DEEP;
    if (const int error = ensure_poller(); error != 0) return error;
    const std::lock_guard hold(opening);
    if (numbers.load(std::memory_order_relaxed) != nullptr) return 0;
    if (const int error = its.open(); error != 0) return error;
    numbers.store(&inner, std::memory_order_release);
    if (const int error = the_poller.watch_inner(its, numbers_word); error != 0) {
        numbers.store(nullptr, std::memory_order_relaxed);
        its.close();
        return error;
    }
    return 0;
}

[[gnu::noinline]] int watch_bell(int fd, bell_hook hook) noexcept {
    WEFT_DEEP;
    bell.store(hook, std::memory_order_release);
    return the_poller.watch(fd, bell_word);
}

bool inner_is_open() noexcept { return numbers.load(std::memory_order_acquire) != nullptr; }

}  // namespace weft::detail
