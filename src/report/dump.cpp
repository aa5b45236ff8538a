#include "report/dump.hpp"

#include <weft/go.hpp>
#include <weft/report.hpp>

#include "base/print.hpp"
#include "report/stack_text.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "stack/unwind.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <ostream>

namespace weft::detail {
namespace {

constexpr std::size_t piece_size = std::size_t{64} * 1024;
// A stack that is shown so often already is not shown again.
constexpr std::uint64_t same_stacks_max = 1000;
// Reading debug information goes deeper than the stack of a coroutine may be.
constexpr std::size_t stack_for_names = std::size_t{256} * 1024;

void print_duration(printer& out, std::int64_t ns) noexcept {
    const std::int64_t seconds = ns / 1'000'000'000;
    if (seconds < 1) return;
    out << ", ";
    if (seconds < 120) {
        out << seconds << " s";
    } else {
        out << seconds / 60 << " minutes";
    }
}

void print_status(printer& out, const coroutine_record& r) noexcept {
    switch (r.status) {
    case co_status::unstarted:
        out << "runnable, not started";
        return;
    case co_status::runnable:
        out << "runnable";
        return;
    case co_status::running:
        out << "running";
        return;
    case co_status::blocking:
        out << "in a blocking call";
        return;
    case co_status::waiting:
        break;
    }
    print_wait(out, r);
    print_duration(out, r.waited_ns);
}

std::string_view why_no_stack(co_status status) noexcept {
    switch (status) {
    case co_status::unstarted:
        return "";
    case co_status::running:
        return "(running on another thread; stack unavailable)\n";
    case co_status::blocking:
        return "(in a blocking call on its own thread; stack unavailable)\n";
    default:
        return "(stack unavailable)\n";
    }
}

std::uint64_t hash_of(std::span<const std::uintptr_t> frames) noexcept {
    std::uint64_t hash = frames.size();
    for (const std::uintptr_t frame : frames) hash = (hash ^ frame) * 0x9e3779b97f4a7c15u;
    return hash;
}

bool same(std::span<const std::uintptr_t> a, std::span<const std::uintptr_t> b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

void print_coroutine(printer& out, const coroutine& c) noexcept {
    out << "coroutine " << c.id.get();
    std::array<char, 64> name;
    if (const std::size_t size = copy_name(c, name); size != 0) {
        out << " '" << std::string_view(name.data(), size) << "'";
    }
}

void print_origin(printer& out, const call_site& where) noexcept {
    out << "created at " << std::string_view(where.file == nullptr ? "?" : where.file) << ":"
        << where.line;
}

void print_wait(printer& out, const coroutine_record& r) noexcept {
    if (r.kind == wait_kind::other) {
        out << "parked";
        return;
    }
    out << name_of(r.kind);
    if (r.joined != 0) {
        out << " of coroutine " << r.joined;
    } else if (r.object != nullptr) {
        out << " ";
        out.hex(reinterpret_cast<std::uintptr_t>(r.object));
    }
}

void append_origin(std::string& text, const call_site& where) {
    text += "created at ";
    text += where.file == nullptr ? "?" : where.file;
    text += ':';
    text += std::to_string(where.line);
}

void dump_text::append_frames(std::string& text, const coroutine_record& r) {
    const std::span<const std::uintptr_t> frames = what_.frames(r);
    if (frames.empty()) {
        text += why_no_stack(r.status);
        return;
    }
    const std::uint64_t hash = hash_of(frames);
    seen_stack* seen = nullptr;
    for (auto [it, end] = stacks_.equal_range(hash); it != end; ++it) {
        if (same(what_.frames(*it->second.first), frames)) seen = &it->second;
    }
    if (seen == nullptr) seen = &stacks_.emplace(hash, seen_stack{&r, 0})->second;
    if (++seen->count > same_stacks_max) {
        text += "(the stack of coroutine " + std::to_string(seen->first->id) + ")\n";
        return;
    }
    append_stack(text, frames, names_);
    if (frames.size() == frames_max) text += "...\n";
}

void dump_text::append(std::string& text, const coroutine_record& r) {
    printer head;
    head << "coroutine " << r.id;
    if (r.name_size != 0) head << " '" << what_.name(r) << "'";
    head << " [";
    print_status(head, r);
    head << "]:\n";
    text += head.view();
    append_frames(text, r);
    append_origin(text, r.created_at);
    text += "\n\n";
}

bool dump_text::next(std::string& text) {
    text.clear();
    const std::span<const coroutine_record> all = what_.coroutines();
    while (at_ != all.size() && text.size() < piece_size) append(text, all[at_++]);
    if (at_ != all.size()) return true;
    for (const auto& [hash, seen] : stacks_) {
        if (seen.count <= same_stacks_max) continue;
        text += std::to_string(seen.count) + " coroutines with the stack of coroutine " +
                std::to_string(seen.first->id) + "\n";
    }
    return false;
}

}  // namespace weft::detail

namespace weft::report {

using namespace detail;

namespace {

// A thread's stack is large.
template <class F>
void with_room(F&& f) {
    if (this_coroutine() == nullptr) {
        f();
    } else {
        on_big_stack(f, stack_for_names);
    }
}

}  // namespace

void dump(std::ostream& out) {
    if (outside_simulation()) {
        out << "weft: a simulation is under way; ask for a dump inside of it\n";
        return;
    }
    // On our own stack, before we leave it for one on which names can be looked up.
    known_stack own;
    std::array<std::uintptr_t, frames_max> frames;
    if (const coroutine* const self = this_coroutine()) {
        own = {self->id, std::span(frames).first(unwind_here(frames))};
    }

    std::optional<snapshot> taken;
    with_room([&] {
        const foreign_visit visit;
        if (visit) taken.emplace(own);
    });
    if (!taken) {
        out << "weft: no runtime is up\n";
        return;
    }
    dump_text pieces(*taken);
    std::string text;
    for (bool more = true; more;) {
        with_room([&] { more = pieces.next(text); });
        out.write(text.data(), static_cast<std::streamsize>(text.size()));
    }
}

}  // namespace weft::report
