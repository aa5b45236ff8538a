// A dump taken apart.
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace weft::test {

struct dump_block {
    std::string head;                // coroutine 7 'parser' [join of coroutine 8, 3 s]:
    std::vector<std::string> lines;  // The stack.
    std::string created_at;          // file:line

    [[nodiscard]] std::string status() const {
        const std::size_t open = head.find('[');
        const std::size_t close = head.rfind(']');
        if (open == std::string::npos || close == std::string::npos) return "";
        return head.substr(open + 1, close - open - 1);
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
                if (!line.starts_with("coroutine ")) {
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

}  // namespace weft::test
