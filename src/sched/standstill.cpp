#include "sched/standstill.hpp"

#include "base/print.hpp"
#include "os/thread_probe.hpp"
#include "sched/blocking_threads.hpp"
#include "sched/compensate.hpp"
#include "sched/idle.hpp"
#include "sched/idle_lists.hpp"
#include "sched/remedy.hpp"
#include "sched/scheduler.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace weft::detail {
namespace {

constexpr std::int64_t stands_after = 1'000'000'000;
constexpr std::int64_t line_stands_after = 10'000'000'000;
// A program that goes on after a while, stands still again, and so on, does not fill the log.
constexpr std::int64_t said_again_after = 60'000'000'000;

// Where coroutines are stuck, and how many. Places that do not fit are counted together.
class places {
public:
    void add(const coroutine& c, std::string_view channel) noexcept {
        const char* const file = c.file.get();
        const unsigned line = c.line();
        for (place& p : all()) {
            if (p.file == file && p.line == line && p.where() == channel) {
                ++p.count;
                return;
            }
        }
        if (size_ == places_.size()) {
            ++elsewhere_;
            return;
        }
        place& p = places_[size_++];
        p = {.file = file, .line = line, .count = 1, .channel = {}, .channel_size = 0};
        p.channel_size = std::min(channel.size(), p.channel.size());
        std::copy_n(channel.begin(), p.channel_size, p.channel.begin());
    }

    // The most frequent first.
    void print(printer& out) noexcept {
        std::sort(all().begin(), all().end(),
                  [](const place& a, const place& b) { return a.count > b.count; });
        constexpr std::size_t shown = 8;
        for (std::size_t i = 0; i != all().size(); ++i) {
            const place& p = places_[i];
            if (i >= shown) {
                elsewhere_ += p.count;
                continue;
            }
            out << "  " << p.count << " created at "
                << std::string_view(p.file == nullptr ? "?" : p.file) << ":" << p.line;
            if (!p.where().empty())
                out << ", in " << p.where() << ": see " << remedy_for(p.where());
            out << "\n";
            out.flush();
        }
        if (elsewhere_ != 0) out << "  " << elsewhere_ << " elsewhere\n";
        out.flush();
    }

private:
    struct place {
        const char* file;
        unsigned line;
        unsigned count;
        std::array<char, 40> channel;  // Where its thread waits in the kernel.
        std::size_t channel_size;
        [[nodiscard]] std::string_view where() const noexcept {
            return {channel.data(), channel_size};
        }
    };

    [[nodiscard]] std::span<place> all() noexcept { return std::span(places_).first(size_); }

    std::array<place, 64> places_;
    std::size_t size_ = 0;
    unsigned elsewhere_ = 0;
};

std::uint64_t dispatches() noexcept {
    std::uint64_t sum = 0;
    for (const processor* const p : sched.all_processors()) sum += p->tick.read();
    return sum;
}

// Whether somebody is there whom a processor would help.
bool somebody_waits(std::int64_t now) noexcept {
    if (!sched.global.empty() || earliest_timer() <= now) return true;
    const auto all = sched.all_processors();
    return std::any_of(all.begin(), all.end(), [](const processor* p) {
        return p->next.peek() != nullptr || has_work(*p);
    });
}

void report_processors() noexcept {
    places stuck;
    unsigned held = 0;
    for (const processor* const p : sched.all_processors()) {
        const machine* const m = p->holder.load(std::memory_order_relaxed);
        const coroutine* const c = m == nullptr ? nullptr : m->current.get();
        if (c == nullptr) continue;
        ++held;
        std::array<char, 64> channel;
        stuck.add(
            *c, thread_probe::wait_channel(m->thread_id.load(std::memory_order_relaxed), channel));
    }
    printer out;
    out << "weft: standstill: for 1 s no coroutine has gone on, though some could: all " << held
        << " processors are held by threads that do not respond, " << compensations().in_use
        << " of them added for others, which is options.max_compensation\n";
    out.flush();
    stuck.print(out);
}

void report_line(const blocking_counts& counts, std::int64_t seconds) noexcept {
    places calls;
    sched.coroutines.for_each([&](coroutine& c) {
        if (c.state.load(std::memory_order_acquire) == co_state::dead) return;
        if ((c.traits & trait_blocking) != 0) calls.add(c, {});
    });
    printer out;
    out << "weft: standstill: for " << seconds
        << " s no blocking call has ended: " << counts.under_way
        << " are under way, which is options.max_blocking, and " << counts.in_line
        << " wait in line; all of them:\n";
    out.flush();
    calls.print(out);
}

}  // namespace

bool standstill_watch::one::stands(std::uint64_t count, std::int64_t now,
                                   std::int64_t ns) noexcept {
    if (since == 0 || count != moved) {
        moved = count;
        since = now;
        said = false;
        return false;
    }
    if (said || now - since < ns || (said_at != 0 && now - said_at < said_again_after))
        return false;
    said = true;
    said_at = now;
    return true;
}

void standstill_watch::look(std::int64_t now) {
    due_ = never;
    if (!compensation_used_up() || !somebody_waits(now)) {
        processors_.forget();
    } else {
        if (processors_.stands(dispatches(), now, stands_after)) report_processors();
        due_ = now + stands_after;
    }
    const blocking_counts counts = count_blocking();
    if (counts.in_line == 0) {
        line_.forget();
        line_only_.forget();
        return;
    }
    if (line_.stands(counts.ended + dispatches(), now, stands_after)) {
        report_line(counts, stands_after / 1'000'000'000);
        line_only_.said = true;
    } else if (line_only_.stands(counts.ended, now, line_stands_after) && !line_.said) {
        report_line(counts, line_stands_after / 1'000'000'000);
    }
    due_ = now + stands_after;
}

}  // namespace weft::detail
