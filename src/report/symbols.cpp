#include "report/symbols.hpp"

#include "base/print.hpp"
#include "base/tsan.hpp"
#include "os/module.hpp"
#include "report/path.hpp"

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>
#include <string_view>

#if WEFT_BACKTRACE
#include <backtrace.h>
#endif

namespace weft::detail {
namespace {

bool has(std::string_view text, std::string_view part) noexcept {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

// By the mangled name, for that of a template begins with what it returns once it is demangled.
std::string_view without_suffixes(std::string_view symbol) noexcept {
    for (const std::string_view suffix : {".cold", ".body"}) {
        if (symbol.ends_with(suffix)) symbol.remove_suffix(suffix.size());
    }
    return symbol;
}

void classify(code_line& line, std::string_view mangled) noexcept {
    if (mangled == "weft_jump") line.internal = true;
    // How a split stack goes on elsewhere, or into the runtime and out of it.
    line.hidden = mangled == "__morestack" || mangled == "weft_user" ||
                  mangled == "weft_preempt_at_call" || mangled.starts_with("weft_enter_") ||
                  mangled.starts_with("weft_call_");
    if (!mangled.starts_with("_Z")) return;
    const bool local = mangled.starts_with("_ZZ");
    mangled.remove_prefix(std::min(mangled.find_first_not_of("ZNK", 2), mangled.size()));
    if (mangled.starts_with("4weft6detail")) {
        line.internal = true;
        std::string_view rest = mangled.substr(std::string_view("4weft6detail").size());
        for (const std::string_view kind : {"12split_stacks", "15reserved_stacks"}) {
            if (rest.starts_with(kind)) rest.remove_prefix(kind.size());
        }
        const bool frame = rest.starts_with("10task_frame") || rest.starts_with("11result_slot");
        const bool of_main = has(mangled, "10start_main") || has(mangled, "9main_body");
        line.entry = frame || of_main || has(mangled, "14coroutine_main") ||
                     mangled.starts_with("4weft6detail8run_task");
        line.wrapper = (frame && !of_main) || mangled.starts_with("4weft6detail12carried_call");
    } else if (mangled.starts_with("St8__invoke") || mangled.starts_with("St13__invoke_impl") ||
               mangled.starts_with("St6invoke")) {
        line.entry = true;
    } else if (local && mangled.starts_with("4weft") && has(mangled, "3runI")) {
        line.entry = line.wrapper = true;  // Of main.
    }
}

namespace {

code_line named(const char* symbol) {
    code_line line;
    if (symbol == nullptr) return line;
    const std::string mangled(without_suffixes(symbol));
    line.function = demangled(mangled.c_str());
    classify(line, mangled);
    return line;
}

#if WEFT_BACKTRACE

// Debug information has no mangled names for what was inlined.
void classify_inlined(code_line& line) noexcept {
    const std::string_view name = line.function;
    if (has(line.file, "weft/detail/")) line.internal = true;
    line.entry = line.entry || has(line.file, "weft/detail/task.hpp") ||
                 name.starts_with("__invoke") || name.starts_with("invoke<") ||
                 (name == "operator()" && has(line.file, "weft/runtime.hpp"));
}

// It says what it can't do, and then simply finds nothing.
void ignore(void*, const char*, int) noexcept {}

// What it has read it keeps, for the life of the process: there is no way to give it back.
backtrace_state* shared_state() noexcept {
    static backtrace_state* const state = backtrace_create_state(nullptr, 1, &ignore, nullptr);
    return state;
}

void look_up(code_place& place, std::uintptr_t address) {
    const unrecorded unseen;  // The library is not instrumented, but the memcpy that it calls is.
    backtrace_state* const state = shared_state();
    if (state == nullptr) return;
    struct symbol {
        const char* name = nullptr;
        std::uintptr_t start = 0;
    } function;
    backtrace_syminfo(
        state, address,
        [](void* into, std::uintptr_t, const char* name, std::uintptr_t start, std::uintptr_t) {
            *static_cast<symbol*>(into) = {name, start};
        },
        &ignore, &function);
    backtrace_pcinfo(
        state, address,
        [](void* into, std::uintptr_t, const char* file, int number, const char* name) {
            code_line line = named(name);
            if (file != nullptr) line.file = short_path(file);
            classify_inlined(line);
            line.line = number > 0 ? static_cast<unsigned>(number) : 0;
            static_cast<code_place*>(into)->lines.push_back(std::move(line));
            return 0;
        },
        &ignore, &place);
    if (function.name == nullptr) return;
    // The symbol's name is complete; that of the debug information may be the last part only.
    code_line whole = named(function.name);
    if (!place.lines.empty()) {
        whole.file = std::move(place.lines.back().file);
        whole.line = place.lines.back().line;
        place.lines.pop_back();
    }
    // What was inlined into weft's own is weft's own, but for closures.
    if (whole.internal && !whole.wrapper) {
        for (code_line& inlined : place.lines) {
            inlined.internal = true;
            inlined.entry = inlined.entry || whole.entry;
        }
    }
    place.lines.push_back(std::move(whole));
    place.offset = address + 1 - function.start;
}

void visit(std::uintptr_t address, raw_line_visitor each, void* into) noexcept {
    backtrace_state* const state = shared_state();
    if (state == nullptr) return;
    struct target {
        raw_line_visitor each;
        void* into;
    } to{each, into};
    backtrace_pcinfo(
        state, address,
        [](void* at, std::uintptr_t, const char* file, int number, const char* name) {
            if (name == nullptr && file == nullptr) return 0;
            const auto& [f, argument] = *static_cast<const target*>(at);
            f(argument, {.function = name, .file = file, .line = number});
            return 0;
        },
        &ignore, &to);
    backtrace_syminfo(
        state, address,
        [](void* at, std::uintptr_t, const char* name, std::uintptr_t start, std::uintptr_t) {
            if (name == nullptr) return;
            const auto& [f, argument] = *static_cast<const target*>(at);
            f(argument, {.function = name, .whole = true, .start = start});
        },
        &ignore, &to);
}

#else

void look_up(code_place&, std::uintptr_t) {}
void visit(std::uintptr_t, raw_line_visitor, void*) noexcept {}

#endif

}  // namespace

void visit_raw_lines(std::uintptr_t address, raw_line_visitor each, void* into) noexcept {
    visit(address, each, into);
}

std::string demangled(const char* name) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(
        abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
    return status == 0 ? text.get() : name;
}

const char* demangled_for_good(const char* name) noexcept {
    int status = 0;
    return abi::__cxa_demangle(name, nullptr, nullptr, &status);
}

const code_place& symbols::at(std::uintptr_t frame) {
    const auto [entry, fresh] = known_.try_emplace(frame);
    code_place& place = entry->second;
    if (!fresh) return place;
    const std::uintptr_t address = frame - 1;
    look_up(place, address);
    if (place.lines.empty()) place.lines.emplace_back();
    code_line& last = place.lines.back();
    if (!last.function.empty() && !last.file.empty()) return place;

    const module_place module = find_module(address);
    if (last.function.empty() && module.symbol != nullptr) {
        last = named(module.symbol);
        place.offset = frame - module.symbol_start;
    }
    if (last.file.empty() && module.file != nullptr) {
        place.module = module.file;
        place.module += ':';
        place.module += printer().hex(module.address).view();
    }
    return place;
}

}  // namespace weft::detail
