// SIGQUIT, as Go has it: what every coroutine does, and the end.
#include "base/print.hpp"
#include "os/signal.hpp"
#include "report/dump.hpp"
#include "sched/machine.hpp"
#include "sched/monitor.hpp"
#include "sched/scheduler.hpp"
#include "stack/unwind.hpp"

#include <array>
#include <atomic>
#include <exception>

#include <unistd.h>

namespace weft::detail {
namespace {

constexpr int exit_status = 2;

std::atomic<bool> asked{false};

// Of the thread that the signal interrupted. Written before `asked` is seen by the monitor.
std::uint64_t interrupted = 0;  // The coroutine's id.
std::array<std::uintptr_t, frames_max> frames;
std::size_t frame_count = 0;

void write_to_stderr(std::string_view text) noexcept {
    while (!text.empty()) {
        const auto written = ::write(STDERR_FILENO, text.data(), text.size());
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

// In the signal handler, when there is nobody to leave it to: nothing was ever spawned, or the runtime is stopping.
// Allocates nothing, and so names nothing.
[[noreturn]] void list_and_quit() noexcept {
    printer out;
    sched.coroutines.for_each([&](const coroutine& c) {
        if (c.state.load(std::memory_order_acquire) == co_state::dead) return;
        print_coroutine(out, c);
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
    if (sched.env.sigquit) install_quit_hook(&on_quit);
}

void remove_quit() noexcept {
    remove_quit_hook();
    // The monitor ended before it came to it.
    if (asked.load()) quit_by_default();
}

void dump_and_quit() noexcept {
    try {
        const known_stack known{interrupted, std::span(frames).first(frame_count)};
        const snapshot taken(known);
        dump_text pieces(taken);
        std::string text;
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
