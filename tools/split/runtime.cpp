#include "runtime.hpp"

#include "elf.hpp"

#include <cstdlib>
#include <cxxabi.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace weft::tools {
namespace {

constexpr std::string_view graph_section = "weft_call_graph";

// A call of the program's code, in a prologue, or in a thunk where the callee does not check.
constexpr std::size_t program_depth = 200;
constexpr std::size_t user_depth = 144;

std::string_view text_of(const elf_file::section& s) {
    return {reinterpret_cast<const char*>(s.contents.data()), s.contents.size()};
}

}  // namespace

std::string readable(const std::string& name) {
    const std::size_t colon = name.rfind(':');
    const std::string symbol = colon == std::string::npos ? name : name.substr(colon + 1);
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
    return status == 0 ? text.get() : symbol;
}

void runtime_parts::add(const std::string& path) {
    try {
        const elf_file file(path);
        runtime_object object{path, {}};
        for (const elf_file::symbol& s : file.symbols()) {
            if (s.name.empty() || s.type == STT_SECTION || s.type == STT_FILE) continue;
            if (!s.defined) object.wanted.insert(std::string(s.name));
            symbols.push_back(
                {std::string(s.name), s.defined, s.type == STT_FUNC && s.bind == STB_GLOBAL,
                 s.bind != STB_LOCAL && !s.hidden,
                 path + ":" + std::to_string(s.section) + ":" + std::to_string(s.address)});
            if (s.defined) ours.insert(std::string(s.name));
        }
        objects.push_back(std::move(object));
        if (const elf_file::section* const graph_text = file.section_named(graph_section)) {
            graph.read(path, text_of(*graph_text));
        } else if (file.section_named(".comment") != nullptr) {  // Not from assembly.
            throw std::runtime_error(
                "it has no call graph with it. cmake/weft-keep-call-graph puts it there, as the "
                "launcher of the compiler; a compiler cache other than ccache that stands in for "
                "the compiler, or CMAKE_CXX_COMPILER_LAUNCHER on a target of weft's, leaves it "
                "out: clear the cache, and configure without it");
        }
        facts_[path] = stack_facts_in(file);
    } catch (const std::exception& e) {
        throw std::runtime_error(path + ": " + e.what());
    }
}

void runtime_parts::add_foreign(const std::string& path) {
    std::ifstream in(path);
    if (!in) throw std::runtime_error("can't read " + path);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    try {
        read_foreign(text);
    } catch (const std::exception& e) {
        throw std::runtime_error(path + ": " + e.what());
    }
}

void runtime_parts::read_foreign(std::string_view text) {
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string kind;
        if (!(words >> kind) || kind.front() == '#') continue;
        std::set<std::string> names{std::istream_iterator<std::string>(words), {}};
        if (kind == "large") {
            for (const std::string& name : names) graph.make_unbounded(name);
        } else if (kind != "near" && kind != "user") {
            throw std::runtime_error("a line begins with near, large, user or #, not with '" +
                                     kind + "'");
        }
        (kind == "user" ? user : near).merge(names);
    }
}

void runtime_parts::settle() {
    std::map<std::string, std::string> known_at;
    for (const runtime_symbol& s : symbols) {
        if (s.defined && graph.defines(s.name)) known_at[s.place] = s.name;
    }
    for (const runtime_symbol& s : symbols) {
        if (!s.defined || graph.defines(s.name)) continue;
        const auto real = known_at.find(s.place);
        if (real != known_at.end()) graph.alias(s.name, real->second);
    }
    for (const std::string& name : user) graph.set_depth(name, user_depth);
    for (const char* name : {program, "weft_call_user_with_room", "weft_call_inside_with_room"}) {
        graph.set_depth(name, program_depth);
    }

    std::map<std::string, std::vector<std::string>> hooks;
    std::map<std::string, std::string> deep_at;  // By where it was said.
    for (const auto& [object, facts] : facts_) {
        for (const stack_fact& f : facts) {
            const std::string name = graph.name_of(object, f.function);
            if (name.empty()) {
                throw std::runtime_error(f.where + ": the call graph of " + object +
                                         " does not know " + readable(f.function));
            }
            where.try_emplace(name, f.where);
            if (f.kind == "parks") parks.insert(name);
            if (f.kind == "entered") entered.insert(name);
            if (f.kind == "fits") fits[name] = std::stoul(f.argument);
            if (f.kind == "called as") hooks[f.argument].push_back(name);
            if (f.kind != "deep") continue;
            const auto [before, first] = deep_at.try_emplace(f.where, name);
            if (!first && before->second != name) {
                throw std::runtime_error(f.where + ": WEFT_DEEP stands in " + readable(name) +
                                         " too: make the function noinline");
            }
            deep.insert(name);
            graph.make_deep(name);
        }
    }
    for (const auto& [object, facts] : facts_) {
        for (const stack_fact& f : facts) {
            const std::string name = graph.name_of(object, f.function);
            if (f.kind == "calls nothing") graph.resolve_indirect(name, {});
            if (f.kind != "calls") continue;
            const auto found = hooks.find(f.argument);
            if (found == hooks.end()) {
                notes.push_back(f.where + ": nobody says WEFT_CALLED_AS(\"" + f.argument + "\")");
                continue;  // Its calls through pointers stay unexplained.
            }
            graph.resolve_indirect(name, found->second);
        }
    }
}

}  // namespace weft::tools
