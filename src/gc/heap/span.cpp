#include "gc/heap/span.hpp"

#include "base/assert.hpp"
#include "gc/heap/accounting.hpp"
#include "gc/heap/local_heap.hpp"
#include "gc/heap/page_heap.hpp"

namespace weft::detail {

void publish(page_number page, std::uint32_t pages, page_entry entry) noexcept {
    if (layouts[entry].kind_of() == gc_kind::destructible) {
        arena.chunks.get()[page / chunk_pages].destructible.fetch_add(1, std::memory_order_relaxed);
    }
    count_heap_pages(pages);
    std::atomic<page_entry>* const entries = arena.entries.get() + page;
    for (std::uint32_t i = 0; i != pages; ++i) {
        WEFT_ASSERT(entries[i].load(std::memory_order_relaxed) == free_entry);
        entries[i].store(entry, std::memory_order_release);  // publish span
    }
}

void unpublish(page_number page, std::uint32_t pages, gc_kind kind) noexcept {
    if (kind == gc_kind::destructible) {
        arena.chunks.get()[page / chunk_pages].destructible.fetch_sub(1, std::memory_order_relaxed);
    }
    count_heap_pages(-static_cast<std::int64_t>(pages));
    // Relaxed: the page heap's lock hands the pages over; a reader in between finds what is no
    // object any more, as before.
    std::atomic<page_entry>* const entries = arena.entries.get() + page;
    for (std::uint32_t i = 0; i != pages; ++i) {
        entries[i].store(free_entry, std::memory_order_relaxed);
    }
}

page_number make_span(local_heap& heap, unsigned layout) noexcept {
    const layout_info& info = info_of(layout);
    bool dirty = false;
    const page_number page = take_span_pages(heap, info.pages(), dirty);
    if (page == no_page) return no_page;
    slot_words* const words = arena.slots_of(page, info.size_index);
    for (unsigned w = 0; w != span_words; ++w) {
        words[w].seen.store(0, std::memory_order_relaxed);
        words[w].scanned.store(0, std::memory_order_relaxed);
        words[w].fresh.store(0, std::memory_order_relaxed);
        words[w].in_use.store(0, std::memory_order_relaxed);
    }
    span_record& record = arena.record_of(page);
    record.needs_zero = dirty;
    // The heap's epoch, which is the old one until it has answered the last handshake: then the
    // span is swept later like all that are due.
    record.epoch.store(heap.epoch, std::memory_order_relaxed);
    arena.queued.get()[page].store(0, std::memory_order_relaxed);
    publish(page, info.pages(), static_cast<page_entry>(small_entry + layout));
    return page;
}

}  // namespace weft::detail
