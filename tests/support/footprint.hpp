// What a process holds of the system: threads, descriptors, mappings of weft. A runtime that is over must
// have given all of it back.
#pragma once

#include <string>
#include <vector>

namespace weft::test {

struct footprint {
    std::vector<std::string> threads;      // "tid name", sorted
    std::vector<std::string> descriptors;  // "fd target", sorted
    std::vector<std::string> mappings;     // lines of /proc/self/maps that name weft, sorted

    [[nodiscard]] static footprint now();
};

/// What there is now and was not `before`, one a line; empty when nothing is left. A thread that has been
/// joined stays visible for a moment: those are waited for, up to ten seconds.
[[nodiscard]] std::string left_since(const footprint& before);

}  // namespace weft::test
