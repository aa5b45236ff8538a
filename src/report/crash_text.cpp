#include "report/crash_text.hpp"

#include "base/config.hpp"
#include "base/print.hpp"
#include "os/forked.hpp"
#include "os/mapping.hpp"
#include "os/module.hpp"
#include "report/symbols.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include <unistd.h>

namespace weft::detail {
namespace {

constexpr std::int64_t limit_ns = 5'000'000'000;
constexpr std::size_t kept_max =
    std::tuple_size_v<decltype(stack_ends::first)> + std::tuple_size_v<decltype(stack_ends::last)>;
constexpr std::size_t near = 16;
constexpr std::size_t name_max = 400;  // Names of templates have no end.

struct shown_line {
    std::string_view function;
    const char* file = nullptr;
    int line = 0;
    bool internal = false;
    bool hidden = false;
    bool entry = false;
    bool wrapper = false;
};

struct shown_frame {
    std::array<shown_line, 8> lines;
    std::size_t size = 0;
    std::string_view symbol;    // As the linker knows the function.
    std::uintptr_t offset = 0;  // Into the function.
    bool demangle = false;
};

// All of it in the copy, whose memory nobody else uses: static, because the handler's stack is small and its own
// stack is not large.
struct text_job {
    const stack_ends* stack = nullptr;
    const stack_style* style = nullptr;
    bool demangle = false;
};
std::array<shown_frame, kept_max> frames;
std::array<char, std::size_t{64} * 1024> text;
std::size_t text_size = 0;

void add(std::string_view part) noexcept {
    const std::size_t size = std::min(part.size(), text.size() - text_size);
    if (size == 0) return;
    std::memcpy(text.data() + text_size, part.data(), size);
    text_size += size;
}

bool has(std::string_view whole, std::string_view part) noexcept {
    return whole.find(part) != std::string_view::npos;
}

std::string_view readable(std::string_view name, bool demangle) noexcept {
    if (!demangle || !name.starts_with("_Z") || name.size() >= 4096) return name;
    static std::array<char, 4096> mangled;
    std::memcpy(mangled.data(), name.data(), name.size());
    mangled[name.size()] = '\0';
    const char* const made = demangled_for_good(mangled.data());
    return made == nullptr ? name : std::string_view(made);
}

void take_line(void* into, const raw_line& raw) noexcept {
    shown_frame& frame = *static_cast<shown_frame*>(into);
    const std::string_view name =
        raw.function == nullptr ? std::string_view() : without_suffixes(raw.function);
    code_line facts;
    classify(facts, name);
    // The symbol's name is complete; that of the debug information may be the last part only.
    const bool renames = raw.whole && frame.size != 0;
    if (!renames && frame.size == frame.lines.size()) return;
    shown_line& line = frame.lines[renames ? frame.size - 1 : frame.size++];
    line.function = readable(name, frame.demangle);
    if (!renames) {
        line.file = raw.file;
        line.line = raw.line;
    }
    line.internal = facts.internal;
    line.hidden = facts.hidden;
    line.entry = facts.entry;
    line.wrapper = facts.wrapper;
    const std::string_view file = line.file == nullptr ? std::string_view() : line.file;
    if (has(file, "weft/detail/")) line.internal = true;
    if (has(file, "weft/detail/task.hpp") || line.function.starts_with("__invoke") ||
        line.function.starts_with("invoke<") ||
        (line.function == "operator()" && has(file, "weft/runtime.hpp"))) {
        line.entry = true;
    }
    if (raw.whole) {
        frame.symbol = name;
        frame.offset = raw.start;
    }
}

void look_up(shown_frame& frame, std::uintptr_t address) noexcept {
    visit_raw_lines(address - 1, &take_line, &frame);
    if (frame.size == 0 || frame.lines[frame.size - 1].function.empty()) {
        const module_place module = find_module(address - 1);
        if (module.symbol != nullptr) {
            take_line(&frame,
                      {.function = module.symbol, .whole = true, .start = module.symbol_start});
        }
    }
    if (frame.offset != 0) frame.offset = address - frame.offset;
}

// Returns true if the frame is weft's own and called the closure of a coroutine. A frame into which the closure was inlined is
// the program's, so the result is false.
bool is_entry(const shown_frame& frame) noexcept {
    return frame.size != 0 &&
           std::all_of(frame.lines.begin(), frame.lines.begin() + static_cast<long>(frame.size),
                       [](const shown_line& l) { return l.entry || l.hidden; });
}
bool is_hidden(const shown_frame& frame) noexcept {
    return frame.size != 0 && frame.lines[frame.size - 1].hidden;
}
bool is_internal(const shown_frame& frame) noexcept {
    const shown_line& whole = frame.lines[frame.size == 0 ? 0 : frame.size - 1];
    return frame.size != 0 && (whole.hidden || (whole.internal && !whole.wrapper));
}

void add_place(const shown_frame& frame, const shown_line& line, std::uintptr_t address,
               bool inlined) noexcept {
    add("\n\t");
    if (line.file != nullptr) {
        add(line.file);
        add(":");
        add((printer() << line.line).view());
    } else {
        const module_place module = find_module(address - 1);
        add(module.file == nullptr ? "?" : module.file);
        add((printer() << ":").hex(module.address).view());
    }
    if (inlined) {
        add(" (inlined)");
    } else if (frame.offset != 0) {
        add((printer() << " +").hex(frame.offset).view());
    }
    add("\n");
}

void add_frame(const shown_frame& frame, std::uintptr_t address) noexcept {
    if (frame.size == 0) {
        add(printer().hex(address - 1).view());
        add_place(frame, {}, address, false);
        return;
    }
    const bool all_entry = is_entry(frame);
    for (std::size_t i = 0; i != frame.size; ++i) {
        const shown_line& line = frame.lines[i];
        if (line.hidden || (line.entry && !all_entry)) continue;
        if (line.function.empty()) {
            add(printer().hex(address - 1).view());
        } else {
            add(line.function.substr(0, name_max));
            if (line.function.size() > name_max) add("...");
        }
        add_place(frame, line, address, i + 1 != frame.size);
    }
}

void add_gap(std::size_t count) noexcept {
    add((printer() << "... " << std::uint64_t{count} << " frames\n").view());
}

int make_text(void* what) {
    const text_job& job = *static_cast<const text_job*>(what);
    const stack_ends& stack = *job.stack;
    const stack_style& style = *job.style;
    const std::size_t kept = stack.kept();
    for (std::size_t i = 0; i != kept; ++i) {
        frames[i].demangle = job.demangle;
        look_up(frames[i], stack.frame(i));
    }
    // Leaves out the callers of the closure, at the outer end. A wrapper stays if no other frame shows the closure.
    std::size_t end = kept;
    while (end != 0 && (is_entry(frames[end - 1]) || is_hidden(frames[end - 1]))) --end;
    if (end != kept && frames[end].size != 0 && frames[end].lines[frames[end].size - 1].wrapper &&
        (end == 0 || !has(frames[end - 1]
                              .lines[frames[end - 1].size == 0 ? 0 : frames[end - 1].size - 1]
                              .function,
                          "operator()"))) {
        ++end;
    }
    std::size_t begin = 0;
    for (const std::string_view symbol : style.after) {
        for (std::size_t i = 0; i != std::min(end, near) && begin == 0 && !symbol.empty(); ++i) {
            if (frames[i].symbol == symbol) begin = i + 1;
        }
    }
    while (style.hide_inner && begin != end && is_internal(frames[begin])) ++begin;
    if (begin == end) begin = 0;

    constexpr std::size_t first = std::tuple_size_v<decltype(stack_ends::first)>;
    const bool cut = stack.left_out() != 0;
    const bool shorten = style.inner != 0 && (cut || end - begin > style.inner + style.outer);
    std::size_t gap_begin = cut ? std::min(first, end) : end;
    std::size_t gap_end = gap_begin;
    if (shorten) {
        gap_begin = std::min(begin + style.inner, gap_begin);
        // At the outer end weft's own frames say nothing of who has called the program.
        const std::size_t least = std::max(gap_begin, gap_end == end ? gap_begin : gap_end);
        gap_end = end;
        for (std::size_t left = style.outer; gap_end != least && left != 0; --gap_end) {
            if (!is_internal(frames[gap_end - 1])) --left;
        }
    }
    for (std::size_t i = begin; i != gap_begin; ++i) add_frame(frames[i], stack.frame(i));
    if (gap_begin != gap_end || cut) add_gap(gap_end - gap_begin + stack.left_out());
    for (std::size_t i = gap_end; i < end; ++i) {
        if (!shorten || !is_internal(frames[i])) add_frame(frames[i], stack.frame(i));
    }

    write_to_stderr({text.data(), text_size});
    return 0;
}

}  // namespace

void write_raw_stack(const stack_ends& stack, const stack_style& style) noexcept {
    constexpr std::size_t first = std::tuple_size_v<decltype(stack_ends::first)>;
    const std::size_t kept = stack.kept();
    for (std::size_t i = 0; i != kept; ++i) {
        printer out;
        if (style.inner != 0 && stack.left_out() != 0 && i >= style.inner && i < first) continue;
        if (i == first && stack.left_out() != 0) {
            out << "... " << std::uint64_t{stack.left_out()} << " frames\n";
        }
        const std::uintptr_t address = stack.frame(i) - 1;
        out.hex(address) << "\n\t";
        mapping found;
        if (find_mapping(address, found)) {
            out << std::string_view(found.file.data()) << ":";
            out.hex(found.address);
        } else {
            out << "?";
        }
        out << "\n";
        out.flush();
    }
}

void write_stack(const stack_ends& stack, const stack_style& style) noexcept {
    if (stack.count == 0) return;
    // Sanitizers don't expect a copy of a process on a stack that they have not seen, and write names themselves.
    if constexpr (!asan_build && !tsan_build) {
        text_job job{.stack = &stack, .style = &style, .demangle = true};
        if (run_forked(&make_text, &job, limit_ns)) return;
        job.demangle = false;
        if (run_forked(&make_text, &job, limit_ns)) return;
    }
    write_raw_stack(stack, style);
}

}  // namespace weft::detail
