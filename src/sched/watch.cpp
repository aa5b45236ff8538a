#include "sched/watch.hpp"

#include "base/off_heap.hpp"
#include "os/clock.hpp"
#include "sched/blocking.hpp"
#include "sched/compensate.hpp"
#include "sched/idle.hpp"
#include "sched/idle_lists.hpp"
#include "sched/poll.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/stall.hpp"
#include "sched/trim.hpp"

#include <algorithm>
#include <new>

namespace weft::detail {
namespace {

constexpr std::int64_t look_most_shared = 500'000;  // While one is busy and another idle.
constexpr std::int64_t slice_most = 3'600'000'000'000;
// A call in a declared blocking section that takes longer loses its processor.
constexpr std::int64_t retake_after = 20'000;
// One that runs longer does not look around by itself, and its processor's timers are the monitor's business.
constexpr std::int64_t hog_after = 200'000;
// After a request to yield, the monitor sees who runs instead, and since when.
constexpr std::int64_t look_after_request = 200'000;

void cut(watched& w) noexcept {
    request_preemption(*w.machine_seen, preempt_cut);
    w.cut = true;
}

}  // namespace

watch::watch()
    : simulated_(simulated()),
      each_(static_cast<watched*>(
          off_heap_allocate(sched.processor_slots_max * sizeof(watched), alignof(watched)))) {
    if (simulated_) next_trim_ = never;
    for (unsigned i = 0; i != sched.processor_slots_max; ++i) ::new (&each_[i]) watched();
}

watch::~watch() {
    for (unsigned i = 0; i != sched.processor_slots_max; ++i) each_[i].~watched();
    off_heap_free(each_);
}

void watch::look() {
    now_ = now_ns();
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
        if (!simulated_) standstill_.look(now_);
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
    if (!simulated_ && now_ - last_trim_ >= look_most) {
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

void watch::begin_again() noexcept {
    interval_ = look_least;
    quiet_since_ = now_ns();
    if (quiet_since_ - now_ >= deep_sleep_at_first) {
        deep_sleep_after_ = std::max(deep_sleep_after_ / 2, deep_sleep_soonest);
    } else {
        deep_sleep_after_ = std::min(deep_sleep_after_ * 2, deep_sleep_latest);
    }
}

void watch::look_at(processor& p, watched& w) {
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
    look_at_theft(p, w);

    const std::int64_t ran = now_ - w.since;
    if (ran >= hog_after) ++hogs_;
    const std::int64_t slice = std::min<std::int64_t>(sched.opts.preempt_after.count(), slice_most);
    if (w.asked_at == 0) {
        // A hand-over that nobody waits behind may go on.
        if (ran < slice && now_ - w.chain_since >= slice && !has_work(p) && sched.global.empty())
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
            if (slice > 2 * unresponsive_after) help_out(p, w, w.since + 2 * unresponsive_after);
        }
    } else {
        // The call that kept it from being preempted in a prologue may be over.
        if (sched.has_split_stacks.load(std::memory_order_relaxed)) poison(*m);
        help_out(p, w, w.asked_at + unresponsive_after);
    }
    if (!simulated_) report_stall(w, now_);
}

// Another processor for the time being, if this one's machine has not responded until then.
void watch::help_out(processor& p, watched& w, std::int64_t until) {
    if (simulated_ || w.compensated()) return;  // A simulated one always responds.
    if (now_ < until) {
        due(until);
        return;
    }
    if (compensate(p, w)) seen_to_ = true;
    due(now_ + unresponsive_after);
}

// A short blocking call that is not. True: the processor has been taken from it.
bool watch::look_at_call(processor& p, watched& w) noexcept {
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

// Something still waits in `next` or, without anybody having been woken for it, in a ring since the last look, while others
// are idle.
void watch::look_at_queues(processor& p, watched& w) noexcept {
    coroutine* const next = p.next.peek();
    const bool more = !p.ring.empty() || !p.woken.empty();
    if (((next != nullptr && next == w.next) || (more && w.more)) && idle_ != 0) {
        wake_one();
        seen_to_ = true;
    }
    w.next = next;
    w.more = more;
}

// Whether the coroutine whose `next` was stolen has gone on since. If the thief's own request came too early to tell, this
// one does not.
void watch::look_at_theft(const processor& p, watched& w) noexcept {
    const std::int64_t stolen = p.stolen_at.load(std::memory_order_relaxed);
    if (stolen == w.stolen_at) return;
    if (p.stolen_tick.load(std::memory_order_relaxed) == w.tick && !w.asked_of_theft) {
        if (now_ - stolen < goes_on_least_ns) {
            due(stolen + goes_on_least_ns);
            return;
        }
        w.asked_of_theft = request_look(*w.machine_seen, preempt_stolen);
    }
    w.stolen_at = stolen;
}

// Arrivals that are this processor's to run, behind one who computes.
void watch::look_at_woken(processor& p, watched& w) noexcept {
    if (w.cut || idle_ != 0 || p.woken.empty()) return;
    if (now_ - w.since < least_run_ns) {
        due(w.since + least_run_ns);
        return;
    }
    cut(w);
}

// When the next arrival is due, and when to look again for one that nobody has a time for.
std::int64_t watch::next_arrival() noexcept {
    if (sched.global.has_arrivals()) return now_;
    const std::int64_t earliest = earliest_timer();
    const io_source* const io = sched.io.load(std::memory_order_acquire);
    if (io == nullptr || earliest <= now_ || !waits_outside()) return earliest;
    // Somebody sleeps in it, or has just looked.
    if (sched.io_taken.load(std::memory_order_relaxed)) return earliest;
    if (now_ - sched.io_looked_at.load(std::memory_order_relaxed) < look_most_shared) {
        return std::min(earliest, now_ + look_most_shared);
    }
    return io->anything_ready() ? now_ : std::min(earliest, now_ + look_most_shared);
}

void watch::look_at_arrivals() noexcept {
    if (busy_ == 0) return;
    const std::int64_t earliest = next_arrival();
    if (earliest == never) return;
    if (idle_ != 0) {
        // Somebody should keep it; if the keeper went to work, another must.
        if (earliest <= now_ && sched.wakes_at.load(std::memory_order_relaxed) == never &&
            !sched.io_taken.load(std::memory_order_relaxed)) {
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

std::int64_t watch::most() const noexcept {
    if (calls_ != 0) return look_most_shared;
    return busy_ != 0 && idle_ != 0 ? look_most_shared : look_most;
}

}  // namespace weft::detail
