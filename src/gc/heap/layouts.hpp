// Layouts: what a page table entry says of the page's objects.
//
//     entry    0          free, or not the heap's
//              1 2 3      a large object: scanned, pointer-free, destructible
//              4..81      a span of slots: 4 + layout
//
// A span has 8, 16 or 32 KiB, by the size of its slots, and lies at a multiple of its size. It has
// at most 512 slots, so that one cache line of bits describes it, and the line is well used.
#pragma once

#include <weft/detail/gc_heap.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

inline constexpr unsigned heap_page_log2 = 13;
inline constexpr std::size_t heap_page_size = std::size_t{1} << heap_page_log2;

/// Spans of 8, 16 and 32 KiB: one set of bitmaps for each.
inline constexpr unsigned span_sizes = 3;
inline constexpr unsigned span_slots_max = 512;
inline constexpr unsigned span_words = span_slots_max / 64;
inline constexpr unsigned span_pages_max = 1u << (span_sizes - 1);

using page_entry = std::uint16_t;
inline constexpr page_entry free_entry = 0;
inline constexpr page_entry large_entry = 1;  // And the kind.
inline constexpr page_entry small_entry = large_entry + gc_kinds;
inline constexpr unsigned page_entries = small_entry + gc_layouts;

struct layout_info {
    std::uint32_t slot_size = 0;  // 0: not a span's.
    /// Offset in the span times this, shifted right by 32, is the number of the slot. It is 2^32 /
    /// slot_size, rounded up. Exact: the error is less than offset / 2^32 < 2^-17, and the
    /// quotient's fraction is at most 1 - 1/8192.
    std::uint32_t reciprocal = 0;
    std::uint16_t slots = 0;
    std::uint8_t size_index = 0;  // The span has 8 KiB << this.
    std::uint8_t kind = 0;
    std::uint8_t words = 0;  // Of the bitmaps that are in use.
    std::uint8_t unused[3] = {};

    [[nodiscard]] constexpr unsigned span_log2() const noexcept {
        return heap_page_log2 + size_index;
    }
    [[nodiscard]] constexpr std::size_t span_size() const noexcept {
        return heap_page_size << size_index;
    }
    [[nodiscard]] constexpr std::uint32_t pages() const noexcept { return 1u << size_index; }
    [[nodiscard]] constexpr gc_kind kind_of() const noexcept { return static_cast<gc_kind>(kind); }
};
static_assert(sizeof(layout_info) == 16, "a shift finds it");

[[nodiscard]] constexpr bool is_large_entry(page_entry entry) noexcept {
    return entry - large_entry < small_entry - large_entry;
}

namespace layout_table {

constexpr std::array<layout_info, page_entries> make() noexcept {
    std::array<layout_info, page_entries> all{};
    for (unsigned kind = 0; kind != gc_kinds; ++kind) {
        all[large_entry + kind].kind = static_cast<std::uint8_t>(kind);
    }
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        layout_info& info = all[small_entry + layout];
        info.slot_size = static_cast<std::uint32_t>(gc_slot_size(layout));
        info.kind = static_cast<std::uint8_t>(layout % gc_kinds);
        info.size_index = info.slot_size <= 16 ? 0 : info.slot_size < 64 ? 1 : 2;
        info.slots = static_cast<std::uint16_t>(info.span_size() / info.slot_size);
        info.words = static_cast<std::uint8_t>((info.slots + 63) / 64);
        info.reciprocal = static_cast<std::uint32_t>(
            ((std::uint64_t{1} << 32) + info.slot_size - 1) / info.slot_size);
    }
    return all;
}

}  // namespace layout_table

inline constexpr std::array<layout_info, page_entries> layouts = layout_table::make();

[[nodiscard]] constexpr const layout_info& info_of(unsigned layout) noexcept {
    return layouts[small_entry + layout];
}

}  // namespace weft::detail
