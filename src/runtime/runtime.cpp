#include "runtime/runtime.hpp"

#include <weft/go.hpp>

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/print.hpp"
#include "chan/timer_channel.hpp"
#include "os/clock.hpp"
#include "os/fence.hpp"
#include "os/signal.hpp"
#include "os/thread.hpp"
#include "report/debug_layout.hpp"
#include "report/dump.hpp"
#include "report/stack_text.hpp"
#include "report/unclaimed_text.hpp"
#include "runtime/config.hpp"
#include "runtime/reports.hpp"
#include "runtime/scope_state.hpp"
#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/wait.hpp"
#include "stack/thrown.hpp"
#include "stack/unwind.hpp"
#include "time/timer_heap.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <unistd.h>

namespace weft::detail {
namespace {

constexpr std::size_t main_stack = std::size_t{8} << 20;

std::atomic<bool> claimed{false};

// Everything that is plugged into the scheduler, and nothing that it knows by name.
constexpr scheduler_hooks hooks_of_run{
    .timers = &heap_timers,
    .scope_failure = &child_failed,
    .scope_exit = &child_ended,
    .uncaught = [](coroutine& c) noexcept { report_uncaught(c); },
    .unclaimed = &say_unclaimed,
    .deadlock = &handle_deadlock,
    .quit = &dump_and_quit,
    .print_stack = &print_stack,
    .cool = &cool_timer_nodes,
};

void start(const options& given) {
    const environment env = read_environment();
    const options opts = effective_options(given, env);
    keep_debug_layout();
    reset_unclaimed();
    start_scheduler(opts, env, hooks_of_run, effective_processors(opts, env), nullptr);
    warn_of_sanitizers();
    install_crash_reports();
    install_quit();
    start_schedtrace();
}

void stop() noexcept {
    remove_quit();
    stop_schedtrace();
    stop_scheduler();
    release_timer_nodes();
    forget_throws();
    remove_crash_reports();
}

std::int64_t grace_of(const options& opts) noexcept { return opts.shutdown_grace.count(); }

std::int64_t after(std::int64_t duration) noexcept {
    const std::int64_t now = now_ns();
    return duration < never - now ? now + duration : never;
}

// The body of the main coroutine.
void main_body(main_run& run, std::int64_t grace_ns) {
    coroutine& self = *this_coroutine();
    sched.main.store(&self);
    try {
        if (sched.env.throw_stack) {
            weft_call_noting_throws(
                [](void* what) {
                    auto& r = *static_cast<main_run*>(what);
                    r.value = r.main(r.argument);
                },
                &run);
        } else {
            run.value = run.main(run.argument);
        }
    } catch (const cancelled&) {
        // Somebody stopped main, or it threw `cancelled` itself: an end like any other.
        if (sched.env.throw_stack) forget_throw();
    } catch (...) {
        run.error = std::current_exception();
        if (sched.env.throw_stack) static_cast<void>(name_throw(run.error));
    }
    run.returned = true;
    const no_cancel to_the_end;
    cancel_all(&self);
    run.left_behind = !drain(1, after(grace_ns));
    if (run.left_behind && sched.sim.load() == nullptr) {
        report_left(&self, grace_ns);
        if (run.error) {
            (void)std::fputs("weft: main ended by an exception; the process ends\n", stderr);
        }
        (void)std::fflush(nullptr);  // Whatever it says, the process ends.
        ::_exit(run.error ? EXIT_FAILURE : run.value);
    }
    sched.main.store(nullptr);
    request_stop_scheduler();
}

// Not by way of a queue: a thief could take it, and main starts on this thread.
void start_main(machine& here, const spawn_options& how, main_run& run, std::int64_t grace_ns) {
    auto body = [&run, grace_ns] { main_body(run, grace_ns); };
    using frame = task_frame<decltype(body), void>;
    coroutine& c = begin_spawn(frame::type, &how, nullptr, spawn_mode::detached, run.where);
    ::new (static_cast<void*>(static_cast<frame*>(frame_of(c))->call_bytes)) decltype(body)(body);
    if (sched.sim.load() != nullptr) c.attention.fetch_or(attention_point);
    c.state.store(co_state::runnable, std::memory_order_release);
    here.handover = &c;
}

}  // namespace

void claim_runtime(const char* who) {
    if (in_coroutine()) throw std::logic_error(std::string("weft: ") + who + " inside a coroutine");
    if (this_thread_block()->mutator.load(std::memory_order_relaxed) != nullptr) {
        throw std::logic_error(std::string("weft: ") + who + " on a thread with a gc::attach");
    }
    if (claimed.exchange(true)) {
        throw std::logic_error(std::string("weft: ") + who + ": a runtime is up already");
    }
}

void release_runtime() noexcept { claimed.store(false); }

void cancel_all(const coroutine* except) noexcept {
    sched.draining.store(true, std::memory_order_seq_cst);
    heavy_fence();  // Its pairs are the light ones of commit_spawn() and retire().
    sched.coroutines.for_each([&](coroutine& c) {
        if (&c != except && c.state.load(std::memory_order_seq_cst) != co_state::dead) {
            request_cancel(c, attention_cancel);
        }
    });
}

bool drain(std::uint64_t left, std::int64_t deadline) noexcept {
    waiting wait(cancellation::ignored, wait_kind::shutdown);
    sched.drain_left = left;
    sched.drain_ticket = wait.ticket();
    sched.drain_waits.store(true, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    // Either the last one to end sees that we wait, or we see that it has ended (note_finished).
    if (live_coroutines() <= left && sched.drain_waits.exchange(false, std::memory_order_seq_cst)) {
        wait.abandon();
        return true;
    }
    try {
        if (wait.finish(deadline) == wake_reason::signalled) return true;
    } catch (const std::bad_alloc&) {
        // No memory for the timer: as if the time had passed.
    }
    sched.drain_waits.store(false, std::memory_order_seq_cst);
    return live_coroutines() <= left;
}

void run_as_main(machine& here, main_run& run, std::int64_t grace_ns) {
    adopt_this_thread(here);
    admit_foreign_threads();
    spawn_options how;
    how.name = "main";
    how.stack_size = std::max(main_stack, sched.opts.stack_size);
    how.stack_size = std::min(
        how.stack_size, std::max(sched.opts.max_stack, std::size_t{1} << stack_store::log2_min));
    try {
        start_main(here, how, run, grace_ns);
    } catch (...) {
        request_stop_scheduler();
        release_this_thread(here);
        throw;
    }
    run_machine(here);
    release_this_thread(here);
}

int run_main(const options& opts, int (*main)(void*), void* argument, const call_site& where) {
    claim_runtime("run");
    sched.detects_deadlock = true;
    main_run run;
    run.main = main;
    run.argument = argument;
    run.where = where;
    try {
        start(opts);
    } catch (...) {
        sched.detects_deadlock = false;
        release_runtime();
        throw;
    }
    machine here;  // Until stop(): a foreign thread on its way out may still ask it for a look.
    const std::uint64_t slack = set_timer_slack(1);
    {
        const alternate_stack signal_stack;
        try {
            run_as_main(here, run, grace_of(sched.opts));
        } catch (...) {
            run.error = std::current_exception();
        }
    }
    set_timer_slack(slack);
    sched.detects_deadlock = false;
    stop();
    release_runtime();
    if (run.error) std::rethrow_exception(std::move(run.error));
    return run.value;
}

void start_runtime(const options& opts) {
    claim_runtime("runtime");
    try {
        start(opts);
    } catch (...) {
        release_runtime();
        throw;
    }
    // The program's own thread may always send, so there is never a deadlock; at most a line that says so.
    sched.detects_deadlock = sched.env.stall_ms != 0;
    admit_foreign_threads();
}

void stop_runtime() noexcept {
    // A static runtime. The process ends, and takes along what is left, as it does with other threads of the program.
    const bool exits = is_called_by(reinterpret_cast<const void*>(&std::exit));
    if (exits && in_coroutine()) return;  // It can't wait for itself.
    WEFT_CHECK(!in_coroutine() && "~runtime is not to be called from a coroutine");
    const std::int64_t grace_ns = grace_of(sched.opts);
    cancel_all(nullptr);
    if (!drain(0, after(grace_ns))) {
        report_left(nullptr, grace_ns);
        if (exits) return;  // Perhaps a blocking call of one of those.
        while (!drain(0, never)) {}
    }
    request_stop_scheduler();
    sched.detects_deadlock = false;
    stop();
    release_runtime();
}

}  // namespace weft::detail
