#include "runtime/config.hpp"

#include "os/cpu_limit.hpp"
#include "stack/reserved_stack.hpp"

#include <chrono>
#include <stdexcept>

namespace weft::detail {
namespace {

void require(bool condition, const char* what) {
    if (!condition) throw std::invalid_argument(what);
}

}  // namespace

options effective_options(options given, const environment& env) {
    require(given.processors <= processors_max, "weft: options.processors is above 1024");
    require(given.preempt_after.count() > 0, "weft: options.preempt_after is not positive");
    require(given.timer_slack.count() >= 0, "weft: options.timer_slack is negative");
    require(given.timer_slack <= std::chrono::seconds(1), "weft: options.timer_slack is above 1 s");
    require(given.stack_size <= std::size_t{1} << stack_store::log2_max,
            "weft: options.stack_size is above 16 GiB");
    require(given.gc_percent >= -1, "weft: options.gc_percent is below -1");
    require(given.shutdown_grace.count() >= 0, "weft: options.shutdown_grace is negative");
    require(given.max_blocking > 0, "weft: options.max_blocking is 0; nothing could ever block");
    if (env.has_gc_percent) given.gc_percent = env.gc_percent;
    if (env.has_timer_slack) given.timer_slack = std::chrono::nanoseconds(env.timer_slack_ns);
    if (env.memory_limit != 0) given.memory_limit = env.memory_limit;
    return given;
}

unsigned effective_processors(const options& opts, const environment& env) {
    if (opts.processors != 0) return opts.processors;
    if (env.processors != 0) return env.processors;
    return usable_cpus();
}

}  // namespace weft::detail
