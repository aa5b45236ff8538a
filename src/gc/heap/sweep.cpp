#include "gc/heap/sweep.hpp"

#include "base/assert.hpp"
#include "base/backoff.hpp"
#include "base/cache_line.hpp"
#include "base/tsan.hpp"
#include "gc/heap/accounting.hpp"
#include "gc/heap/central.hpp"
#include "gc/heap/local_heap.hpp"
#include "gc/heap/page_heap.hpp"
#include "gc/heap/span.hpp"

#include <algorithm>
#include <bit>
#include <climits>
#include <cstring>

namespace weft::detail {

constinit std::atomic<bool> poison_free_slots{false};

namespace {

// A span with less room than a sixteenth is not worth the trip: it stays nobody's until the next
// sweep.
constexpr unsigned room_share = 16;

// How far a sweeper moves the cursor at a time: whole spans, because they are aligned and have at
// most four pages.
constexpr std::uint32_t small_step = span_pages_max;
constexpr std::uint32_t large_step = chunk_pages;
static_assert(chunk_pages % span_pages_max == 0);
// A sweeper with a small budget looks at no more than so many steps for each span that it may
// sweep: what lies free costs too.
constexpr unsigned steps_per_span = 4;

struct sweep_state {
    std::atomic<std::uint8_t> epoch{1};
    // The cursor: up to which page, in the upper half, and from which, in the lower one. In one
    // word, so that who moves it has both of one sweep. It goes beyond the end by a step for each
    // thread at most, because each looks first.
    alignas(cache_line) std::atomic<std::uint64_t> progress{0};
    std::atomic<std::uint32_t> sweepers{0};  // Between moving the cursor and having swept.
};
constinit sweep_state state;

constexpr std::uint32_t from_of(std::uint64_t progress) noexcept {
    return static_cast<std::uint32_t>(progress);
}
constexpr std::uint32_t end_of(std::uint64_t progress) noexcept {
    return static_cast<std::uint32_t>(progress >> 32);
}

// Pages of dead spans, handed back a chunk at a time.
class freed_pages {
public:
    freed_pages() noexcept = default;
    ~freed_pages() { flush(); }
    freed_pages(const freed_pages&) = delete;
    freed_pages& operator=(const freed_pages&) = delete;

