#include "sched/stall.hpp"

#include "arch/unwind.hpp"
#include "base/print.hpp"
#include "base/tsan.hpp"
#include "os/mutex_owner.hpp"
#include "os/thread.hpp"
#include "os/thread_probe.hpp"
#include "sched/identity.hpp"
#include "sched/remedy.hpp"
#include "sched/scheduler.hpp"
#include "sched/watched.hpp"
#include "stack/unwind.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string_view>

namespace weft::detail {
namespace {

constexpr std::int64_t loop_reported_after = 1'000'000'000;
constexpr std::size_t frames_shown = 24;

std::atomic<std::uint64_t> found{0};

// The places that have been named already; the monitor's own.
struct said_thing {
    const char* file = nullptr;
    unsigned line = 0;
    std::array<char, 40> channel{};
};
std::array<said_thing, 64> said;
std::size_t said_count = 0;

// The number of threads that may help, as it was said last.
std::atomic<unsigned> strangers_said{~0u};

// Coroutines of one place that are stuck in one way are one thing, and further ones than these are no news.
bool is_news(const coroutine& c, std::string_view channel) noexcept {
    said_thing thing{.file = c.file.get(), .line = c.line()};
    std::copy_n(channel.begin(), std::min(channel.size(), thing.channel.size()),
                thing.channel.begin());
    const auto known = std::span(said).first(said_count);
    const bool is_known = std::any_of(known.begin(), known.end(), [&](const said_thing& one) {
        return one.file == thing.file && one.line == thing.line && one.channel == thing.channel;
    });
    if (is_known || said_count == said.size()) return false;
    said[said_count++] = thing;
    return true;
}

// Returns the machine of a thread; null if the thread is none of weft's. The caller holds the idle lock, because that keeps the
// machine from being deleted.
const machine* machine_of_locked(int thread_id) noexcept {
    const machine* m = sched.all_machines;
    while (m != nullptr && m->thread_id.load(std::memory_order_relaxed) != thread_id) {
        m = m->all_link;
    }
    return m;
}

// Prints the coroutines that wait while they hold locks of the thread library. Only programs with split stacks count these.
void print_parked_with_locks(printer& out) noexcept {
    const unrecorded unseen;  // The counts are the coroutines' own.
    unsigned shown = 0;
    sched.coroutines.for_each([&](const coroutine& c) {
        if (c.lock_depth == 0 || shown == 3) return;
        const co_state state = c.state.load(std::memory_order_acquire);
        if (state != co_state::parked) return;
        out << (shown++ == 0 ? "; with such a lock waits " : ", ");
        print_coroutine_at_once(out, c);
    });
}

// Prints the holder of the mutex that the thread waits for, if it waits for one.
void print_holder(std::uintptr_t futex) noexcept {
    const int owner = owner_of_mutex(futex);
    if (owner == 0) return;
    printer out;
    out << "weft: stall: it waits for the std::mutex ";
    out.hex(futex);
    out << ", which thread " << owner << " holds";
    {
        const std::lock_guard hold(sched.idle_lock);
        const machine* const m = machine_of_locked(owner);
        if (const coroutine* const c = m == nullptr ? nullptr : m->current.get()) {
            out << "; there runs ";
            print_coroutine_at_once(out, *c);
            out << ", ";
            print_origin(out, c->created_at());
        }
    }
    print_parked_with_locks(out);
    out << "\n";
    out.flush();
}

// The stack of a coroutine whose thread waits in the kernel. If the thread has gone on meanwhile, nothing is printed.
void print_stack_of(const coroutine& c, const machine& m, int thread_id,
                    const thread_probe::place& before) noexcept {
    const thread_block* const block = m.shared_block.load(std::memory_order_acquire);
    if (before.sp == 0 || block == nullptr) return;
    const stack_ref stack = c.stack;
    const stack_space space{sched.stacks, stack.is_split() ? stack.newest() : nullptr,
                            block->stack_low.load(std::memory_order_relaxed),
                            block->stack_high.load(std::memory_order_relaxed)};
    std::array<std::uintptr_t, frames_shown> frames;
    const std::size_t count = unwind_blocked({before.pc, before.sp}, space, frames);
    if (count == 0 || thread_probe::waits_at(thread_id) != before) return;
    sched.hooks.print_stack(std::span(frames).first(count));
}

}  // namespace

void report_stall(watched& w, std::int64_t now) noexcept {
    if (sched.env.stall_ms == 0 || w.reported || w.asked_at == 0) return;
    const std::int64_t ran = now - w.since;
    if (ran < static_cast<std::int64_t>(sched.env.stall_ms) * 1'000'000) return;
    const int id = w.machine_seen->thread_id.load(std::memory_order_relaxed);
    const bool blocked = w.probe.state(id) == thread_state::sleeping;
    if (!blocked && ran < loop_reported_after) return;

    const coroutine* const c = w.machine_seen->current;
    if (c == nullptr) return;
    w.reported = true;
    found.fetch_add(1, std::memory_order_relaxed);
    std::array<char, 64> buffer;
    std::string_view channel;
    if (blocked) channel = thread_probe::wait_channel(id, buffer);
    if (!is_news(*c, blocked ? channel : "a loop")) return;

    printer out;
    out << "weft: stall: ";
    print_coroutine(out, *c);
    out << ", ";
    print_origin(out, c->created_at());
    if (!blocked) {
        out << ", has run for " << ran / 1'000'000
            << " ms without a safepoint; see weft::checkpoint()\n";
        out.flush();
        return;
    }
    out << ", has blocked its thread for " << ran / 1'000'000 << " ms";
    if (!channel.empty()) out << " in " << channel;
    out << "; see " << remedy_for(channel) << "\n";
    out.flush();
    const thread_probe::place place = thread_probe::waits_at(id);
    print_holder(place.futex);
    print_stack_of(*c, *w.machine_seen, id, place);
}

void report_all_wait() noexcept {
    printer names;
    unsigned count = 0;
    for_each_thread([&](int thread_id, std::string_view name) {
        if (name.starts_with("weft-")) return;
        {
            const std::lock_guard hold(sched.idle_lock);
            if (machine_of_locked(thread_id) != nullptr) return;
        }
        // The names of more than a few say no more.
        if (count++ < 8) names << (count == 1 ? " (" : ", ") << thread_id << " '" << name << "'";
    });
    if (strangers_said.exchange(count, std::memory_order_relaxed) == count) {
        return;
    }
    printer out;
    out << "weft: stall: every coroutine waits; threads that are not weft's, and may help: "
        << count << names.view() << (count != 0 ? ")\n" : "\n");
    out.flush();
}

std::uint64_t stalls() noexcept { return found.load(std::memory_order_relaxed); }

void reset_stalls() noexcept {
    found.store(0);
    said_count = 0;
    strangers_said.store(~0u);
}

}  // namespace weft::detail
