// A watch hears of a coroutine's end, beside the joiner.
//
// There is one at most, named by the join word with a bit set. Whoever takes it out of the word owns it, and calls `over`
// once: the coroutine at its end, or who holds the handle (src/runtime/join.cpp).
#pragma once

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

/// Ends the watch of a word that has one and was taken out.
void end_its_watch(std::uintptr_t join, bool ended) noexcept;

/// The same for any word that was taken out; no effect where there is no watch.
inline void end_watch(std::uintptr_t join, bool ended) noexcept {
    if (is_watched(join)) [[unlikely]]
        end_its_watch(join, ended);
}

}  // namespace weft::detail
