#include "sched/monitor.hpp"

#include "base/off_heap.hpp"
#include "base/print.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/thread.hpp"
#include "os/thread_probe.hpp"
#include "sched/blocking.hpp"
#include "sched/compensate.hpp"
#include "sched/idle.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/stall.hpp"
#include "sched/trim.hpp"
#include "sched/watched.hpp"

#include <algorithm>
#include <mutex>

namespace weft::detail {
namespace {

constexpr std::int64_t look_least = 50'000;
constexpr std::int64_t look_most = 10'000'000;
constexpr std::int64_t look_most_shared = 500'000;  // While one is busy and another idle.
constexpr std::int64_t slice_most = 3'600'000'000'000;
constexpr std::int64_t deep_sleep_after = 100'000'000;

// A call in a declared blocking section that takes longer loses its processor.
constexpr std::int64_t retake_after = 20'000;
// Nobody is asked to make room before.
constexpr std::int64_t min_granularity = 500'000;
// Who runs longer does not look around by itself, and its processor's timers are the monitor's business.
constexpr std::int64_t hog_after = 200'000;
// For so long they are expected back.
constexpr std::int64_t hogs_remembered = 20'000'000;
// How much later than the monitor's next look a deadline may be without its being told.
constexpr std::int64_t deadline_slack = 200'000;

enum monitor_state : std::uint32_t { none, starting, running, failed };

struct monitor {
    std::atomic<std::uint32_t> state{none};
    std::atomic<bool> stop{false};
    /// Changes with every call; the monitor sleeps on it.
    std::atomic<std::uint32_t> calls{0};
    std::atomic<bool> sleeps_deep{false};
    /// When it looks next, if that matters to who adds a timer; else 0.
    std::atomic<std::int64_t> looks_at{0};
    std::atomic<bool> quit_asked{false};
    thread_handle thread{};
};
constinit monitor self;

void call_monitor() noexcept {
    self.calls.fetch_add(1, std::memory_order_release);
    futex_wake(self.calls);
}

// One look at everything, and when the next is due.
class watch {
public:
    watch()
        : each_(static_cast<watched*>(
              off_heap_allocate(sched.processor_slots_max * sizeof(watched), alignof(watched)))) {
        for (unsigned i = 0; i != sched.processor_slots_max; ++i) ::new (&each_[i]) watched();
    }
    ~watch() {
        for (unsigned i = 0; i != sched.processor_slots_max; ++i) each_[i].~watched();
        off_heap_free(each_);
    }
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;

    void look() {
        now_ = monotonic_ns();
        due_ = never;
        seen_to_ = false;
        longest_ = nullptr;
        busy_ = 0;
        hogs_ = 0;
        calls_ = 0;
        idle_ = sched.idle_count.load(std::memory_order_relaxed);
        for (processor* const p : sched.all_processors()) look_at(*p, each_[p->index]);
        look_at_timers();
        if (busy_ != 0) quiet_since_ = now_;
        // Stacks are looked through at most every 10 ms, and for as long as there was something to do.
        if (now_ - last_trim_ >= look_most) {
            last_trim_ = now_;
            next_trim_ = trim_stacks(quiet_since_);
        }
        interval_ = seen_to_ ? look_least : std::min(2 * interval_, most());
    }

    /// The moment of the next look.
    [[nodiscard]] std::int64_t next() const noexcept {
        return std::min(now_ + interval_, std::max(due_, now_ + look_least));
    }
    [[nodiscard]] bool may_sleep_deep() const noexcept {
        return now_ - quiet_since_ >= deep_sleep_after && next_trim_ > now_ + look_most;
    }
    /// Until when: `never` when no stacks want to be seen to.
    [[nodiscard]] std::int64_t deep_sleep_until() const noexcept { return next_trim_; }
    /// Everything has changed.
    void begin_again() noexcept {
        interval_ = look_least;
        quiet_since_ = monotonic_ns();
    }
    /// Whether a processor that adds a timer should not trust in looking around by itself.
    [[nodiscard]] bool answers_for_timers() const noexcept { return had_hogs() && idle_ == 0; }

private:
    void look_at(processor& p, watched& w) {
        machine* const m = p.holder.load(std::memory_order_relaxed);
        coroutine* const c = m == nullptr ? nullptr : m->current.get();
        const std::uint64_t tick = p.tick.read();
        if (m == nullptr || (c == nullptr && p.call.load(std::memory_order_relaxed) == 0)) {
            // Idle, or looking for work.
            w.responded();
            w.forget();
            if (m != nullptr) ++busy_;
            return;
        }
        ++busy_;
        if (w.machine_seen != m || w.tick != tick) {
            w.responded();
            w.begin(m, tick, now_);
        }
        if (look_at_call(p, w)) return;
        look_at_queues(p, w);

        const std::int64_t ran = now_ - w.since;
        if (ran >= hog_after) ++hogs_;
        const std::int64_t slice =
            std::min<std::int64_t>(sched.opts.preempt_after.count(), slice_most);
        if (w.asked_at == 0) {
            if (ran >= slice) {
                w.ask(*m, preempt_slice, now_);
                due(now_ + unresponsive_after);
            } else {
                due(w.since + slice);
                if (longest_ == nullptr || w.since < longest_->since) longest_ = &w;
                // However long a slice is: who sleeps in the kernel does not use it.
                if (slice > 2 * unresponsive_after && !w.compensated()) {
                    if (ran >= 2 * unresponsive_after) {
                        if (compensate(p, w)) seen_to_ = true;
                        due(now_ + unresponsive_after);
                    } else {
                        due(w.since + 2 * unresponsive_after);
                    }
                }
            }
        } else {
            // What kept it from being preempted in a prologue may be over.
            if (sched.has_split_stacks.load(std::memory_order_relaxed)) poison(*m);
            if (!w.compensated()) {
                if (now_ - w.asked_at >= unresponsive_after) {
                    if (compensate(p, w)) seen_to_ = true;
                    due(now_ + unresponsive_after);
                } else {
                    due(w.asked_at + unresponsive_after);
                }
            }
        }
        report_stall(w, now_);
    }

