// The arena: one reservation of address space for all objects, and tables beside it at computed
// addresses.
//
//     arena    | page 0 | page 1 | ...                        pages of 8 KiB, chunks of 32 of them
//     tables   entries     2 bytes a page: its layout, or free
//              records     16 bytes a page; that of a span's or large object's first page is in use
//              queued      a byte a page, likewise: the marker's
//              slots       256 bytes a span, for each of the three sizes of spans: its bits, see span.hpp
//              chunks      the page heap's
//
// One subtraction and one comparison say whether a word points into the heap. From there to an
// object's bits a reader loads from two small tables, and not from the heap itself, so it resolves
// an interior pointer in 2 to 5 ns.
//
// The bits of 64 slots lie together, two such groups to a line, because whoever marks an object
// asks for three of the four words. Apart they would be as large, and each mark would wait for two
// lines: that took a sixth more time for random objects of 64 bytes. There is a table for each size
// of spans because a common one, with a stride for the smallest, would use every fourth part of
// itself, and so a fourth of each cache.
//
// Edge *publish span*: the maker of a span clears its bits and then stores the entries of its pages
// with release; readers of entries acquire. A marker that still reads 0 takes a pointer into the
// new span for none. This is safe, because the span's objects are black, or their heap has yet to
// answer the handshake that makes it so, and its owner's stack is scanned then.
//
// Pages that nobody has touched cost nothing, here and in the tables. The arena is in core dumps as
// far as it has been used, the tables are not.
#pragma once

#include "base/config.hpp"
#include "base/relaxed.hpp"
#include "gc/heap/layouts.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

inline constexpr unsigned chunk_pages = 32;
inline constexpr std::size_t chunk_size = chunk_pages * heap_page_size;

/// The number of a page in the arena. 32 bits are enough for 32 TiB.
using page_number = std::uint32_t;
inline constexpr page_number no_page = ~page_number{0};

using bit_word = std::atomic<std::uint64_t>;

/// 64 slots of a span, a bit for each.
struct alignas(32) slot_words {
    bit_word seen{0};     // S: reached by the collection under way.
    bit_word scanned{0};  // B: and its words have been read.
    bit_word fresh{0};    // N: allocated since the collection made its heap black.
    bit_word in_use{0};   // A: allocated, or in a run.
};

/// A span or a large object, besides its bits. The record at the number of its first page counts.
struct span_record {
    std::atomic<std::uint8_t> epoch{
        0};  // In which it was swept last, or made; sweep_busy while somebody sweeps it.
    relaxed<std::uint8_t> needs_zero{0};   // Free slots do not read 0.
    relaxed<std::uint32_t> first_page{0};  // Of a large object, for each of its pages.
    relaxed<std::uint64_t> size{
        0};  // Of a large object; of a span in a central list: the next one.
};
static_assert(sizeof(span_record) == 16);

/// 32 pages, as the page heap sees them: see page_heap.hpp.
struct chunk {
    relaxed<std::uint32_t> free{0};      // A bit for each free page.
    relaxed<std::uint32_t> dirty{0};     // A bit for each page that may not read 0.
    relaxed<std::uint32_t> previous{0};  // In a list of the page heap.
    relaxed<std::uint32_t> next{0};
    std::atomic<std::uint16_t> destructible{
        0};  // How many spans and large objects of that kind begin here.
    relaxed<std::uint8_t> list{0};
    relaxed<std::uint8_t> released{0};  // Its memory is with the kernel.
};

struct arena_tables {
    relaxed<std::uintptr_t> base{0};
    relaxed<std::size_t> size{0};  // 0: there is no arena, and no word points into it.
    relaxed<std::atomic<page_entry>*> entries{nullptr};
    relaxed<span_record*> records{nullptr};
    relaxed<std::atomic<std::uint8_t>*> queued{nullptr};
    std::array<relaxed<slot_words*>, span_sizes> slots{};
    relaxed<chunk*> chunks{nullptr};
    relaxed<std::byte*> tables{nullptr};  // All of them are one reservation.
    relaxed<std::size_t> tables_size{0};

    [[nodiscard]] page_number pages() const noexcept {
        return static_cast<page_number>(size.get() >> heap_page_log2);
    }
    [[nodiscard]] std::uint32_t chunk_count() const noexcept { return pages() / chunk_pages; }
    [[nodiscard]] std::byte* address_of(page_number page) const noexcept {
        return reinterpret_cast<std::byte*>(base.get() +
                                            (static_cast<std::uintptr_t>(page) << heap_page_log2));
    }
    [[nodiscard]] page_entry entry_of(page_number page) const noexcept {
        return entries.get()[page].load(std::memory_order_acquire);  // publish span
    }
    [[nodiscard]] span_record& record_of(page_number page) const noexcept {
        return records.get()[page];
    }
    [[nodiscard]] slot_words* slots_of(page_number page, unsigned size_index) const noexcept {
        return slots[size_index].get() + std::size_t{page >> size_index} * span_words;
    }
};

/// Hidden, so that its fields are reached by their addresses alone.
[[gnu::visibility("hidden")]] extern arena_tables arena;

/// How much of the address space the arena asks for before the kernel says no.
inline constexpr std::size_t arena_size_max =
    asan_build || tsan_build ? std::size_t{1} << 34 : std::size_t{1} << 40;
inline constexpr std::size_t arena_size_min = std::size_t{16} << 20;

/// Reserves arena and tables; smaller where address space is limited. Returns false, and nothing
/// has changed, if the kernel has no room for the smallest. `most` bounds the size of the arena,
/// for tests.
[[nodiscard]] bool reserve_arena(std::size_t most) noexcept;
/// Gives it all back. Nobody may look at it meanwhile.
void release_arena() noexcept;

/// The page heap calls this for each chunk that it begins to use, with its first page. Takes memory
/// into core dumps, and lets the kernel use pages of 2 MiB once the heap is large.
void begin_chunk(page_number page) noexcept;

/// Makes 2 MiB of the arena present, from `page` on, which lies at a multiple of that, and the
/// parts of the tables that belong to it. Returns false if the kernel can't. Any thread.
bool populate_stretch(page_number page) noexcept;
inline constexpr std::uint32_t populate_pages_step =
    static_cast<std::uint32_t>((std::size_t{2} << 20) >> heap_page_log2);

/// Whether a word points into the arena, used or not. Any thread.
[[nodiscard]] inline bool in_arena(std::uintptr_t word) noexcept {
    return word - arena.base < arena.size;
}

}  // namespace weft::detail
