// Signals as values of channels.
//
// The handler sets a bit and rings a descriptor (os/caught_signal.hpp), which the poller tells of as of any other. What is delivered then is sent into the
// channels as a timer sends its time: under the channel's lock, by whoever has looked into the poller. No coroutine and no thread waits.
//
// A channel has as many places as it has signals, and each of them is in the buffer once at most. So there is always room, and none is forgotten.
#include <weft/signal.hpp>

#include "arch/calls.hpp"
#include "base/stack_facts.hpp"
#include "chan/channel_steps.hpp"
#include "io/poller.hpp"
#include "io/transfer.hpp"
#include "os/caught_signal.hpp"
#include "os/ranked_lock.hpp"
#include "sched/poll.hpp"
#include "sched/scheduler.hpp"
#include <weft/detail/channel_handle.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>

namespace weft::detail {
namespace {

struct signal_watch : channel_owner {
    channel_core* core = nullptr;  // Alive while the watch is listed.
    std::uint64_t signals = 0;
    std::uint64_t runtime = 0;
    signal_watch* next = nullptr;
};

struct watch_list {
    ranked_lock lock{lock_rank::timer_node};
    signal_watch* first = nullptr;
    std::array<unsigned, 64> watched{};  // How many watches a signal has.
    int bell = -1;
};
constinit watch_list all;

template <class F>
void for_each_signal(std::uint64_t bits, F&& f) noexcept {
    for (int n = 0; bits != 0; ++n, bits >>= 1) {
        if ((bits & 1) != 0) f(n);
    }
}

bool is_buffered(channel_core& c, int signal) noexcept {
    for (std::uint32_t i = 0; i != c.count.load(std::memory_order_relaxed); ++i) {
        int there = 0;
        std::memcpy(&there, c.cell_at(place_of(c, i)), sizeof(there));
        if (there == signal) return true;
    }
    return false;
}

std::size_t send_caught(bool on_processor) noexcept {
    const std::uint64_t caught = take_caught_signals();
    std::size_t woken = 0;
    const std::lock_guard hold(all.lock);
    for (signal_watch* w = all.first; w != nullptr; w = w->next) {
        for_each_signal(w->signals & caught, [&](int n) {
            const int signal = n + 1;
            const std::int64_t cell =
                signal;  // Its first half, for g++ sees that cells of 8 bytes are copied, too.
            chan_step step;
            {
                const std::lock_guard hold_channel(w->core->lock);
                if (!is_buffered(*w->core, signal)) step = send_locked(*w->core, &cell);
            }
            if (step.met != nullptr) ++woken;
            step.wake(on_processor ? &wake_claimed_by_timer : &wake_claimed);
        });
    }
    return woken;
}

void release_signals_locked(std::uint64_t signals) noexcept {
    for_each_signal(signals, [](int n) {
        if (--all.watched[static_cast<std::size_t>(n)] == 0) release_signal(n + 1);
    });
}

void end_watch(signal_watch& w) noexcept {
    {
        const std::lock_guard hold(all.lock);
        signal_watch** at = &all.first;
        while (*at != nullptr && *at != &w) at = &(*at)->next;
        if (*at != nullptr) {  // Its runtime has not ended before.
            *at = w.next;
            release_signals_locked(w.signals);
            sched.outside_waiters.fetch_sub(1, std::memory_order_relaxed);
        }
    }
    delete &w;
}

void let_go_of_signals(channel_owner& owner) noexcept {
    WEFT_CALLED_AS("channel_owner");
    on_scheduler_stack([&owner] { end_watch(static_cast<signal_watch&>(owner)); });
}

void stop_signals() noexcept {
    const std::lock_guard hold(all.lock);
    while (signal_watch* const w = all.first) {
        all.first = w->next;
        release_signals_locked(w->signals);
    }
    close_signal_bell();
    all.bell = -1;
}

constinit stop_hook at_stop{&stop_signals};

int open_bell_locked() noexcept {
    if (all.bell >= 0) return 0;
    const int fd = open_signal_bell();
    if (fd < 0) return fd;
    if (const int error = watch_bell(fd, &send_caught); error != 0) {
        close_signal_bell();
        return error;
    }
    all.bell = fd;
    call_at_stop(at_stop);
    return 0;
}

int begin_watch_locked(signal_watch& w) noexcept {
    if (const int error = open_bell_locked(); error != 0) return error;
    int error = 0;
    std::uint64_t done = 0;
    for_each_signal(w.signals, [&](int n) {
        if (error != 0) return;
        unsigned& count = all.watched[static_cast<std::size_t>(n)];
        if (count == 0) error = catch_signal(n + 1);
        if (error != 0) return;
        ++count;
        done |= std::uint64_t{1} << n;
    });
    if (error != 0) {
        release_signals_locked(done);
        return error;
    }
    w.next = all.first;
    all.first = &w;
    sched.outside_waiters.fetch_add(1, std::memory_order_relaxed);
    return 0;
}

[[noreturn, gnu::cold]] void throw_signal(int signal) {
    throw std::invalid_argument("weft: signal_channel: signal " + std::to_string(signal) +
                                " can't be caught; name those that others send, as SIGTERM");
}

std::uint64_t bits_of(std::initializer_list<int> signals) {
    std::uint64_t bits = 0;
    for (const int signal : signals) {
        if (!can_catch_signal(signal)) throw_signal(signal);
        bits |= std::uint64_t{1} << (signal - 1);
    }
    if (bits == 0) throw std::invalid_argument("weft: signal_channel: name a signal at least");
    return bits;
}

}  // namespace
}  // namespace weft::detail

namespace weft {

receiver<int> signal_channel(std::initializer_list<int> signals) {
    const std::uint64_t bits = detail::bits_of(signals);
    detail::enter_io();
    const detail::foreign_visit
        visit;  // On a coroutine, too: it costs little, and the runtime stays.
    auto w = std::make_unique<detail::signal_watch>();
    receiver<int> channel{chan<int>(signals.size())};
    detail::channel_core& core = *detail::handle_access::core_or_null(channel);
    w->core = &core;
    w->signals = bits;
    w->let_go = &detail::let_go_of_signals;
    int error = detail::ensure_poller();
    if (error == 0) {
        const std::lock_guard hold(detail::all.lock);
        error = detail::begin_watch_locked(*w);
    }
    if (error != 0) throw std::system_error(-error, std::system_category(), "weft: signal_channel");
    core.owner = w.release();  // From here on the channel sees to it.
    return channel;
}

}  // namespace weft