    void add(page_number page, std::uint32_t count) noexcept {
        if (page / chunk_pages != chunk_) {
            flush();
            chunk_ = page / chunk_pages;
        }
        which_ |= ((std::uint32_t{1} << count) - 1) << (page % chunk_pages);
    }

private:
    void flush() noexcept {
        if (which_ != 0) give_pages(chunk_, which_);
        which_ = 0;
    }
    std::uint32_t chunk_ = 0;
    std::uint32_t which_ = 0;
};

// The trailer of a destructible slot reads 0, because the slot has no object, and what names a
// destructor is never noise.
[[gnu::cold, gnu::noinline]] void poison(page_number page, const layout_info& info, unsigned word,
                                         std::uint64_t dead) noexcept {
    const unrecorded unseen;
    for (; dead != 0; dead &= dead - 1) {
        const unsigned slot = word * 64 + static_cast<unsigned>(std::countr_zero(dead));
        std::byte* const base = arena.address_of(page) + std::size_t{slot} * info.slot_size;
        std::memset(base, poison_byte, info.slot_size);
        if (info.kind_of() == gc_kind::destructible) {
            std::memset(base + info.slot_size - sizeof(gc_trailer), 0, sizeof(gc_trailer));
        }
    }
}

// How many bits of eight words are set. Without an instruction for it, which not every CPU of this
// architecture has and which a call would stand in for: bits are added up in fields of 8 bits, of
// all words at once, and the fields by a multiplication at the end.
class bit_count {
public:
    void add(std::uint64_t word) noexcept {
        word -= (word >> 1) & 0x5555'5555'5555'5555;
        word = (word & 0x3333'3333'3333'3333) + ((word >> 2) & 0x3333'3333'3333'3333);
        bytes_ +=
            (word + (word >> 4)) & 0x0f0f'0f0f'0f0f'0f0f;  // At most 8 * 8: no field runs over.
    }
    [[nodiscard]] std::uint32_t sum() const noexcept {
        const std::uint64_t pairs =
            (bytes_ & 0x00ff'00ff'00ff'00ff) + ((bytes_ >> 8) & 0x00ff'00ff'00ff'00ff);
        return static_cast<std::uint32_t>((pairs * 0x0001'0001'0001'0001) >> 48);
    }

private:
    std::uint64_t bytes_ = 0;
};

// Relaxed: the span is the caller's alone.
std::uint32_t sweep_bits(page_number page, const layout_info& info) noexcept {
    slot_words* const words = arena.slots_of(page, info.size_index);
    const bool poisons = poison_free_slots.load(std::memory_order_relaxed);
    bit_count live;
    std::uint64_t any_dead = 0;
    for (unsigned w = 0; w != info.words; ++w) {
        const std::uint64_t reached = words[w].seen.load(std::memory_order_relaxed) |
                                      words[w].fresh.load(std::memory_order_relaxed);
        const std::uint64_t dead = words[w].in_use.load(std::memory_order_relaxed) & ~reached;
        if (dead != 0 && poisons) [[unlikely]]
            poison(page, info, w, dead);
        words[w].in_use.store(reached, std::memory_order_relaxed);
        words[w].fresh.store(0, std::memory_order_relaxed);
        words[w].seen.store(0, std::memory_order_relaxed);
        words[w].scanned.store(0, std::memory_order_relaxed);
        any_dead |= dead;
        live.add(reached);
    }
    if (any_dead != 0) arena.record_of(page).needs_zero = 1;
    return live.sum();
}

// Makes the span or large object the caller's, if it is due. Acquire: the caller sees what its last
// owner wrote.
//
// The caller has read the page table before. Was the span swept and freed since then, and its page
// used for another? Then the epoch of the page's record is the present one, and the CAS fails. It
// cannot have come round, because the collector's next cycle waits for each sweeper, and for the
// answers of the thread that sweeps.
bool take_due(page_number page) noexcept {
    std::atomic<std::uint8_t>& epoch = arena.record_of(page).epoch;
    std::uint8_t last = epoch.load(std::memory_order_relaxed);
    if (last == present_epoch() || last == sweep_busy) return false;
    return epoch.compare_exchange_strong(last, sweep_busy, std::memory_order_acquire,
                                         std::memory_order_relaxed);
}

void mark_swept(page_number page) noexcept {
    // Release, the other end of take_due().
    arena.record_of(page).epoch.store(present_epoch(), std::memory_order_release);
}

bool sweep_span(page_number page, page_entry entry, freed_pages& freed) noexcept {
    const layout_info& info = layouts[entry];
    if (!take_due(page)) return false;
    const std::uint32_t live = sweep_bits(page, info);
    mark_swept(page);
    if (live == 0) {
        unpublish(page, info.pages(), info.kind_of());
        freed.add(page, info.pages());
    } else if (info.slots - live > info.slots / room_share) {
        add_to_central(entry - small_entry, page, present_epoch());
    }
    return true;
}

bool sweep_large(page_number page, page_entry entry) noexcept {
    const span_record& record = arena.record_of(page);
    if (record.first_page != page || !take_due(page)) return false;
    slot_words& words = *arena.slots_of(page, 0);
    const bool live = ((words.seen.load(std::memory_order_relaxed) |
                        words.fresh.load(std::memory_order_relaxed)) &
                       1) != 0;
    words.seen.store(0, std::memory_order_relaxed);
    words.scanned.store(0, std::memory_order_relaxed);
    words.fresh.store(0, std::memory_order_relaxed);
    if (live) {
        mark_swept(page);
        return true;
    }
    words.in_use.store(0, std::memory_order_relaxed);
    const auto pages =
        static_cast<std::uint32_t>((record.size + heap_page_size - 1) >> heap_page_log2);
    if (poison_free_slots.load(std::memory_order_relaxed)) [[unlikely]] {
        const unrecorded unseen;
        std::memset(arena.address_of(page), poison_byte, std::size_t{pages} << heap_page_log2);
    }
    mark_swept(page);
    unpublish(page, pages, layouts[entry].kind_of());
    give_page_range(page, pages);
    return true;
}

// What begins in these pages. Returns how many spans and large objects were due.
unsigned sweep_pages(page_number from, page_number end, freed_pages& freed) noexcept {
    unsigned swept = 0;
    while (from < end) {
        const page_entry entry = arena.entry_of(from);
        if (entry >= small_entry) {
            // Aligned: a span may have been made between looking at its first page and at this one.
            from &= ~(layouts[entry].pages() - 1);
            swept += sweep_span(from, entry, freed) ? 1 : 0;
            from += layouts[entry].pages();
        } else {
            if (entry != free_entry) swept += sweep_large(from, entry) ? 1 : 0;
            ++from;
        }
    }
    return swept;
}

}  // namespace

std::uint8_t present_epoch() noexcept { return state.epoch.load(std::memory_order_acquire); }

bool sweep_some(unsigned spans) noexcept {
    std::uint64_t progress = state.progress.load(std::memory_order_acquire);
    if (from_of(progress) >= end_of(progress)) return false;
    // Relaxed: the move of the cursor below releases it. finish_sweep() acquires the cursor at its
    // end, so it sees the count of each sweeper that has moved it.
    state.sweepers.fetch_add(1, std::memory_order_relaxed);
    const std::uint32_t step = spans >= large_step ? large_step : small_step;
    unsigned swept = 0;
    bool more = true;
    {
        freed_pages freed;
        for (unsigned steps = 0; swept == 0 || swept + step <= spans; ++steps) {
            if (step == small_step && steps >= spans * steps_per_span) break;
            progress = state.progress.fetch_add(step, std::memory_order_acq_rel);
            const page_number from = from_of(progress);
            const page_number end = end_of(progress);
            if (from >= end) {
                more = false;
                break;
            }
            swept += sweep_pages(from, std::min(from + step, end), freed);
        }
    }
    // Release: what was swept is so for finish_sweep().
    state.sweepers.fetch_sub(1, std::memory_order_release);
    return more;
}

void finish_sweep() noexcept {
    while (sweep_some(UINT_MAX - large_step)) {}
    backoff wait;
    while (state.sweepers.load(std::memory_order_acquire) != 0) wait.pause();
}

void advance_epoch() noexcept {
    const std::uint8_t epoch = state.epoch.load(std::memory_order_relaxed);
    state.epoch.store(epoch == 255 ? 1 : static_cast<std::uint8_t>(epoch + 1),
                      std::memory_order_release);
    empty_central();
    begin_allocation_count();
}

void start_sweep() noexcept {
    assert_all_adopted();
    // Spans that are made from now on have the present epoch, so the walk need not go farther than
    // this.
    const std::uint64_t end = std::uint64_t{chunks_in_use()} * chunk_pages;
    // Release: who sees the cursor has seen all heaps adopt the epoch, through the collector.
    state.progress.store(end << 32, std::memory_order_release);
}

std::uint32_t sweep_own_span(page_number page, const layout_info& info,
                             std::uint8_t epoch) noexcept {
    const std::uint32_t live = sweep_bits(page, info);
    arena.record_of(page).epoch.store(epoch, std::memory_order_release);
    return live;
}

void reset_sweep() noexcept {
    state.progress.store(0, std::memory_order_relaxed);
    WEFT_ASSERT(state.sweepers.load(std::memory_order_relaxed) == 0);
}

}  // namespace weft::detail
