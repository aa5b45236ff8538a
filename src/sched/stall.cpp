#include "sched/stall.hpp"

#include "base/print.hpp"
#include "sched/extras.hpp"
#include "sched/scheduler.hpp"
#include "sched/watched.hpp"

#include <array>
#include <atomic>
#include <string_view>

namespace weft::detail {
namespace {

constexpr std::int64_t loop_reported_after = 1'000'000'000;

std::atomic<std::uint64_t> found{0};

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
    printer out;
    out << "weft: stall: coroutine " << c->id.get();
    std::array<char, 64> name;
    if (const std::size_t size = copy_name(*c, name); size != 0) {
        out << " '" << std::string_view(name.data(), size) << "'";
    }
    out << ", created at " << std::string_view(c->file.get()) << ":" << c->line();
    if (blocked) {
        out << ", has blocked its thread for " << ran / 1'000'000 << " ms";
        std::array<char, 64> channel;
        const std::string_view where = thread_probe::wait_channel(id, channel);
        if (!where.empty()) out << " in " << where;
        out << "; see weft::blocking()\n";
    } else {
        out << ", has run for " << ran / 1'000'000
            << " ms without a safepoint; see weft::checkpoint()\n";
    }
    out.flush();
}

std::uint64_t stalls() noexcept { return found.load(std::memory_order_relaxed); }
void reset_stalls() noexcept { found.store(0); }

}  // namespace weft::detail
