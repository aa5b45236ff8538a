#include "sched/monitor.hpp"

#include "base/off_heap.hpp"
#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/thread.hpp"
#include "os/thread_probe.hpp"
#include "sched/blocking.hpp"
#include "sched/compensate.hpp"
#include "sched/idle.hpp"
#include "sched/idle_lists.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/stall.hpp"
#include "sched/standstill.hpp"
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
// How long everything must have been idle before it sleeps until a processor is taken into use: that wakes it, which costs
// more than a few looks in vain if it has just gone to sleep. So a sleep that was long makes it go earlier, a short one later.
constexpr std::int64_t deep_sleep_soonest = 500'000;
constexpr std::int64_t deep_sleep_latest = 100'000'000;
constexpr std::int64_t deep_sleep_at_first = 20'000'000;

// A call in a declared blocking section that takes longer loses its processor.
constexpr std::int64_t retake_after = 20'000;
// Who runs longer does not look around by itself, and its processor's timers are the monitor's business.
constexpr std::int64_t hog_after = 200'000;
// For so long they are expected back.
constexpr std::int64_t hogs_remembered = 20'000'000;
// After a request to yield, the monitor sees who runs instead, and since when.
constexpr std::int64_t look_after_request = 200'000;
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
        turn_begins_ = now_ - last_turn_ >= turn_ns;
        if (turn_begins_) {
            last_turn_ = now_;
            sched.turn.fetch_add(1, std::memory_order_relaxed);
            standstill_.look(now_);
        }
        for (processor* const p : sched.all_processors()) look_at(*p, each_[p->index]);
        look_at_arrivals();
        // A processor that leaves something in the queue of all takes it back at once, mostly, or another does.
        const bool waits = idle_ != 0 && busy_ != 0 && !sched.global.empty();
        if (waits && waited_) {
            wake_one();
            seen_to_ = true;
        }
        waited_ = waits;
        if (busy_ != 0) quiet_since_ = now_;
        // Stacks are looked through at most every 10 ms, and for as long as there was something to do.
        if (now_ - last_trim_ >= look_most) {
            last_trim_ = now_;
            next_trim_ = trim_stacks(quiet_since_);
        }
        if (seen_to_) {
            interval_ = look_least;
        } else {
            // While all is idle there is nothing to see; who puts something into `next` then rouses the monitor.
            interval_ = busy_ == 0 ? most() : std::min(2 * interval_, most());
        }
    }

    /// Somebody works beside an idle processor.
    void look_sooner() noexcept { interval_ = look_least; }
    [[nodiscard]] bool is_lazy() const noexcept { return busy_ == 0; }

    /// The moment of the next look.
    [[nodiscard]] std::int64_t next() const noexcept {
        return std::min(now_ + interval_, std::max(due_, now_ + look_least));
    }
    [[nodiscard]] bool may_sleep_deep() const noexcept {
        return now_ - quiet_since_ >= deep_sleep_after_ && deep_sleep_until() > now_ + look_most;
    }
    /// Until when: `never` when no stacks want to be seen to, and nothing stands still.
    [[nodiscard]] std::int64_t deep_sleep_until() const noexcept {
        return std::min(next_trim_, standstill_.due());
    }
    /// Everything has changed.
    void begin_again() noexcept {
        interval_ = look_least;
        quiet_since_ = monotonic_ns();
        if (quiet_since_ - now_ >= deep_sleep_at_first) {
            deep_sleep_after_ = std::max(deep_sleep_after_ / 2, deep_sleep_soonest);
        } else {
            deep_sleep_after_ = std::min(deep_sleep_after_ * 2, deep_sleep_latest);
        }
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
        const std::uint64_t chain = p.chain_number();
        if (w.machine_seen != m || w.chain != chain) {
            w.chain = chain;
            w.chain_since = now_;
        }
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
            // A hand-over that nobody waits behind may go on.
            if (ran < slice && now_ - w.chain_since >= slice && !has_work(p) &&
                sched.global.empty())
                w.chain_since = now_;
            if (now_ - w.chain_since >= slice) {
                w.ask(*m, preempt_slice, now_);
                due(now_ + look_after_request);
            } else {
                due(w.chain_since + slice);
                look_at_woken(p, w);
                // So that it comes by find_work() once a turn, and serves who is overdue.
                if (turn_begins_ && !w.cut && !sched.global.empty()) request_look(*m);
                if (!w.cut && (longest_ == nullptr || w.since < longest_->since)) longest_ = &w;
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

    // Arrivals that are this processor's to run, behind one who computes.
    void look_at_woken(processor& p, watched& w) noexcept {
        if (w.cut || idle_ != 0 || p.woken.empty()) return;
        if (now_ - w.since < least_run_ns) {
            due(w.since + least_run_ns);
            return;
        }
        cut(w);
    }

    static void cut(watched& w) noexcept {
        request_preemption(*w.machine_seen, preempt_cut);
        w.cut = true;
    }

    void look_at_arrivals() noexcept {
        const std::int64_t earliest = sched.global.has_arrivals() ? now_ : earliest_timer();
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
        if (now_ - since >= least_run_ns) {
            cut(*longest_);
            due(now_ + least_run_ns);
        } else {
            due(since + least_run_ns);
        }
    }

    [[nodiscard]] bool had_hogs() const noexcept { return now_ - hogs_seen_at_ < hogs_remembered; }

    void due(std::int64_t when) noexcept { due_ = std::min(due_, when); }

    [[nodiscard]] std::int64_t most() const noexcept {
        if (calls_ != 0) return look_most_shared;
        return busy_ != 0 && idle_ != 0 ? look_most_shared : look_most;
    }

    watched* const each_;
    standstill_watch standstill_;
    std::int64_t now_ = 0;
    std::int64_t due_ = never;
    std::int64_t interval_ = look_least;
    std::int64_t quiet_since_ = 0;
    std::int64_t deep_sleep_after_ =
        2 * deep_sleep_at_first;  // begin_again() halves it, first of all.
    std::int64_t last_trim_ = 0;
    std::int64_t next_trim_ = 0;  // When stacks want to be seen to again.
    std::int64_t hogs_seen_at_ = -hogs_remembered;
    watched* longest_ = nullptr;  // Of those that nobody has asked to yield.
    unsigned busy_ = 0;
    unsigned idle_ = 0;
    unsigned hogs_ = 0;
    unsigned calls_ = 0;
    std::int64_t last_turn_ = 0;
    bool turn_begins_ = false;
    bool waited_ = false;  // Something was in the queue of all while a processor was idle.
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
        self.looks.fetch_add(1, std::memory_order_seq_cst);
        all.look();
        self.looks.fetch_add(1, std::memory_order_seq_cst);
        if (all.may_sleep_deep()) {
            self.looks_at.store(0, std::memory_order_relaxed);
            if (self.stop.load(std::memory_order_acquire)) break;
            if (sleep_deep(calls, all.deep_sleep_until())) all.begin_again();
            continue;
        }
        const std::int64_t next = all.next();
        self.looks_at.store(all.answers_for_timers() ? next : 0, std::memory_order_relaxed);
        self.is_lazy.store(all.is_lazy(), std::memory_order_relaxed);
        futex_wait(self.calls, calls, next);
        if (all.is_lazy() && !self.is_lazy.load(std::memory_order_relaxed)) all.look_sooner();
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

bool call_monitor_to_quit() noexcept {
    if (self.state.load(std::memory_order_acquire) != running) return false;
    self.quit_asked.store(true, std::memory_order_release);
    call_monitor();
    return true;
}

std::uint64_t monitor_looks() noexcept { return self.looks.load(std::memory_order_seq_cst); }
bool is_same_look(std::uint64_t look) noexcept { return look % 2 != 0 && monitor_looks() == look; }

bool monitor_runs() noexcept { return self.state.load(std::memory_order_relaxed) == running; }

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
