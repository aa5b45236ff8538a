#include "sched/cancel.hpp"
#include "arch/calls.hpp"

#include <weft/exceptions.hpp>
#include <weft/go.hpp>

#include "base/print.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/simulation.hpp"

#include <mutex>

namespace weft::detail {
namespace {

constexpr unsigned swallowed_reported = 100;

std::stop_source stop_source_of(coroutine& c) noexcept {
    coroutine_extras* const extras = peek_extras(c);
    if (extras == nullptr) return std::stop_source(std::nostopstate);
    const std::lock_guard hold(extras->lock);
    return extras->owner == &c ? extras->stop : std::stop_source(std::nostopstate);
}

void report_swallowed(const coroutine& self, const coroutine_extras& extras) noexcept {
    printer out;
    out << "weft: coroutine " << self.id.get() << " '" << extras.name.data() << "' created at "
        << self.file.get() << ":" << self.line() << " has swallowed " << swallowed_reported
        << " cancellations; let weft::cancelled leave it\n";
    out.flush();
}

}  // namespace

// Its callbacks are the program's, and may wait. The destructor of a std::stop_callback waits for a callback that is under
// way, unless that runs on its own thread, which it takes for its own caller. So no other coroutine may run on this thread
// meanwhile.
void request_stop_of(std::stop_source stop) noexcept {
    if (!stop.stop_possible() || stop.stop_requested()) return;
    const thread_lock alone;
    call_user([&stop] { stop.request_stop(); });
}

bool set_cancelled(coroutine& c, attention bit) noexcept {
    const std::uint32_t before = c.attention.fetch_or(bit, std::memory_order_seq_cst);  // cancel
    if (const ticket t = c.current_cancellable(); t.who != nullptr) fire(t, wake_reason::cancelled);
    return (before & bit) == 0;
}

bool stop_quietly(coroutine& c, std::stop_source& stop) noexcept {
    if ((c.attention.load(std::memory_order_relaxed) & attention_cancel) != 0) return true;
    stop = stop_source_of(c);
    if (!stop.stop_possible() || stop.stop_requested()) {
        set_cancelled(c);
        stop = stop_source_of(c);  // One made meanwhile.
    }
    return !stop.stop_possible() || stop.stop_requested();
}

void request_cancel(coroutine& c, attention bit) noexcept {
    // The stop source first, and under no lock, for its callbacks are the program's: once the coroutine sees the
    // bit it leaves, and takes them along.
    if (bit == attention_cancel) request_stop_of(stop_source_of(c));
    if (!set_cancelled(c, bit)) return;
    if (bit == attention_cancel) request_stop_of(stop_source_of(c));  // One made meanwhile.
}

bool cancellation_allowed(const coroutine& self) noexcept {
    // Of the running coroutine, so the thread holds its exception state.
    return self.no_cancel == 0 && this_machine()->exceptions->uncaught == 0;
}

bool cancellation_due(coroutine& self) noexcept {
    std::uint32_t bits = self.attention.load(std::memory_order_relaxed);
    if ((bits & attention_timed) != 0 && deadline_passed(self)) bits |= attention_deadline;
    return (bits & attention_requests) != 0 && cancellation_allowed(self);
}

void cancellation_point_slow(coroutine& self) {
    if (cancellation_due(self)) throw_cancelled(self);
}

void throw_cancelled(coroutine& self) {
    coroutine_extras& extras = extras_of(self);
    const bool asked = (self.attention.load(std::memory_order_relaxed) & attention_cancel) != 0;
    if (asked) extras.swallowed = extras.swallowed + 1;
    if (asked && extras.swallowed == swallowed_reported) {
        on_scheduler_stack([&] { report_swallowed(self, extras); });
    }
    throw cancelled();
}

}  // namespace weft::detail
