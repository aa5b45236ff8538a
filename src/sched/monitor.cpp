#include "sched/monitor.hpp"

#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "os/futex.hpp"
#include "os/thread.hpp"
#include "sched/scheduler.hpp"

#include <mutex>

namespace weft::detail {
namespace {

// How much later than the monitor's next look a deadline may be without its being told.
constexpr std::int64_t deadline_slack = 200'000;

enum monitor_state : std::uint32_t { none, starting, running, failed, simulating };

struct monitor {
    std::atomic<std::uint32_t> state{none};
    std::atomic<bool> stop{false};
    /// Changes with every call; the monitor sleeps on it.
    std::atomic<std::uint32_t> calls{0};
    std::atomic<bool> sleeps_deep{false};
    /// When it looks next, if that matters to who adds a timer; else 0.
    std::atomic<std::int64_t> looks_at{0};
    /// It does not look for a while, because all was idle when it last did.
    std::atomic<bool> is_lazy{false};
    std::atomic<bool> quit_asked{false};
    std::atomic<std::uint64_t> looks{0};  // Odd during one.
    thread_handle thread{};
};
constinit monitor self;

void call_monitor() noexcept {
    self.calls.fetch_add(1, std::memory_order_release);
    futex_wake(self.calls);
}

// Sleeps until a processor is taken into use.
// False: that time has come, and everything still is idle.
bool sleep_deep(std::uint32_t calls, std::int64_t until) noexcept {
    {
        const std::lock_guard hold(sched.idle_lock);
        if (sched.idle_count.load(std::memory_order_relaxed) !=
            sched.active_count.load(std::memory_order_relaxed)) {
            return true;
        }
        self.sleeps_deep.store(true, std::memory_order_relaxed);
    }
    while (self.calls.load(std::memory_order_acquire) == calls) {
        if (futex_wait(self.calls, calls, until)) continue;
        const std::lock_guard hold(sched.idle_lock);
        self.sleeps_deep.store(false, std::memory_order_relaxed);
        return self.calls.load(std::memory_order_relaxed) != calls;
    }
    return true;
}

void* monitor_main(void*) {
    name_this_thread("weft-monitor");
    set_timer_slack(1);
    monitor_rounds rounds;
    while (!self.stop.load(std::memory_order_acquire)) {
        const std::uint32_t calls = self.calls.load(std::memory_order_acquire);
        if (self.quit_asked.load(std::memory_order_acquire)) sched.hooks.quit();
        rounds.look();
        if (rounds.are_over()) {
            if (self.stop.load(std::memory_order_acquire)) break;
            if (sleep_deep(calls, rounds.due())) rounds.begin_again();
            continue;
        }
        futex_wait(self.calls, calls, rounds.due());
        rounds.wake();
    }
    return nullptr;
}

}  // namespace

[[gnu::noinline]] void ensure_monitor() noexcept {
    WEFT_DEEP;
    if (self.state.load(std::memory_order_relaxed) != none) [[likely]]
        return;
    std::uint32_t seen = none;
    if (!self.state.compare_exchange_strong(seen, starting)) return;
    self.stop.store(false);
    self.sleeps_deep.store(false);
    self.quit_asked.store(false);
    // Without it nothing is lost but what it is for.
    if (const std::error_code error = start_thread(self.thread, monitor_main, nullptr)) {
        printer out;
        out << "weft: can't start the monitor thread: " << error.message() << "\n";
        out.flush();
        self.state.store(failed, std::memory_order_release);
        return;
    }
    sched.helper_threads.fetch_add(1, std::memory_order_relaxed);
    self.state.store(running, std::memory_order_release);
}

void stop_monitor() noexcept {
    if (self.state.load(std::memory_order_acquire) == running) {
        self.stop.store(true, std::memory_order_release);
        call_monitor();
        join_thread(self.thread);
        sched.helper_threads.fetch_sub(1, std::memory_order_relaxed);
    }
    self.state.store(none);
}

void monitor_rounds::look() {
    self.looks.fetch_add(1, std::memory_order_seq_cst);
    all_.look();
    self.looks.fetch_add(1, std::memory_order_seq_cst);
    over_ = all_.may_sleep_deep();
    due_ = over_ ? all_.deep_sleep_until() : all_.next();
    self.looks_at.store(!over_ && all_.answers_for_timers() ? due_ : 0, std::memory_order_relaxed);
    if (!over_) self.is_lazy.store(all_.is_lazy(), std::memory_order_relaxed);
}

void monitor_rounds::wake() noexcept {
    if (all_.is_lazy() && !self.is_lazy.load(std::memory_order_relaxed)) all_.look_sooner();
}

simulated_monitor::simulated_monitor() noexcept {
    self.state.store(simulating, std::memory_order_relaxed);
    seen_ = self.calls.load(std::memory_order_relaxed);
}

simulated_monitor::~simulated_monitor() { self.state.store(none, std::memory_order_relaxed); }

std::int64_t simulated_monitor::due() const noexcept {
    if (self.calls.load(std::memory_order_relaxed) != seen_) return 0;
    return rounds_.are_over() ? never : rounds_.due();
}

void simulated_monitor::look() {
    seen_ = self.calls.load(std::memory_order_relaxed);
    rounds_.wake();
    rounds_.look();
}

void simulated_monitor::processor_taken() noexcept {
    if (!rounds_.are_over()) return;
    rounds_.begin_again();
    self.calls.fetch_add(1, std::memory_order_relaxed);
}

bool call_monitor_to_quit() noexcept {
    if (self.state.load(std::memory_order_acquire) != running) return false;
    self.quit_asked.store(true, std::memory_order_release);
    call_monitor();
    return true;
}

std::uint64_t monitor_looks() noexcept { return self.looks.load(std::memory_order_seq_cst); }
bool is_same_look(std::uint64_t look) noexcept { return look % 2 != 0 && monitor_looks() == look; }

bool monitor_runs() noexcept {
    const std::uint32_t state = self.state.load(std::memory_order_relaxed);
    return state == running || state == simulating;
}

void rouse_monitor_locked() noexcept {
    if (!self.sleeps_deep.load(std::memory_order_relaxed)) return;
    self.sleeps_deep.store(false, std::memory_order_relaxed);
    call_monitor();
}

void rouse_lazy_monitor() noexcept {
    // Once: the next who finds it so has it to itself.
    if (self.is_lazy.load(std::memory_order_relaxed) &&
        self.is_lazy.exchange(false, std::memory_order_relaxed)) {
        call_monitor();
    }
}

void tell_monitor_of(std::int64_t deadline) noexcept {
    const std::int64_t looks_at = self.looks_at.load(std::memory_order_relaxed);
    if (looks_at != 0 && deadline < looks_at - deadline_slack) call_monitor();
}

}  // namespace weft::detail
