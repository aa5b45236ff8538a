#include "call_graph.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace weft::tools {
namespace {

// What stands between `before` and the next quote behind it.
std::string_view quoted(std::string_view line, std::string_view before) {
    const std::size_t at = line.find(before);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = line.substr(at + before.size());
    return rest.substr(0, rest.find('"'));
}

// A name that the source gives by asm("name") has a star in front.
std::string title_in(std::string_view line, std::string_view before) {
    std::string_view title = quoted(line, before);
    if (title.starts_with('*')) title.remove_prefix(1);
    if (title.empty()) {
        throw std::runtime_error("its call graph has a line that names no function: " +
                                 std::string(line));
    }
    return std::string(title);
}

// No sum of frames overflows.
constexpr std::size_t frame_max = std::size_t{1} << 40;

// The number in front of " bytes (static)", or of " bytes (dynamic)".
std::optional<std::size_t> frame_in(std::string_view label) {
    const std::size_t end = label.rfind(" bytes (");
    if (end == std::string_view::npos) return {};
    const std::size_t begin = label.rfind("\\n", end);
    std::size_t bytes = 0;
    const char* const last = label.data() + end;
    // A number that no std::size_t holds is read to its end too, and leaves an error.
    if (begin == std::string_view::npos ||
        std::from_chars(label.data() + begin + 2, last, bytes) !=
            std::from_chars_result{last, {}} ||
        bytes > frame_max) {
        throw std::runtime_error("its call graph has a frame that is no number: " +
                                 std::string(label));
    }
    return bytes;
}

}  // namespace

void call_graph::read(const std::string& object, std::string_view text) {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.starts_with("node:")) {
            const std::string title = title_in(line, "title: \"");
            const std::string_view label = quoted(line, "label: \"");
            const std::optional<std::size_t> bytes = frame_in(label);
            if (!bytes) continue;
            function& f = functions_[title];
            f.objects.insert(object);
            // An inline function has a frame in each object.
            f.stack = std::max(f.stack.value_or(0), *bytes);
            f.dynamic = f.dynamic || label.ends_with("(dynamic)");
            if (const std::size_t colon = title.rfind(':'); colon != std::string::npos) {
                locals_[object][title.substr(colon + 1)] = title;
            }
        } else if (line.starts_with("edge:")) {
            functions_[title_in(line, "sourcename: \"")].callees.insert(
                title_in(line, "targetname: \""));
        }
    }
}

void call_graph::alias(const std::string& name, const std::string& real) {
    function& f = functions_[name];
    f.stack = 0;
    f.objects = functions_.at(real).objects;
    f.callees = {real};
}

void call_graph::resolve_indirect(const std::string& caller,
                                  const std::vector<std::string>& callees) {
    const auto found = functions_.find(caller);
    if (found == functions_.end()) throw std::runtime_error("no such function: " + caller);
    found->second.callees.erase(indirect);
    found->second.callees.insert(callees.begin(), callees.end());
}

std::string call_graph::name_of(const std::string& object, std::string_view symbol) const {
    if (const auto locals = locals_.find(object); locals != locals_.end()) {
        const auto found = locals->second.find(symbol);
        if (found != locals->second.end()) return found->second;
    }
    return defines(std::string(symbol)) ? std::string(symbol) : std::string();
}

bool call_graph::defines(const std::string& name) const {
    const auto found = functions_.find(name);
    return found != functions_.end() && found->second.stack.has_value();
}

bool call_graph::is_far(const std::string& caller, const std::string& callee) const {
    return deep_.contains(callee) && functions_.at(caller).objects != functions_.at(callee).objects;
}

const call_graph::bound& call_graph::measure(const std::string& name, std::size_t foreign,
                                             std::vector<std::string>& above) {
    constexpr std::size_t return_address = 8;
    if (const auto known = bounds_.find(name); known != bounds_.end()) return known->second;
    bound result{return_address, {}, {}, {}};
    const auto found = functions_.find(name);
    if (found == functions_.end() || !found->second.stack) {
        const auto known = foreign_.find(name);
        result.bytes = known == foreign_.end() ? foreign : known->second;
        if (unbounded_.contains(name)) result = {{}, {}, "needs much", {}};
        return bounds_[name] = result;
    }
    const function& f = found->second;
    std::string unbounded_through;
    if (f.dynamic) result.why = "has a frame of unknown size";
    above.push_back(name);
    std::size_t deepest_callee = 0;
    for (const std::string& callee : f.callees) {
        if (is_far(name, callee)) {
            deepest_callee = std::max(deepest_callee, foreign);
            continue;
        }
        if (callee == indirect) {
            result.why = "calls through a pointer";
            continue;
        }
        if (std::find(above.begin(), above.end(), callee) != above.end()) {
            result.why = "recurses";
            result.again = callee;
            continue;
        }
        const bound& below = measure(callee, foreign, above);
        if (!below.bytes) {
            unbounded_through = callee;
        } else if (*below.bytes > deepest_callee) {
            deepest_callee = *below.bytes;
            result.through = callee;
        }
    }
    above.pop_back();
    if (result.why.empty() && unbounded_through.empty()) {
        result.bytes = *f.stack + return_address + deepest_callee;
    } else {
        result.bytes.reset();
        result.through = result.why.empty() ? unbounded_through : std::string();
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

std::vector<std::string> call_graph::way_to_unbounded(const std::string& name) {
    std::vector<std::string> way;
    std::string why;
    for (std::string at = name; !at.empty(); at = bounds_[at].through) {
        if (std::find(way.begin(), way.end(), at) != way.end()) break;
        way.push_back(at);
        const bound& there = bounds_[at];
        why = there.why;
        if (!there.again.empty()) way.push_back(there.again);
    }
    way.push_back(why);
    return way;
}

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
