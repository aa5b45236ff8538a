#include "call_graph.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace weft::tools {
namespace {

// What stands between `before` and the next quote behind it.
std::string quoted(const std::string& line, const std::string& before) {
    const std::size_t at = line.find(before);
    if (at == std::string::npos) return {};
    const std::size_t begin = at + before.size();
    return line.substr(begin, line.find('"', begin) - begin);
}

// A name that the source gives by asm("name") has a star in front.
std::string name_of(std::string title) {
    if (title.starts_with('*')) title.erase(0, 1);
    return title;
}

// The qualified name in a declaration such as `void a::b(int) const`.
std::string name_in(const std::string& declaration) {
    int inside = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i != declaration.size(); ++i) {
        const char c = declaration[i];
        if (c == '<') ++inside;
        if (c == '>') --inside;
        if (inside != 0) continue;
        if (c == '(') return declaration.substr(begin, i - begin);
        if (c == ' ' || c == '*' || c == '&') begin = i + 1;
    }
    return {};
}

}  // namespace

void call_graph::read(const std::filesystem::path& file) {
    std::ifstream in(file);
    if (!in)
        throw std::runtime_error("can't read " + file.string() +
                                 ": the compiler writes it, unless a cache stands in for it");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("node:")) {
            const std::string title = name_of(quoted(line, "title: \""));
            const std::string label = quoted(line, "label: \"");
            const std::size_t at = label.rfind(" bytes (");
            if (at == std::string::npos) continue;
            const std::size_t begin = label.rfind("\\n", at) + 2;
            function& f = functions_[title];
            const std::size_t bytes = std::stoul(label.substr(begin, at - begin));
            f.files.insert(file.string());
            by_name_[name_in(label.substr(0, label.find("\\n")))].insert(title);
            f.stack =
                std::max(f.stack.value_or(0), bytes);  // An inline function has one in each file.
            f.dynamic = f.dynamic || label.compare(at, 16, " bytes (dynamic)") == 0;
        } else if (line.starts_with("edge:")) {
            functions_[name_of(quoted(line, "sourcename: \""))].callees.insert(
                name_of(quoted(line, "targetname: \"")));
        }
    }
}

void call_graph::alias(const std::string& name, const std::string& real) {
    function& f = functions_[name];
    f.stack = 0;
    f.files = functions_.at(real).files;
    f.callees = {real};
}

void call_graph::resolve_indirect(const std::string& caller,
                                  const std::vector<std::string>& callees) {
    const auto found = functions_.find(caller);
    if (found == functions_.end()) throw std::runtime_error("no such function: " + caller);
    found->second.callees.erase(indirect);
    found->second.callees.insert(callees.begin(), callees.end());
}

std::set<std::string> call_graph::named(const std::string& name) const {
    if (functions_.contains(name)) return {name};
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? std::set<std::string>() : found->second;
}

bool call_graph::defines(const std::string& name) const {
    const auto found = functions_.find(name);
    return found != functions_.end() && found->second.stack.has_value();
}

bool call_graph::is_far(const std::string& caller, const std::string& callee) const {
    return deep_.contains(callee) && functions_.at(caller).files != functions_.at(callee).files;
}

const call_graph::bound& call_graph::measure(const std::string& name, std::size_t foreign,
                                             std::vector<std::string>& above) {
    constexpr std::size_t return_address = 8;
    if (const auto known = bounds_.find(name); known != bounds_.end()) return known->second;
    bound result{return_address, {}};
    const auto found = functions_.find(name);
    if (found == functions_.end() || !found->second.stack) {
        const auto known = foreign_.find(name);
        result.bytes = known == foreign_.end() ? foreign : known->second;
        if (unbounded_.contains(name)) {
            result.bytes.reset();
            reasons_[name] = {"needs much: " + name};
        }
        return bounds_[name] = result;
    }
    const function& f = found->second;
    std::set<std::string> why;
    if (f.dynamic) why.insert("has a frame of unknown size: " + name);
    above.push_back(name);
    std::size_t deepest_callee = 0;
    for (const std::string& callee : f.callees) {
        if (is_far(name, callee)) {
            deepest_callee = std::max(deepest_callee, foreign);
            continue;
        }
        if (callee == indirect) {
            why.insert("calls through a pointer: " + name);
            continue;
        }
        if (std::find(above.begin(), above.end(), callee) != above.end()) {
            why.insert("recurses: " + callee);
            continue;
        }
        const bound& below = measure(callee, foreign, above);
        if (!below.bytes) {
            why.insert(reasons_[callee].begin(), reasons_[callee].end());
        } else if (*below.bytes > deepest_callee) {
            deepest_callee = *below.bytes;
            result.through = callee;
        }
    }
    above.pop_back();
    result.bytes = *f.stack + return_address + deepest_callee;
    if (!why.empty()) {
        result.bytes.reset();
        reasons_[name] = why;
    }
    return bounds_[name] = result;
}

std::optional<std::size_t> call_graph::depth(const std::string& name, std::size_t foreign) {
    std::vector<std::string> above;
    return measure(name, foreign, above).bytes;
}

std::vector<std::string> call_graph::deepest(const std::string& name, std::size_t foreign) {
    std::vector<std::string> way;
    for (std::string at = name; !at.empty(); at = bounds_[at].through) {
        static_cast<void>(depth(at, foreign));
        way.push_back(at);
    }
    return way;
}

std::set<std::string> call_graph::reasons(const std::string& name) { return reasons_[name]; }

bool call_graph::reaches(const std::string& name, const std::string& target) const {
    std::set<std::string> seen;
    std::vector<std::string> left{name};
    while (!left.empty()) {
        const std::string at = left.back();
        left.pop_back();
        if (at == target) return true;
        if (!seen.insert(at).second) continue;
        const auto found = functions_.find(at);
        if (found == functions_.end()) continue;
        for (const std::string& callee : found->second.callees) left.push_back(callee);
    }
    return false;
}

}  // namespace weft::tools
