// The compiler's call graph (g++ -fcallgraph-info=su): who calls whom, and how much stack each function has.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weft::tools {

class call_graph {
public:
    /// The name of the callee of a call through a pointer.
    static constexpr const char* indirect = "__indirect_call";

    struct function {
        std::optional<std::size_t> stack;  // Bytes of its frame; none if it is not of ours.
        std::set<std::string> objects;     // Where it is defined.
        bool dynamic = false;              // It may be more than that.
        std::set<std::string> callees;
    };

    /// Adds what the compiler wrote about an object. Throws std::runtime_error if that is not in its format.
    void read(const std::string& object, std::string_view text);
    /// `name` is another name of `real`.
    void alias(const std::string& name, const std::string& real);
    /// Says where the pointers go that `caller` calls through.
    void resolve_indirect(const std::string& caller, const std::vector<std::string>& callees);
    /// What `name`, which is not of ours, needs.
    void set_depth(const std::string& name, std::size_t bytes) { foreign_[name] = bytes; }
    /// There is no telling what `name`, which is not of ours, needs.
    void make_unbounded(const std::string& name) { unbounded_.insert(name); }
    /// Calls of it from other files are made on another stack.
    void make_deep(const std::string& callee) { deep_.insert(callee); }

    [[nodiscard]] const std::map<std::string, function>& functions() const { return functions_; }
    /// What the graph calls the function that has this symbol in `object`; empty if it does not know it. Local ones have
    /// their source file in front.
    [[nodiscard]] std::string name_of(const std::string& object, std::string_view symbol) const;
    [[nodiscard]] bool defines(const std::string& name) const;

    /// The most stack that a call of `name` can take, return address included; none when there is no telling. Functions
    /// that are not of ours take `foreign` bytes.
    [[nodiscard]] std::optional<std::size_t> depth(const std::string& name, std::size_t foreign);
    /// The way down to there.
    [[nodiscard]] std::vector<std::string> deepest(const std::string& name, std::size_t foreign);
    /// The way down to the first function of which there is no telling, and last why: it recurses, say, or calls through
    /// a pointer.
    [[nodiscard]] std::vector<std::string> way_to_unbounded(const std::string& name);

    /// Whether a call of `name` can come to call `target`.
    [[nodiscard]] bool reaches(const std::string& name, const std::string& target) const;

private:
    struct bound {
        std::optional<std::size_t> bytes;
        std::string through;  // The callee that makes it so deep, or that there is no telling of.
        std::string why;      // Of the function itself there is no telling.
        std::string again;    // The callee by which it recurses.
    };
    [[nodiscard]] bool is_far(const std::string& caller, const std::string& callee) const;
    const bound& measure(const std::string& name, std::size_t foreign,
                         std::vector<std::string>& above);

    std::map<std::string, function> functions_;
    std::map<std::string, std::map<std::string, std::string, std::less<>>> locals_;  // By object.
    std::map<std::string, std::size_t> foreign_;
    std::map<std::string, bound> bounds_;
    std::set<std::string> deep_, unbounded_;
};

}  // namespace weft::tools