    // A short blocking call that is not. True: the processor has been taken from it.
    bool look_at_call(processor& p, watched& w) noexcept {
        const std::uint64_t call = p.call.load(std::memory_order_acquire);
        if (call == 0) {
            w.call = 0;
            return false;
        }
        ++calls_;
        if (call != w.call) {
            w.call = call;
            w.call_since = now_;
        } else if (now_ - w.call_since >= retake_after) {
            w.call = 0;
            if (!retake_processor(p, call)) return false;
            seen_to_ = true;
            return true;
        }
        due(w.call_since + retake_after);
        return false;
    }

    // What still waits in `next` or, without anybody having been woken for it, in a ring since the last look, while others
    // are idle.
    void look_at_queues(processor& p, watched& w) noexcept {
        coroutine* const next = p.next.peek();
        const bool more = !p.ring.empty() || !p.woken.empty();
        if (((next != nullptr && next == w.next) || (more && w.more)) && idle_ != 0) {
            wake_one();
            seen_to_ = true;
        }
        w.next = next;
        w.more = more;
    }

    void look_at_timers() noexcept {
        const std::int64_t earliest = earliest_timer();
        if (earliest == never || busy_ == 0) return;
        if (idle_ != 0) {
            // Somebody should keep it; if the keeper went to work, another must.
            if (earliest <= now_ && sched.wakes_at.load(std::memory_order_relaxed) == never) {
                wake_one();
                seen_to_ = true;
            }
            return;
        }
        if (hogs_ != 0) hogs_seen_at_ = now_;
        if (!had_hogs()) return;  // They look around themselves.
        if (hogs_ == 0) {
            // One has just given way, and may be back.
            due(std::max(earliest, now_ + hog_after));
            return;
        }
        if (earliest > now_) {
            due(earliest);
            return;
        }
        // All are busy. The one that has run longest makes room, if it has had its least time.
        if (longest_ == nullptr) return;
        const std::int64_t since = longest_->since;
        if (now_ - since >= min_granularity) {
            if (!longest_->cut) request_preemption(*longest_->machine_seen, preempt_cut);
            longest_->cut = true;
            due(now_ + min_granularity);
        } else {
            due(since + min_granularity);
        }
    }

    [[nodiscard]] bool had_hogs() const noexcept { return now_ - hogs_seen_at_ < hogs_remembered; }

    void due(std::int64_t when) noexcept { due_ = std::min(due_, when); }

    [[nodiscard]] std::int64_t most() const noexcept {
        if (calls_ != 0) return look_most_shared;
        return busy_ != 0 && idle_ != 0 ? look_most_shared : look_most;
    }

    watched* const each_;
    std::int64_t now_ = 0;
    std::int64_t due_ = never;
    std::int64_t interval_ = look_least;
    std::int64_t quiet_since_ = 0;
    std::int64_t last_trim_ = 0;
    std::int64_t next_trim_ = 0;  // When stacks want to be seen to again.
    std::int64_t hogs_seen_at_ = -hogs_remembered;
    watched* longest_ = nullptr;  // Of those that nobody has asked to yield.
    unsigned busy_ = 0;
    unsigned idle_ = 0;
    unsigned hogs_ = 0;
    unsigned calls_ = 0;
    bool seen_to_ = false;
};

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
    watch all;
    all.begin_again();
    while (!self.stop.load(std::memory_order_acquire)) {
        const std::uint32_t calls = self.calls.load(std::memory_order_acquire);
        if (self.quit_asked.load(std::memory_order_acquire)) sched.hooks.quit();
        all.look();
        if (all.may_sleep_deep()) {
            self.looks_at.store(0, std::memory_order_relaxed);
            if (self.stop.load(std::memory_order_acquire)) break;
            if (sleep_deep(calls, all.deep_sleep_until())) all.begin_again();
            continue;
        }
        const std::int64_t next = all.next();
        self.looks_at.store(all.answers_for_timers() ? next : 0, std::memory_order_relaxed);
        futex_wait(self.calls, calls, next);
    }
    return nullptr;
}

}  // namespace

void ensure_monitor() noexcept {
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

bool call_monitor_to_quit() noexcept {
    if (self.state.load(std::memory_order_acquire) != running) return false;
    self.quit_asked.store(true, std::memory_order_release);
    call_monitor();
    return true;
}

bool monitor_runs() noexcept { return self.state.load(std::memory_order_relaxed) == running; }

void rouse_monitor_locked() noexcept {
    if (!self.sleeps_deep.load(std::memory_order_relaxed)) return;
    self.sleeps_deep.store(false, std::memory_order_relaxed);
    call_monitor();
}

void tell_monitor_of(std::int64_t deadline) noexcept {
    const std::int64_t looks_at = self.looks_at.load(std::memory_order_relaxed);
    if (looks_at != 0 && deadline < looks_at - deadline_slack) call_monitor();
}

}  // namespace weft::detail
