// SIGQUIT, as Go has it: what every coroutine does, and the end.
#include "base/print.hpp"
#include "os/ignored_signal.hpp"
#include "os/signal.hpp"
#include "report/dump.hpp"
#include "sched/identity.hpp"
#include "sched/machine.hpp"
#include "sched/monitor.hpp"
#include "sched/scheduler.hpp"
#include "stack/unwind.hpp"

#include <array>
#include <atomic>
#include <exception>

#include <signal.h>
#include <unistd.h>

namespace weft::detail {
namespace {

constexpr int exit_status = 2;

std::atomic<bool> asked{false};
bool was_ignored = false;  // Until this runtime.

// Of the thread that the signal interrupted. Written before `asked` is seen by the monitor.
std::uint64_t interrupted = 0;  // The coroutine's id.
std::array<std::uintptr_t, frames_max> frames;
std::size_t frame_count = 0;

// In the signal handler, when there is nobody to leave it to: nothing was ever spawned, or the runtime is stopping.
// Allocates nothing, and so names nothing.
[[noreturn]] void list_and_quit() noexcept {
    printer out;
    sched.coroutines.for_each([&](const coroutine& c) {
        if (c.state.load(std::memory_order_acquire) == co_state::dead) return;
        print_coroutine_at_once(out, c);
        out << (c.id == interrupted ? " [running]:\n" : ":\n");
        for (std::size_t i = 0; c.id == interrupted && i != frame_count; ++i) {
            out.hex(frames[i]) << "\n";
            out.flush();
        }
        print_origin(out, c.created_at());
        out << "\n\n";
        out.flush();
    });
    ::_exit(exit_status);
}

bool on_quit() noexcept {
    if (asked.exchange(true)) return false;  // Once more, for the dump does not come to an end.
    write_to_stderr("weft: SIGQUIT\n\n");
    if (const coroutine* const c = this_coroutine()) {
        interrupted = c->id;
        frame_count = unwind_interrupted(frames);
    }
    if (!call_monitor_to_quit()) list_and_quit();
    return true;
}

}  // namespace

void install_quit() noexcept {
    asked.store(false);
    was_ignored = sched.env.sigquit_always && stop_ignoring(SIGQUIT);
    if (sched.env.sigquit) install_quit_hook(&on_quit);
}

void remove_quit() noexcept {
    remove_quit_hook();
    // The monitor ended before it came to it.
    if (asked.load()) quit_by_default();
    if (was_ignored) ignore_again(SIGQUIT);
}

void dump_and_quit() noexcept {
    try {
        const known_stack known{interrupted, std::span(frames).first(frame_count)};
        const snapshot taken(known);
        std::string text;
        append_findings(text, taken, false);
        write_to_stderr(text);
        dump_text pieces(taken, asked_style());
        for (bool more = true; more;) {
            more = pieces.next(text);
            write_to_stderr(text);
        }
    } catch (const std::exception& e) {
        printer out;
        out << "weft: no dump: " << std::string_view(e.what()) << "\n";
        out.flush();
    }
    ::_exit(exit_status);
}

}  // namespace weft::detail
