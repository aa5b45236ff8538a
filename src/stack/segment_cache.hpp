// The free segments of a processor, by class. LIFO: the one given back last is in the caches.
//
// Pushed and popped by assembly as well (arch/x86_64/morestack.S): `head`, and `room`, how many more may come before
// half of them go to the pool.
#pragma once

#include "base/config.hpp"
#include "stack/segment.hpp"

#include <array>
#include <cstdint>

namespace weft::detail {

class segment_pool;

struct segment_cache {
    struct list {
        segment* head = nullptr;
        std::int64_t room = 0;
    };
    std::array<list, SEGMENT_CLASSES + 1> lists{};  // The last stays empty: class_none.
    /// Left behind by an unwinder that still ran on them: to be given back once it does not.
    segment* left_behind = nullptr;

    segment_cache() noexcept {
        for (unsigned c = 0; c != SEGMENT_CLASSES; ++c) lists[c].room = capacity_of(c);
    }
    segment_cache(const segment_cache&) = delete;
    segment_cache& operator=(const segment_cache&) = delete;

    /// How many of a class a processor keeps: some 64 KiB of each, and a few of the large ones.
    [[nodiscard]] static constexpr std::int64_t capacity_of(unsigned c) noexcept {
        if (tiny_limits) return 2;
        return c < 4 ? 64 >> c : 8;
    }

    /// From here, else from the pool. Null when memory ends.
    [[nodiscard]] segment* take(unsigned c, segment_pool& pool) noexcept;
    void give(segment& s, segment_pool& pool) noexcept;
    /// Gives all of them to the pool.
    void empty_into(segment_pool& pool) noexcept;
};

}  // namespace weft::detail
