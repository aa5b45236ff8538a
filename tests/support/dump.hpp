// A dump taken apart.
#pragma once

#include <weft/weft.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace weft::test {

/// While one of these lives, runtimes that start write a block for each coroutine, instead of one for a group.
class full_dumps {
public:
    full_dumps() { ::setenv("WEFT_DEBUG", "dump=full", 1); }
    ~full_dumps() { ::unsetenv("WEFT_DEBUG"); }
    full_dumps(const full_dumps&) = delete;
    full_dumps& operator=(const full_dumps&) = delete;
};

struct dump_block {
    std::string
        head;  // coroutine 7 'parser' [join of coroutine 8, 3 s]: or 9 coroutines [...]: 1, 2
    std::vector<std::string> lines;  // The stack.
    std::string created_at;          // file:line

    [[nodiscard]] std::string status() const {
        const std::size_t open = head.find('[');
        const std::size_t close = head.rfind(']');
        if (open == std::string::npos || close == std::string::npos) return "";
        return head.substr(open + 1, close - open - 1);
    }
    /// How many coroutines it is for.
    [[nodiscard]] std::size_t count() const {
        return head.starts_with("coroutine ") ? 1 : std::strtoul(head.c_str(), nullptr, 10);
    }
    /// The first line of the stack from `from` on that holds `part`; lines.size() when there is none.
    [[nodiscard]] std::size_t line_with(std::string_view part, std::size_t from = 0) const {
        const auto at = std::find_if(
            lines.begin() + static_cast<std::ptrdiff_t>(std::min(from, lines.size())), lines.end(),
            [&](const std::string& line) { return line.find(part) != std::string::npos; });
        return static_cast<std::size_t>(at - lines.begin());
    }
    [[nodiscard]] bool shows(std::string_view part) const {
        return line_with(part) != lines.size();
    }
};

class dump_blocks {
public:
    explicit dump_blocks(const std::string& text) : text_(text) {
        std::istringstream in(text);
        bool inside = false;
        for (std::string line; std::getline(in, line);) {
            if (!inside) {
                const bool group = !line.empty() && line[0] >= '0' && line[0] <= '9' &&
                                   line.find(" coroutines [") != std::string::npos;
                const bool one = line.starts_with("coroutine ") && line.ends_with("]:");
                if (!one && !group) {
                    if (!line.empty()) others_.push_back(line);
                    continue;
                }
                all_.emplace_back().head = line;
                inside = true;
            } else if (line.starts_with("created at ")) {
                all_.back().created_at = line.substr(11);
                inside = false;
            } else {
                all_.back().lines.push_back(line);
            }
        }
    }

    [[nodiscard]] const std::vector<dump_block>& all() const { return all_; }
    /// The lines that belong to no coroutine.
    [[nodiscard]] const std::vector<std::string>& others() const { return others_; }
    [[nodiscard]] const std::string& text() const { return text_; }

    /// An empty one when there is none.
    [[nodiscard]] dump_block named(const std::string& name) const {
        for (const dump_block& b : all_) {
            if (b.head.find("'" + name + "'") != std::string::npos) return b;
        }
        return {};
    }

private:
    std::string text_;
    std::vector<dump_block> all_;
    std::vector<std::string> others_;
};

/// A dump of the runtime that is up.
inline dump_blocks dump_now() {
    std::ostringstream out;
    report::dump(out);
    return dump_blocks(out.str());
}

/// Dumps until `condition` holds for one. Between them the others have all the time that they want, because a dump of many takes
/// long: so it sleeps, and does not yield.
template <class Condition>
dump_blocks dump_until(Condition&& condition) {
    for (;;) {
        dump_blocks d = dump_now();
        if (condition(d)) return d;
        weft::sleep_for(std::chrono::milliseconds(1));
    }
}

}  // namespace weft::test
