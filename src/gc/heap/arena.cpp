#include "gc/heap/arena.hpp"

#include "base/assert.hpp"
#include "base/bits.hpp"
#include "os/huge_pages.hpp"
#include "os/memory.hpp"

#include <algorithm>
#include <bit>

namespace weft::detail {

constinit arena_tables arena;

namespace {

// Below this a heap stays on small pages: its first touches are short, and it takes no more memory
// than it uses. From there on stretches double, so that there are few system calls and mappings.
constexpr std::size_t huge_pages_from = std::size_t{32} << 20;
static_assert(std::has_single_bit(huge_pages_from));
static_assert(huge_pages_from % huge_page_size == 0);

// A table: how many bytes it has for each page of the arena.
struct table {
    std::size_t bytes;
    unsigned pages;  // per that many pages.
};
constexpr std::size_t slots_bytes = span_words * sizeof(slot_words);
constexpr table tables[] = {
    {sizeof(page_entry), 1},
    {sizeof(span_record), 1},
    {sizeof(std::uint8_t), 1},
    {slots_bytes, 1},
    {slots_bytes, 2},
    {slots_bytes, 4},
    {sizeof(chunk), chunk_pages},
};
constexpr std::size_t table_count = sizeof(tables) / sizeof(tables[0]);

constexpr std::size_t size_of(const table& t, std::size_t arena_size) noexcept {
    return round_up((arena_size >> heap_page_log2) / t.pages * t.bytes, huge_page_size);
}

constexpr std::size_t size_of_all(std::size_t arena_size) noexcept {
    std::size_t sum = 0;
    for (const table& t : tables) sum += size_of(t, arena_size);
    return sum;
}

// Each table begins at a multiple of a huge page, and the sizes of the arena are powers of two, so
// the parts of the tables that belong to a stretch of the arena are whole huge pages or share one
// with the part before.
template <class T>
T* place(std::byte*& at, const table& t, std::size_t arena_size) noexcept {
    auto* const placed = reinterpret_cast<T*>(at);  // All zeroes: a T as constructed.
    at += size_of(t, arena_size);
    return placed;
}

bool reserve(std::size_t size) noexcept {
    void* const base = reserve_pages(size, huge_page_size, "heap");
    if (base == nullptr) return false;
    const std::size_t tables_size = size_of_all(size);
    void* const all_tables = reserve_pages(tables_size, huge_page_size, "heap-tables");
    if (all_tables == nullptr) {
        release_pages(base, size);
        return false;
    }
    keep_out_of_core(base, size);
    keep_out_of_core(all_tables, tables_size);

    auto* at = static_cast<std::byte*>(all_tables);
    const table* t = tables;
    arena.tables = at;
    arena.tables_size = tables_size;
    arena.entries = place<std::atomic<page_entry>>(at, *t++, size);
    arena.records = place<span_record>(at, *t++, size);
    arena.queued = place<std::atomic<std::uint8_t>>(at, *t++, size);
    for (auto& each : arena.slots) each = place<slot_words>(at, *t++, size);
    arena.chunks = place<chunk>(at, *t++, size);
    WEFT_ASSERT(t == tables + table_count);
    arena.base = reinterpret_cast<std::uintptr_t>(base);
    arena.size = size;  // Last: in_arena() is false until then.
    return true;
}

}  // namespace

bool reserve_arena(std::size_t most) noexcept {
    WEFT_ASSERT(arena.size == 0);
    // The program needs most of an address space that is limited. The tables take a sixteenth as
    // much again.
    const std::size_t share = address_space_limit() / 4;
    const std::size_t wanted = std::min({most, arena_size_max, share});
    for (std::size_t size = std::bit_floor(wanted); size >= arena_size_min; size /= 2) {
        if (reserve(size)) return true;
    }
    return false;
}

void release_arena() noexcept {
    if (arena.size == 0) return;
    const std::size_t size = arena.size;
    arena.size = 0;
    release_pages(reinterpret_cast<void*>(arena.base.get()), size);
    release_pages(arena.tables, arena.tables_size);
    arena.base = 0;
}

void begin_chunk(page_number page) noexcept {
    const std::size_t offset = std::size_t{page} << heap_page_log2;
    auto* const base = reinterpret_cast<std::byte*>(arena.base.get());
    put_used_into_core(base, offset, chunk_size, arena.size);
    if (offset < huge_pages_from || !std::has_single_bit(offset)) return;
    // As much again as there is. With what there is, too: the kernel may put small pages together
    // that are there already.
    allow_huge_pages(base, 2 * offset);
    std::byte* at = arena.tables;
    for (const table& t : tables) {
        const std::size_t from = (offset >> heap_page_log2) / t.pages * t.bytes;
        if (from >= huge_page_size / 2) allow_huge_pages(at, 2 * from);
        at += size_of(t, arena.size);
    }
}

bool populate_stretch(page_number page) noexcept {
    const std::size_t step = std::size_t{populate_pages_step} << heap_page_log2;
    if (!populate_pages(arena.address_of(page), step)) return false;
    std::byte* at = arena.tables;
    for (const table& t : tables) {
        // Whole pages of the kernel's: what else is in them is of the pages before and after.
        const std::size_t from = page / t.pages * t.bytes / page_size * page_size;
        const std::size_t to =
            round_up((page + populate_pages_step) / t.pages * t.bytes, page_size);
        if (!populate_pages(at + from, to - from)) return false;
        at += size_of(t, arena.size);
    }
    return true;
}

}  // namespace weft::detail
