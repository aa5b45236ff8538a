// When nothing can ever run again.
#include <weft/runtime.hpp>

#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "os/thread.hpp"
#include "report/dump.hpp"
#include "report/snapshot.hpp"
#include "runtime/reports.hpp"
#include "sched/idle.hpp"
#include "sched/scheduler.hpp"
#include "sched/stall.hpp"
#include "sched/wait.hpp"

#include <cstdio>
#include <string>

#include <unistd.h>

namespace weft::detail {
namespace {

// ThreadSanitizer has a thread of its own.
constexpr unsigned sanitizer_threads = tsan_build ? 1 : 0;

std::string
    report;  // Of the deadlock that is being thrown; one machine runs when it is written and read.

// More blocks would bury the first ones; more coroutines would take too long and too much memory.
constexpr std::size_t blocks_max = 200;
constexpr std::size_t coroutines_max = 100'000;

std::string make_report() {
    std::string text =
        "weft: deadlock: every coroutine waits, and nothing is left that could wake one\n";
    const snapshot all({}, coroutines_max);
    std::string findings;
    append_findings(findings, all, true);
    text += findings.empty() ? "\n" : findings;
    dump_text pieces(all, asked_style(), blocks_max);
    std::string piece;
    for (bool more = true; more;) {
        more = pieces.next(piece);
        text += piece;
    }
    return text;
}

}  // namespace

std::string deadlock_report() { return report; }

[[gnu::noinline]] void throw_deadlock() {
    WEFT_DEEP;
    throw deadlock(report);
}

bool fire_deadlock_in_main() noexcept {
    coroutine* const main = sched.main.load();
    report = make_report();
    if (main == nullptr) return false;
    const ticket t = main->current_throwing();
    return t.who != nullptr && fire(t, wake_reason::deadlock);
}

bool handle_deadlock() noexcept {
    const unsigned threads = count_threads();
    const unsigned ours = sched.machine_count.load() + sched.helper_threads.load() +
                          schedtrace_threads() + sanitizer_threads;
    // A thread that isn't ours may still send, spawn or cancel.
    const bool alone = threads != 0 && threads <= ours;
    if (!alone || sched.opts.on_deadlock == deadlock_action::ignore) {
        if (sched.env.stall_ms != 0) report_all_wait();
        return false;
    }
    // Again, and exactly: a machine may have been on its way to wake another when all looked idle, and the last
    // foreign thread may have left something behind as it went.
    if (!nothing_else_left()) return true;
    if (sched.opts.on_deadlock == deadlock_action::throw_in_main && fire_deadlock_in_main())
        return true;

    const std::string text = make_report();
    (void)std::fflush(nullptr);
    (void)std::fputs(text.c_str(), stderr);
    (void)std::fflush(nullptr);
    ::_exit(2);
}

}  // namespace weft::detail
