#include "report/dump.hpp"

#include <weft/go.hpp>
#include <weft/report.hpp>

#include "arch/calls.hpp"
#include "base/print.hpp"
#include "report/cycle.hpp"
#include "report/path.hpp"
#include "report/stack_text.hpp"
#include "report/unclaimed_text.hpp"
#include "report/wait_text.hpp"
#include "sched/identity.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "stack/unwind.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <ostream>

namespace weft::detail {
namespace {

constexpr std::size_t piece_size = std::size_t{64} * 1024;
// A stack that is shown so often already is not shown again.
constexpr std::uint64_t same_stacks_max = 1000;
// A group shows so many ids.
constexpr std::size_t ids_shown = 5;
// Reading debug information goes deeper than the stack of a coroutine may be.
constexpr std::size_t stack_for_names = std::size_t{256} * 1024;

void print_status(printer& out, const snapshot& all, const coroutine_record& r) noexcept {
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
    print_wait(out, all, r);
    print_duration(out, ", ", r.waited_ns);
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

void append_origin(std::string& text, const call_site& where) {
    text += "created at ";
    text += short_path(where.file == nullptr ? "?" : where.file);
    text += ':';
    text += std::to_string(where.line);
}

bool same(std::span<const std::uintptr_t> a, std::span<const std::uintptr_t> b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

dump_style asked_style() noexcept {
    return sched.env.dump_full ? dump_style::full : dump_style::grouped;
}

void append_findings(std::string& text, const snapshot& all, bool at_rest) {
    const std::size_t before = text.size();
    append_cycles(text, all, at_rest);
    append_unclaimed(text);
    if (text.size() != before) text += '\n';
}

dump_text::dump_text(const snapshot& what, dump_style style, std::size_t blocks_max)
    : what_(what), style_(style), blocks_max_(blocks_max) {
    if (style == dump_style::full) return;
    groups_ = group_coroutines(what, [this](const coroutine_record& r) { return stack_number(r); });
}

dump_text::seen_stack& dump_text::seen(const coroutine_record& r,
                                       std::span<const std::uintptr_t> frames) {
    const std::uint64_t hash = hash_of(frames);
    for (auto [it, end] = stacks_.equal_range(hash); it != end; ++it) {
        if (same(what_.frames(*it->second.first), frames)) return it->second;
    }
    return stacks_.emplace(hash, seen_stack{&r, 0, 0})->second;
}

// Two stacks that differ only in weft's own frames, which are not shown, are one to a reader: some coroutines park by way
// of the scheduler stack. So stacks are told apart by their text.
std::uint64_t dump_text::stack_number(const coroutine_record& r) {
    const std::span<const std::uintptr_t> frames = what_.frames(r);
    if (frames.empty()) return 0;
    seen_stack& stack = seen(r, frames);
    if (stack.number == 0) {
        std::string text;
        append_stack(text, frames, names_, operation_of(r));
        stack.number = std::hash<std::string>()(text) | 1;
    }
    return stack.number;
}

void dump_text::append_frames(std::string& text, const coroutine_record& r) {
    const std::span<const std::uintptr_t> frames = what_.frames(r);
    if (frames.empty()) {
        text += why_no_stack(r.status);
        return;
    }
    if (style_ == dump_style::full) {
        seen_stack& stack = seen(r, frames);
        if (++stack.count > same_stacks_max) {
            text += "(the stack of coroutine " + std::to_string(stack.first->id) + ")\n";
            return;
        }
    }
    append_stack(text, frames, names_, operation_of(r));
    if (frames.size() == frames_max) text += "...\n";
}

void dump_text::append(std::string& text, const coroutine_record& r) {
    printer head;
    print_id(head, what_, r.id);
    head << " [";
    print_status(head, what_, r);
    head << "]:\n";
    text += head.view();
    append_frames(text, r);
    append_origin(text, r.created_at);
    text += "\n\n";
}

// 2500 coroutines [mutex 0x5581, held by coroutine 1 'main', up to 3 s]: 4 'a', 5, 6, 7, 8, ...
void dump_text::append(std::string& text, const coroutine_group& g) {
    const coroutine_record& first = what_.coroutines()[g.members.front()];
    if (g.members.size() == 1) {
        append(text, first);
        return;
    }
    printer head;
    head << g.members.size() << " coroutines [";
    if (first.status == co_status::waiting) {
        print_wait(head, what_, first, g.objects == 1);
        if (g.objects > 1) {
            head << ", " << g.objects
                 << (first.joined != 0 ? " different coroutines" : " different objects");
        }
        print_duration(head, ", up to ", g.longest_ns);
    } else {
        print_status(head, what_, first);
    }
    head << "]:";
    for (std::size_t i = 0; i != std::min(g.members.size(), ids_shown); ++i) {
        const coroutine_record& r = what_.coroutines()[g.members[i]];
        head << (i == 0 ? " " : ", ") << r.id;
        if (r.name_size != 0) head << " '" << what_.name(r) << "'";
    }
    if (g.members.size() > ids_shown) head << ", ...";
    head << "\n";
    text += head.view();
    append_frames(text, first);
    append_origin(text, first.created_at);
    text += "\n\n";
}

bool dump_text::next(std::string& text) {
    text.clear();
    const std::span<const coroutine_record> all = what_.coroutines();
    const bool full = style_ == dump_style::full;
    const std::size_t end = std::min(full ? all.size() : groups_.size(), blocks_max_);
    while (at_ != end && text.size() < piece_size) {
        if (full) {
            append(text, all[at_++]);
        } else {
            append(text, groups_[at_++]);
        }
    }
    if (at_ != end) return true;
    append_rest(text);
    return false;
}

void dump_text::append_rest(std::string& text) {
    if (style_ == dump_style::full) {
        for (const auto& [hash, seen] : stacks_) {
            if (seen.count <= same_stacks_max) continue;
            text += std::to_string(seen.count) + " coroutines with the stack of coroutine " +
                    std::to_string(seen.first->id) + "\n";
        }
    }
    std::uint64_t left = what_.more();
    if (style_ == dump_style::full) {
        left += what_.coroutines().size() - at_;
    } else {
        for (std::size_t i = at_; i != groups_.size(); ++i) left += groups_[i].members.size();
    }
    if (left != 0) text += "and " + std::to_string(left) + " more\n";
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
        return;
    }
    carried_call<F> call{f};
    if (!weft_call_inside_with_room(&carried_call<F>::run, &call, stack_for_names)) {
        call_on_big_stack(&carried_call<F>::run, &call, stack_for_names);
    }
    call.finish();
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
    dump_style style{};
    with_room([&] {
        // The runtime stays up for as long as something of it is read, and not for the text, which may take seconds.
        const foreign_visit visit;
        if (!visit) return;
        style = asked_style();
        taken.emplace(own);
    });
    if (!taken) {
        out << "weft: no runtime is up\n";
        return;
    }
    std::string text;
    std::optional<dump_text> pieces;
    with_room([&] {
        append_findings(text, *taken, false);
        pieces.emplace(*taken, style);
    });
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    for (bool more = true; more;) {
        with_room([&] { more = pieces->next(text); });
        out.write(text.data(), static_cast<std::streamsize>(text.size()));
    }
}

}  // namespace weft::report
