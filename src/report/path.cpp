#include "report/path.hpp"

#include <cstddef>
#include <vector>

namespace weft::detail {

std::string short_path(std::string_view path) {
    std::vector<std::string_view> parts;
    const bool absolute = path.starts_with('/');
    for (std::string_view rest = path; !rest.empty();) {
        const std::size_t slash = rest.find('/');
        const std::string_view part = rest.substr(0, slash);
        rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
        if (part.empty() || part == ".") continue;
        if (part != ".." || (parts.empty() && !absolute) ||
            (!parts.empty() && parts.back() == "..")) {
            parts.push_back(part);
        } else if (!parts.empty()) {
            parts.pop_back();
        }
    }
    std::size_t first = 0;
    for (std::size_t i = parts.size(); i-- > 1;) {
        if (parts[i] == "weft" && parts[i - 1] == "include") {
            first = i;
            break;
        }
    }
    std::string text;
    for (std::size_t i = first; i != parts.size(); ++i) {
        if (i != first || (absolute && first == 0)) text += '/';
        text += parts[i];
    }
    return text;
}

}  // namespace weft::detail
