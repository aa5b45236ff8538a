#include "sched/blocking_threads.hpp"

#include <weft/go.hpp>

#include "base/intrusive_list.hpp"
#include "base/off_heap.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/ranked_lock.hpp"
#include "os/signal.hpp"
#include "os/thread.hpp"
#include "sched/collector.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "sched/wait.hpp"

#include <algorithm>
#include <cerrno>
#include <cxxabi.h>
#include <mutex>
#include <thread>

namespace weft::detail {
namespace {

constexpr std::int64_t unused_max_ns = 5'000'000'000;
constexpr std::uint64_t kernel_slack_ns = 50'000;

struct blocking_thread {
    thread_handle thread{};
    std::atomic<std::uint32_t> note{0};
    blocking_call* call = nullptr;  // Written before the note.
    blocking_thread* link = nullptr;
};

ranked_lock lock{lock_rank::blocking};
intrusive_queue<blocking_call, &blocking_call::link> waiting_calls;
intrusive_stack<blocking_thread, &blocking_thread::link> free_threads;
intrusive_stack<blocking_thread, &blocking_thread::link> ended_threads;
unsigned under_way = 0;  // Calls; waiting_calls is empty while there are fewer than may be.
unsigned thread_count = 0;
std::uint64_t calls_ended = 0;
bool stopping = false;

// In functions of their own: see docs/internals/rules.md.
[[gnu::noinline]] exception_globals& exceptions_here() noexcept {
    return *reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
}
[[gnu::noinline]] int& errno_here() noexcept { return errno; }

void run(blocking_call& call) noexcept {
    this_thread_block()->caller.store(static_cast<coroutine*>(call.caller.who),
                                      std::memory_order_relaxed);
    exceptions_here() = call.exceptions;
    errno_here() = call.error_number;
    run_timed(*call.site, call.f, call.argument);
    call.error_number = errno_here();
    call.exceptions = exceptions_here();
    exceptions_here() = {};
    // What was written into the caller's frames meanwhile had no barrier: they are read again before it goes on.
    if (is_marking()) {
        static_cast<coroutine*>(call.caller.who)->scan_stamp.store(0, std::memory_order_relaxed);
    }
    fire(call.caller, wake_reason::signalled);
}

// The next call, or null when the thread is to end.
blocking_call* next_call(blocking_thread& self) noexcept {
    ticket place;  // Of one who takes our place over.
    {
        const std::lock_guard hold(lock);
        ++calls_ended;
        blocking_call* const call = waiting_calls.pop();
        if (call != nullptr && call->f != nullptr) return call;
        if (call != nullptr) {
            place = call->caller;
        } else {
            --under_way;
        }
        if (stopping) return nullptr;
        self.note.store(0, std::memory_order_relaxed);
        self.call = nullptr;
        free_threads.push(self);
    }
    if (place.who != nullptr) fire(place, wake_reason::signalled);
    const std::int64_t until = monotonic_ns() + unused_max_ns;
    while (self.note.load(std::memory_order_acquire) == 0) {
        if (futex_wait(self.note, 0, until)) continue;
        const std::lock_guard hold(lock);
        if (self.note.load(std::memory_order_relaxed) != 0) break;
        free_threads.remove(self);
        return nullptr;
    }
    return self.call;
}

void* thread_main(void* argument) {
    auto& self = *static_cast<blocking_thread*>(argument);
    name_this_thread("weft-blocking");
    set_timer_slack(kernel_slack_ns);
    const alternate_stack signal_stack;
    sched.signals.apply_to_this_thread();
    blocking_call* call = self.call;
    while (call != nullptr) {
        run(*call);
        call = next_call(self);
    }
    sched.helper_threads.fetch_sub(1, std::memory_order_relaxed);
    const std::lock_guard hold(lock);
    --thread_count;
    ended_threads.push(self);
    return nullptr;
}

void join_ended() noexcept {
    for (;;) {
        blocking_thread* ended = nullptr;
        {
            const std::lock_guard hold(lock);
            ended = ended_threads.pop();
        }
        if (ended == nullptr) return;
        join_thread(ended->thread);
        off_heap_delete(ended);
    }
}

}  // namespace

void run_timed(blocking_site& site, void (*f)(void*), void* argument) noexcept {
    const std::int64_t began = monotonic_ns();
    f(argument);
    const auto took =
        static_cast<std::uint32_t>(std::min<std::int64_t>(monotonic_ns() - began, 1'000'000'000));
    // A moving average, and of several threads' notes the last: it only has to be about right.
    const std::uint32_t typical = site.typical_ns.load(std::memory_order_relaxed);
    site.typical_ns.store(typical == blocking_site::unknown ? took : typical / 4 * 3 + took / 4,
                          std::memory_order_relaxed);
}

namespace {

// Under `lock`: a free thread has the call, or null.
blocking_thread* assign_locked(blocking_call& call) noexcept {
    blocking_thread* const free = free_threads.pop();
    if (free == nullptr) {
        ++thread_count;
        return nullptr;
    }
    free->call = &call;
    free->note.store(1, std::memory_order_release);
    return free;
}

// Wakes the thread that has the call, or starts one. False: there can't be one, and nothing is under way.
bool set_going(blocking_thread* free, blocking_call& call) noexcept {
    if (free != nullptr) {
        futex_wake(free->note);
        return true;
    }
    join_ended();
    auto* const fresh = off_heap_new<blocking_thread>();
    fresh->call = &call;
    sched.helper_threads.fetch_add(1, std::memory_order_relaxed);
    // The lock keeps it from ending before its handle is there.
    const std::lock_guard hold(lock);
    if (!start_thread(fresh->thread, thread_main, fresh)) return true;
    sched.helper_threads.fetch_sub(1, std::memory_order_relaxed);
    off_heap_delete(fresh);
    --thread_count;
    --under_way;
    if (under_way == 0) return false;
    waiting_calls.push(call);  // Fewer at a time than there might be.
    return true;
}

}  // namespace

bool submit_blocking(blocking_call& call) noexcept {
    blocking_thread* free = nullptr;
    {
        const std::lock_guard hold(lock);
        if (under_way >= sched.opts.max_blocking) {
            waiting_calls.push(call);
            return true;
        }
        ++under_way;
        free = assign_locked(call);
    }
    return set_going(free, call);
}

bool begin_call_in_place() noexcept {
    const std::lock_guard hold(lock);
    if (under_way >= sched.opts.max_blocking) return false;
    ++under_way;
    return true;
}

void wait_for_call_in_place() {
    if (begin_call_in_place()) return;
    waiting wait(cancellation::ignored, wait_kind::blocking_call);
    blocking_call call;
    call.caller = wait.ticket();
    bool at_once = false;
    {
        const std::lock_guard hold(lock);
        at_once = under_way < sched.opts.max_blocking;
        if (at_once) {
            ++under_way;
        } else {
            waiting_calls.push(call);
        }
    }
    if (at_once) {
        wait.abandon();
    } else {
        wait.finish();  // The place is handed over.
    }
}

void end_call_in_place() noexcept {
    blocking_call* next = nullptr;
    blocking_thread* free = nullptr;
    ticket place;
    {
        const std::lock_guard hold(lock);
        ++calls_ended;
        next = waiting_calls.pop();
        if (next == nullptr) {
            --under_way;
            return;
        }
        if (next->f == nullptr) {
            place = next->caller;
        } else {
            free = assign_locked(*next);
        }
    }
    if (place.who != nullptr) {
        fire(place, wake_reason::signalled);
        return;
    }
    while (!set_going(free, *next)) {
        // Not even one thread: try again, for nobody else will see to this call.
        std::this_thread::yield();
        const std::lock_guard hold(lock);
        ++under_way;
        ++thread_count;
        free = nullptr;
    }
}

blocking_counts count_blocking() noexcept {
    const std::lock_guard hold(lock);
    return {under_way, waiting_calls.size(), calls_ended};
}

void stop_blocking_threads() noexcept {
    for (;;) {
        {
            const std::lock_guard hold(lock);
            stopping = true;
            while (blocking_thread* const free = free_threads.pop()) {
                free->call = nullptr;
                free->note.store(1, std::memory_order_release);
                futex_wake(free->note);
            }
            if (thread_count == 0) break;
        }
        std::this_thread::yield();
    }
    join_ended();
    const std::lock_guard hold(lock);
    stopping = false;
}

}  // namespace weft::detail
