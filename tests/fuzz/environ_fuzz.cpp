// The environment (WEFT_PROCS and its like, the WEFT_DEBUG list) and the options that come of it. The input holds one
// variable a line, as `NAME=value`.
#include "base/environ.hpp"
#include "fuzz.hpp"
#include "runtime/config.hpp"

#include <algorithm>
#include <string>
#include <vector>

using weft::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::string> lines;
    std::string_view left = weft::fuzz::text_of(data, size);
    while (!left.empty()) {
        const std::size_t length = std::min(left.find('\n'), left.size());
        lines.emplace_back(left.substr(0, length));
        left.remove_prefix(std::min(length + 1, left.size()));
    }
    std::vector<const char*> block;
    for (const std::string& line : lines) block.push_back(line.c_str());
    block.push_back(nullptr);

    const weft::detail::environment e = weft::detail::read_environment(block.data());
    constexpr std::uint64_t hour_ms = 3'600'000;
    promise(e.processors <= 1024, "WEFT_PROCS is at most 1024");
    promise(e.gc_percent >= -1 && e.gc_percent <= 1'000'000, "WEFT_GC_PERCENT is in its range");
    promise(e.timer_slack_ns >= 0 && e.timer_slack_ns <= 1'000'000'000,
            "WEFT_TIMER_SLACK is in its range");
    promise(e.has_timer_slack || e.timer_slack_ns == 0, "an unset WEFT_TIMER_SLACK is 0");
    promise(e.has_gc_percent || e.gc_percent == 0, "an unset WEFT_GC_PERCENT is 0");
    promise(e.schedtrace_ms <= hour_ms, "schedtrace is at most an hour");
    promise(e.stall_ms <= hour_ms, "stall is at most an hour");

    // Defaults are right, so nothing that the environment says may make them wrong.
    const weft::options chosen = weft::detail::effective_options({}, e);
    promise(!e.has_gc_percent || chosen.gc_percent == e.gc_percent, "WEFT_GC_PERCENT is taken");
    const unsigned processors = weft::detail::effective_processors(chosen, e);
    promise(processors != 0, "there is a processor");
    promise(e.processors == 0 || processors == e.processors, "WEFT_PROCS is taken");
    return 0;
}
