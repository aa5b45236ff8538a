#include "report/stack_text.hpp"

#include "base/print.hpp"

#include <new>

namespace weft::detail {
namespace {

struct shown_line {
    const code_line* line;
    const code_place* place;
    std::uintptr_t frame;
    bool inlined;  // Into the next one.
};

void append_line(std::string& text, const shown_line& shown) {
    if (shown.line->function.empty()) {
        text += printer().hex(shown.frame).view();
    } else {
        text += shown.line->function;
    }
    text += '\n';
    text += '\t';
    if (!shown.line->file.empty()) {
        text += shown.line->file;
        text += ':';
        text += std::to_string(shown.line->line);
    } else {
        text += shown.place->module.empty() ? "?" : shown.place->module;
    }
    if (shown.inlined) {
        text += " (inlined)";
    } else if (shown.place->offset != 0) {
        text += " +";
        text += printer().hex(shown.place->offset).view();
    }
    text += '\n';
}

// What lies below the closure of a coroutine, to be left out. A wrapper stands for the closure that was inlined into it,
// unless that one is there itself.
std::size_t end_of_program(std::span<const shown_line> all) noexcept {
    std::size_t end = all.size();
    for (; end != 0 && all[end - 1].line->entry; --end) {
        const shown_line& last = all[end - 1];
        if (!last.line->wrapper) continue;
        std::size_t above = end - 1;
        while (above != 0 && all[above - 1].line->entry) --above;
        if (above == 0) break;
        const shown_line& closure = all[above - 1];
        if (closure.frame != last.frame &&
            closure.line->function.find("operator()") == std::string::npos) {
            break;
        }
    }
    return end;
}

}  // namespace

void append_stack(std::string& text, std::span<const std::uintptr_t> frames, symbols& names,
                  std::string_view operation) {
    std::vector<shown_line> all;
    for (const std::uintptr_t frame : frames) {
        const code_place& place = names.at(frame);
        for (const code_line& line : place.lines) {
            if (line.hidden) continue;
            all.push_back({&line, &place, frame, &line != &place.lines.back()});
        }
    }
    std::span<const shown_line> shown(all);
    const std::size_t end = end_of_program(shown);
    // Of weft's own that is innermost, the outermost is the operation; mostly the program's call of it is there.
    std::size_t first = 0;
    while (first != end && shown[first].line->internal && !shown[first].line->wrapper) ++first;
    if (first == end && first != 0) {
        --first;
        // A public function of weft's speaks for itself.
        if (!operation.empty() &&
            shown[first].line->function.find("detail::") != std::string::npos) {
            text += operation;
            text += "\n\t(called last by what has no frame any more)\n";
            return;
        }
    }
    if (first != end) shown = shown.subspan(first, end - first);
    for (const shown_line& one : shown) append_line(text, one);
}

void print_stack(std::span<const std::uintptr_t> frames) noexcept {
    try {
        std::string text;
        symbols names;
        append_stack(text, frames, names);
        write_to_stderr(text);
    } catch (const std::bad_alloc&) {}  // Then without it.
}

}  // namespace weft::detail
