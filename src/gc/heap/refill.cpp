#include "gc/heap/refill.hpp"

#include "base/assert.hpp"
#include "base/bits.hpp"
#include "base/config.hpp"
#include "base/tsan.hpp"
#include "gc/heap/accounting.hpp"
#include "gc/heap/central.hpp"
#include "gc/heap/page_heap.hpp"
#include "gc/heap/span.hpp"
#include "gc/heap/sweep.hpp"

#include <bit>
#include <cstring>

namespace weft::detail {
namespace {

// What one call may sweep. It stops earlier once there is a span of its layout.
constexpr unsigned sweep_at_a_time = 4;
constexpr unsigned sweep_times = 4;

// So much is zeroed at a time: it is still in the first cache when the last slot of the run is
// used.
constexpr std::size_t run_bytes_max = std::size_t{8} << 10;
constexpr unsigned run_slots_max = tiny_limits ? 4 : span_slots_max;

// The next slot from `from` on whose A bit is clear, or set; `slots` if there is none.
template <bool InUse>
unsigned next_slot(const slot_words* words, unsigned from, unsigned slots) noexcept {
    while (from < slots) {
        std::uint64_t bits = words[from / 64].in_use.load(std::memory_order_relaxed);
        if constexpr (!InUse) bits = ~bits;
        bits >>= from % 64;
        if (bits != 0) {
            from += static_cast<unsigned>(std::countr_zero(bits));
            return from < slots ? from : slots;
        }
        from = (from | 63) + 1;
    }
    return slots;
}

// Free slots of the current span become the run. Returns the first; null if there is none.
//
// Zeroes come first, then N if the heap is black, then A with release. A reader of A that acquires
// and finds the bit set knows that the slot reads 0 or is constructed, and sees N: so the search
// for dead objects takes no new one for a dead one. The marker reads A relaxed, see marker.hpp.
std::byte* make_run(local_heap& heap, unsigned layout, const layout_info& info) noexcept {
    local_heap::current_span& current = heap.current[layout];
    const page_number page = current.page;
    slot_words* const words = arena.slots_of(page, info.size_index);
    const unsigned begin = next_slot<false>(words, current.position, info.slots);
    if (begin == info.slots) return nullptr;
    const bool zero = current.needs_zero != 0;
    unsigned most = run_slots_max;
    if (zero) {
        most = std::min(most, std::max(1u, static_cast<unsigned>(run_bytes_max / info.slot_size)));
    }
    const unsigned end =
        next_slot<true>(words, begin, std::min<unsigned>(info.slots, begin + most));

    std::byte* const first = arena.address_of(page) + std::size_t{begin} * info.slot_size;
    std::byte* const last = arena.address_of(page) + std::size_t{end} * info.slot_size;
    if (zero) {
        const unrecorded unseen;
        std::memset(first, 0, static_cast<std::size_t>(last - first));
    }
    const bool black = heap.black;
    for (unsigned w = begin / 64; w * 64 < end; ++w) {
        const std::uint64_t bits = bits_between(begin, end, w);
        if (black) {
            words[w].fresh.store(words[w].fresh.load(std::memory_order_relaxed) | bits,
                                 std::memory_order_relaxed);
        }
        words[w].in_use.store(words[w].in_use.load(std::memory_order_relaxed) | bits,
                              std::memory_order_release);
    }
    current.position = static_cast<std::uint16_t>(end);
    count_allocated(static_cast<std::size_t>(last - first));
    gc_run& run = heap.runs[layout];
    run.cursor.store(first + info.slot_size, std::memory_order_relaxed);
    run.end.store(last, std::memory_order_relaxed);
    return first;
}

// A span with room, or one that is fresh.
page_number next_span(local_heap& heap, unsigned layout) noexcept {
    page_number page = take_central(layout, heap.epoch);
    if (page != no_page) return page;
    // A heap that has not adopted the present epoch must not sweep; nobody can yet, see
    // start_sweep().
    bool more = heap.epoch == present_epoch();
    for (unsigned i = 0; i != sweep_times && more; ++i) {
        more = sweep_some(sweep_at_a_time);
        page = take_central(layout, heap.epoch);
        if (page != no_page) return page;
    }
    page = make_span(heap, layout);
    if (page != no_page) return page;
    // Memory has ended: what is dead may hold enough.
    while (more && page == no_page) {
        more = sweep_some(sweep_at_a_time * sweep_times);
        page = take_central(layout, heap.epoch);
        if (page == no_page) page = make_span(heap, layout);
    }
    return page;
}

}  // namespace

void* refill(local_heap& heap, unsigned layout) noexcept {
    WEFT_ASSERT(layout < gc_layouts && heap.in_use);
    const layout_info& info = info_of(layout);
    local_heap::current_span& current = heap.current[layout];
    for (;;) {
        if (current.page != no_page) {
            WEFT_ASSERT(arena.record_of(current.page).epoch.load(std::memory_order_relaxed) ==
                        heap.epoch);
            if (std::byte* const slot = make_run(heap, layout, info); slot != nullptr) return slot;
            current.page = no_page;  // It is nobody's, and full.
        }
        // The run is used up and lies in a span that may soon be somebody else's.
        heap.runs[layout].cursor.store(nullptr, std::memory_order_relaxed);
        heap.runs[layout].end.store(nullptr, std::memory_order_relaxed);
        const page_number page = next_span(heap, layout);
        if (page == no_page) return nullptr;
        current.needs_zero = arena.record_of(page).needs_zero.get();
        current.position = 0;
        current.page = page;
    }
}

void* allocate_large(local_heap& heap, std::size_t bytes, gc_kind kind) noexcept {
    WEFT_ASSERT(heap.in_use);
    if (bytes > arena.size) return nullptr;
    const std::size_t size = round_up(bytes, std::size_t{16});
    const auto pages = static_cast<std::uint32_t>((size + heap_page_size - 1) >> heap_page_log2);
    bool more = heap.epoch == present_epoch();
    for (unsigned i = 0; i != sweep_times && more; ++i) more = sweep_some(sweep_at_a_time);
    page_number page = take_large_pages(pages);
    while (page == no_page && more) {
        more = sweep_some(sweep_at_a_time * sweep_times);
        page = take_large_pages(pages);
    }
    if (page == no_page) return nullptr;
    zero_new_pages(page, pages);

    span_record* const records = arena.records;
    for (std::uint32_t i = 0; i != pages; ++i) records[page + i].first_page = page;
    records[page].size = size;
    records[page].epoch.store(heap.epoch, std::memory_order_relaxed);
    arena.queued.get()[page].store(0, std::memory_order_relaxed);
    slot_words& words = *arena.slots_of(page, 0);
    words.seen.store(0, std::memory_order_relaxed);
    words.scanned.store(0, std::memory_order_relaxed);
    words.fresh.store(heap.black ? 1 : 0, std::memory_order_relaxed);
    words.in_use.store(1, std::memory_order_release);
    publish(page, pages, static_cast<page_entry>(large_entry + static_cast<unsigned>(kind)));
    count_allocated(std::size_t{pages} << heap_page_log2);
    return arena.address_of(page);
}

}  // namespace weft::detail
