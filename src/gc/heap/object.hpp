// From a word to the object that it points to, or into.
#pragma once

#include "gc/heap/arena.hpp"

#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// An object, and where its bits are. Good until the object is swept.
struct object_ref {
    std::byte* base = nullptr;
    std::size_t size = 0;    // The slot's; a large object's is as asked for, rounded up to 16.
    page_number page = 0;    // The first one of its span, or its own.
    page_entry entry = 0;    // As in the page table.
    std::uint16_t slot = 0;  // Its number in the span; 0 if it is large.
    slot_words* words = nullptr;
    std::uint64_t bit = 0;

    [[nodiscard]] bool is_large() const noexcept { return is_large_entry(entry); }
    [[nodiscard]] gc_kind kind() const noexcept { return layouts[entry].kind_of(); }
};

/// The object whose slot, or whose pages, hold the address; the slot may be free. Returns false if
/// there is none. Any thread, without a lock, also in a signal handler. What is found stays there
/// only if something keeps it alive.
[[nodiscard]] inline bool find_object(std::uintptr_t word, object_ref& found) noexcept {
    const std::uintptr_t offset = word - arena.base;
    if (offset >= arena.size) return false;
    page_number page = static_cast<page_number>(offset >> heap_page_log2);
    const page_entry entry = arena.entry_of(page);
    if (entry < small_entry) {
        if (entry == free_entry) return false;
        page = arena.record_of(page).first_page;
        found.base = arena.address_of(page);
        found.size = arena.record_of(page).size;
        found.page = page;
        found.entry = entry;
        found.slot = 0;
        found.words = arena.slots_of(page, 0);
        found.bit = 1;
        return true;
    }
    const layout_info& info = layouts[entry];
    const std::uint64_t in_span = offset & (info.span_size() - 1);
    const auto slot = static_cast<std::uint32_t>((in_span * info.reciprocal) >> 32);
    if (slot >= info.slots) return false;  // What is left of the span after its last slot.
    page &= ~(info.pages() - 1);
    found.base = arena.address_of(page) + std::size_t{slot} * info.slot_size;
    found.size = info.slot_size;
    found.page = page;
    found.entry = entry;
    found.slot = static_cast<std::uint16_t>(slot);
    found.words = arena.slots_of(page, info.size_index) + slot / 64;
    found.bit = std::uint64_t{1} << (slot % 64);
    return true;
}

/// Whether the collection under way has reached the object, or it was allocated black. Relaxed: the
/// marker itself is exact; others see what was so a moment ago, and marks are only added while
/// marking.
[[nodiscard]] inline bool is_marked(const object_ref& object) noexcept {
    return ((object.words->seen.load(std::memory_order_relaxed) |
             object.words->fresh.load(std::memory_order_relaxed)) &
            object.bit) != 0;
}

/// Whether the slot is allocated, or part of a run. Acquire: see make_run() in refill.cpp.
[[nodiscard]] inline bool is_in_use(const object_ref& object) noexcept {
    return (object.words->in_use.load(std::memory_order_acquire) & object.bit) != 0;
}

/// Where a destructible object's trailer ends.
[[nodiscard]] inline std::byte* object_end(const object_ref& object) noexcept {
    return object.base + object.size;
}

[[nodiscard]] inline gc_trailer& trailer_of(const object_ref& object) noexcept {
    return *reinterpret_cast<gc_trailer*>(object_end(object) - sizeof(gc_trailer));
}

}  // namespace weft::detail
