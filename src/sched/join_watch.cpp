#include "sched/join_watch.hpp"

#include "base/stack_facts.hpp"

namespace weft::detail {

// Deep: to close a channel takes more than the first segment of a joiner has.
[[gnu::noinline]] void end_its_watch(std::uintptr_t join, bool ended) noexcept {
    WEFT_DEEP;
    WEFT_CALLS("join_watch");
    join_watch& watch = watch_of(join);
    watch.over(watch, ended);
}

}  // namespace weft::detail
