// The coroutines of a snapshot, put together where a reader would take them for the same.
//
// Coroutines are one group if they are in the same state, wait for the same kind of thing, show the same stack and were
// created on the same line. What they wait for tells groups apart only as long as there are few such objects: two mutexes
// that a thousand coroutines each wait for are two groups, because each mutex has a holder; ten thousand receivers on a
// channel of their own are one group, because ten thousand addresses say nothing.
#pragma once

#include "report/snapshot.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace weft::detail {

struct coroutine_group {
    std::vector<std::uint32_t> members;  // Positions in snapshot::coroutines(), rising.
    std::size_t objects = 0;             // How many different ones they wait for.
    std::int64_t longest_ns = 0;
};

/// More objects than that make one group of all.
inline constexpr std::size_t objects_apart_max = 4;

/// Returns the groups in the order of their first members. `stack_of` returns a number that is the same for stacks that
/// are shown alike. Throws std::bad_alloc.
[[nodiscard]] std::vector<coroutine_group>
group_coroutines(const snapshot& all,
                 const std::function<std::uint64_t(const coroutine_record&)>& stack_of);

}  // namespace weft::detail
