// WEFT_DEBUG=schedtrace=ms: a stable line of key=value pairs on stderr, every so often.
#include <weft/runtime.hpp>

#include "base/print.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/thread.hpp"
#include "runtime/reports.hpp"
#include "sched/scheduler.hpp"

namespace weft::detail {
namespace {

struct tracer {
    thread_handle thread{};
    std::atomic<std::uint32_t> stop{0};
    std::atomic<bool> runs{false};
    std::int64_t started = 0;
};
constinit tracer trace;

void print_stats() noexcept {
    const runtime_stats s = stats();
    printer out;
    out << "weft schedtrace ms=" << (monotonic_ns() - trace.started) / 1'000'000
        << " processors=" << s.processors << " idle=" << sched.idle_count.load()
        << " threads=" << s.threads << " spinning=" << sched.spinning.load()
        << " blocked=" << sched.blocking_calls.load() << " coroutines=" << s.coroutines
        << " runnable=" << s.runnable << " global=" << std::uint64_t{sched.global.size()}
        << " spawned=" << s.spawned << " switches=" << s.switches << " parks=" << s.parks
        << " steals=" << s.steals << " handoffs=" << s.handoffs << " timers=" << s.timers << "\n";
    out.flush();
}

void* trace_main(void*) {
    name_this_thread("weft-schedtrace");
    const auto period = static_cast<std::int64_t>(sched.env.schedtrace_ms) * 1'000'000;
    std::int64_t next = trace.started + period;
    while (trace.stop.load() == 0) {
        if (futex_wait(trace.stop, 0, next)) continue;
        // On a slow machine the runtime is still being started, and has nothing to tell.
        if (sched.up.load()) print_stats();
        next += period;
    }
    return nullptr;
}

}  // namespace

void start_schedtrace() {
    if (sched.env.schedtrace_ms == 0) return;
    trace.started = monotonic_ns();
    trace.stop.store(0);
    if (start_thread(trace.thread, trace_main, nullptr)) return;  // Then there is no trace.
    trace.runs.store(true);
}

void stop_schedtrace() noexcept {
    if (!trace.runs.load()) return;
    print_stats();
    trace.stop.store(1);
    futex_wake(trace.stop);
    join_thread(trace.thread);
    trace.runs.store(false);
}

unsigned schedtrace_threads() noexcept { return trace.runs.load() ? 1 : 0; }

}  // namespace weft::detail
