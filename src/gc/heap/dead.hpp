// Finds the dead objects whose destructors are due.
#pragma once

#include "gc/heap/object.hpp"
#include "gc/heap/page_heap.hpp"

#include <atomic>
#include <bit>
#include <cstdint>

namespace weft::detail {

/// Calls f(const object_ref&) for each allocated destructible object that the collection has not
/// reached and whose trailer names a type. Collector only: after marking, before advance_epoch(). f
/// may mark.
///
/// It walks the chunks where spans of that kind begin. A mutator may make such spans and objects
/// meanwhile: they are black, and N is set before A (make_run() in refill.cpp), so a
/// reader of A and then N takes none of them for dead.
template <class F>
void for_each_dead_destructible(F f) {
    const std::uint32_t chunks = chunks_in_use();
    for (std::uint32_t c = 0; c != chunks; ++c) {
        if (arena.chunks.get()[c].destructible.load(std::memory_order_relaxed) == 0) continue;
        const page_number end = (c + 1) * chunk_pages;
        for (page_number page = c * chunk_pages; page < end;) {
            const page_entry entry = arena.entry_of(page);
            const layout_info& info = layouts[entry];
            const bool due = entry != free_entry && info.kind_of() == gc_kind::destructible;
            if (is_large_entry(entry)) {
                object_ref object;
                if (due && arena.record_of(page).first_page == page &&
                    find_object(reinterpret_cast<std::uintptr_t>(arena.address_of(page)), object) &&
                    is_in_use(object) && !is_marked(object) &&
                    std::atomic_ref(trailer_of(object).type).load(std::memory_order_relaxed) !=
                        nullptr) {
                    f(static_cast<const object_ref&>(object));
                }
                ++page;
                continue;
            }
            // Aligned: a span may have been made between looking at its first page and at this one.
            page &= ~(info.pages() - 1);
            if (due) {
                slot_words* const words = arena.slots_of(page, info.size_index);
                for (unsigned w = 0; w != info.words; ++w) {
                    std::uint64_t dead = words[w].in_use.load(std::memory_order_acquire);
                    dead &= ~(words[w].seen.load(std::memory_order_relaxed) |
                              words[w].fresh.load(std::memory_order_relaxed));
                    for (; dead != 0; dead &= dead - 1) {
                        object_ref object;
                        object.slot = static_cast<std::uint16_t>(
                            w * 64 + static_cast<unsigned>(std::countr_zero(dead)));
                        object.base =
                            arena.address_of(page) + std::size_t{object.slot} * info.slot_size;
                        object.size = info.slot_size;
                        object.page = page;
                        object.entry = entry;
                        object.words = words + w;
                        object.bit = dead & -dead;
                        if (is_marked(object)) continue;  // By f, meanwhile.
                        if (std::atomic_ref(trailer_of(object).type)
                                .load(std::memory_order_relaxed) != nullptr) {
                            f(static_cast<const object_ref&>(object));
                        }
                    }
                }
            }
            page += entry == free_entry ? 1 : info.pages();
        }
    }
}

}  // namespace weft::detail
