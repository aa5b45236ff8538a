// The compiler's call graph (.ci files), and the bounds that are computed over it.
#include "../../tools/split/call_graph.hpp"

#include "fuzz.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

using weft::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weft::tools::call_graph graph;
    try {
        graph.read("input.o", weft::fuzz::text_of(data, size));
    } catch (const std::runtime_error& e) {
        promise(std::string_view(e.what()).starts_with("its call graph"),
                "an error says what is wrong");
        return 0;
    }
    constexpr std::size_t foreign = 64;
    for (const auto& [name, f] : graph.functions()) {
        static_cast<void>(graph.name_of("input.o", name));
        const std::optional<std::size_t> depth = graph.depth(name, foreign);
        if (depth && f.stack) promise(*depth >= *f.stack + 8, "a bound holds the function's frame");
        promise(depth || !graph.way_to_unbounded(name).back().empty(),
                "a missing bound has a reason");
        promise(graph.deepest(name, foreign).front() == name, "a way begins where it begins");
        promise(graph.reaches(name, name), "a function reaches itself");
    }
    return 0;
}
