// What hears of a coroutine's end beside its joiner.
//
// There is one at most, named by the join word with a bit set. Whoever takes it out of the word owns it, and calls `over`
// once: the coroutine at its end, or who holds the handle (src/runtime/join.cpp).
#pragma once

#include "base/stack_facts.hpp"
#include "sched/coroutine.hpp"

#include <cstdint>

namespace weft::detail {

struct join_watch {
    /// Frees the watch. `ended`: the coroutine has ended; false: nobody will know.
    void (*over)(join_watch& watch, bool ended) noexcept;
};

inline constexpr std::uintptr_t join_watched = 1;

[[nodiscard]] inline bool is_watched(std::uintptr_t join) noexcept {
    return join > join_detached && (join & join_watched) != 0;
}
[[nodiscard]] inline std::uintptr_t join_word_of(join_watch& watch) noexcept {
    return reinterpret_cast<std::uintptr_t>(&watch) | join_watched;
}
[[nodiscard]] inline join_watch& watch_of(std::uintptr_t join) noexcept {
    return *reinterpret_cast<join_watch*>(join - join_watched);
}

/// Of a word that was taken out; no effect where there is no watch.
WEFT_NOIPA inline void end_watch(std::uintptr_t join, bool ended) noexcept {
    WEFT_CALLS("join_watch");
    if (!is_watched(join)) return;
    join_watch& watch = watch_of(join);
    watch.over(watch, ended);
}

}  // namespace weft::detail
