#include "gc/mark/marker.hpp"

#include "base/assert.hpp"
#include "gc/heap/page_heap.hpp"

#include <algorithm>
#include <bit>

namespace weft::detail {
namespace {

// Large objects are scanned in parts, so that one of them does not hold up the rest, nor the caller
// longer than its budget says.
constexpr std::size_t part_words = (std::size_t{128} << 10) / sizeof(std::uintptr_t);

// How far ahead in the queue the bits of spans are asked for.
constexpr std::size_t look_ahead = 4;

// What `queued` says of a span.
constexpr std::uint8_t not_queued = 0;
constexpr std::uint8_t one_grey = 1;   // The entry's.
constexpr std::uint8_t more_grey = 2;  // All that the bits say.

}  // namespace

void marker::begin() noexcept {
    WEFT_ASSERT(queue_.empty() && picked_count_ == 0 && piece_count_ == 0 && !dropped_);
    queue_.shrink();
    base_ = arena.base;
    size_ = arena.size;
    if (pick_ == nullptr) pick_ = best_picker();
    objects_ = 0;
    bytes_ = 0;
    words_ = 0;
    recoveries_ = 0;
}

[[gnu::always_inline]] inline bool marker::find(std::uintptr_t word,
                                                candidate& found) const noexcept {
    const std::uintptr_t offset = word - base_;
    WEFT_ASSERT(offset < size_);
    page_number page = static_cast<page_number>(offset >> heap_page_log2);
    const page_entry entry = arena.entry_of(page);
    if (entry < small_entry) [[unlikely]] {
        if (entry == free_entry) return false;
        page = arena.record_of(page).first_page;
        found = {arena.slots_of(page, 0), 1, page, entry, 0};
        return true;
    }
    const layout_info& info = layouts[entry];
    const std::uint64_t in_span = offset & (info.span_size() - 1);
    const auto slot = static_cast<std::uint32_t>((in_span * info.reciprocal) >> 32);
    if (slot >= info.slots) return false;
    page &= ~(info.pages() - 1);
    found = {arena.slots_of(page, info.size_index) + slot / 64, std::uint64_t{1} << (slot % 64),
             page, entry, static_cast<std::uint16_t>(slot)};
    return true;
}

// Relaxed: S and `queued` are the marker's own. N and A are hints, see the header.
[[gnu::always_inline]] inline bool marker::mark(const candidate& c) noexcept {
    const std::uint64_t seen = c.words->seen.load(std::memory_order_relaxed);
    if ((seen & c.bit) != 0) return false;
    const std::uint64_t in_use = c.words->in_use.load(std::memory_order_relaxed);
    const std::uint64_t fresh = c.words->fresh.load(std::memory_order_relaxed);
    if ((in_use & ~fresh & c.bit) == 0) return false;
    c.words->seen.store(seen | c.bit, std::memory_order_relaxed);
    const layout_info& info = layouts[c.entry];
    objects_ = objects_ + 1;
    bytes_ = bytes_ + (info.slot_size != 0 ? info.slot_size : arena.record_of(c.page).size.get());
    if (info.kind_of() != gc_kind::pointer_free) enqueue(c.page, c.slot);
    return true;
}

[[gnu::always_inline]] inline void marker::enqueue(page_number page, std::uint32_t item) noexcept {
    std::atomic<std::uint8_t>& queued = arena.queued.get()[page];
    const std::uint8_t now = queued.load(std::memory_order_relaxed);
    if (now == not_queued) {
        queued.store(one_grey, std::memory_order_relaxed);
        if (!queue_.push({page, item})) [[unlikely]]
            dropped_ = true;
    } else if (now == one_grey) {
        queued.store(more_grey, std::memory_order_relaxed);
    }
}

// Marks what the gathered words lead to: first asks for all bits, and then looks at them.
[[gnu::noinline]] void marker::settle() noexcept {
    std::array<candidate, batch + pick_max> found;
    std::size_t count = 0;
    for (std::size_t i = 0; i != picked_count_; ++i) {
        if (!find(picked_[i], found[count])) continue;
        __builtin_prefetch(found[count].words, 1);
        ++count;
    }
    picked_count_ = 0;
    for (std::size_t i = 0; i != count; ++i) mark(found[i]);
}

// At most pick_max words.
[[gnu::always_inline]] inline void marker::pick(const std::uintptr_t* from,
                                                std::size_t count) noexcept {
    picked_count_ += pick_(from, count, base_, size_, picked_.data() + picked_count_);
    if (picked_count_ >= batch) settle();
}

inline void marker::scan(piece p) noexcept {
    words_ = words_ + p.words;
    do {
        const std::size_t count = std::min(p.words, pick_max);
        pick(p.from, count);
        p.from += count;
        p.words -= count;
    } while (p.words != 0);
}

// Asks for the memory of the piece, and scans that which was asked for longest ago.
inline void marker::feed(piece p) noexcept {
    __builtin_prefetch(p.from);
    if (p.words > 8) __builtin_prefetch(p.from + 8);
    if (piece_count_ == ring) {
        piece& oldest = pieces_[first_piece_];
        first_piece_ = (first_piece_ + 1) % ring;
        const piece due = oldest;
        oldest = p;
        scan(due);
    } else {
        pieces_[(first_piece_ + piece_count_++) % ring] = p;
    }
}

inline void marker::feed_span(page_number page, const layout_info& info) noexcept {
    slot_words* const bits = arena.slots_of(page, info.size_index);
    const std::byte* base = arena.address_of(page);
    const std::size_t words = info.slot_size / sizeof(std::uintptr_t);
    for (unsigned w = 0; w != info.words; ++w, base += std::size_t{64} * info.slot_size) {
        const std::uint64_t done = bits[w].scanned.load(std::memory_order_relaxed);
        std::uint64_t grey = bits[w].seen.load(std::memory_order_relaxed) & ~done;
        if (grey == 0) continue;
        bits[w].scanned.store(done | grey, std::memory_order_relaxed);
        for (; grey != 0; grey &= grey - 1) {
            const auto slot = static_cast<unsigned>(std::countr_zero(grey));
            feed(
                {reinterpret_cast<const std::uintptr_t*>(base + std::size_t{slot} * info.slot_size),
                 words});
        }
    }
}

void marker::pop() noexcept {
    if (queue_.size() > look_ahead) {
        const page_number page = queue_.peek(look_ahead).page;
        const slot_words* const bits =
            arena.slots_of(page, layouts[arena.entry_of(page)].size_index);
        __builtin_prefetch(bits, 1);
        __builtin_prefetch(bits + 2, 1);
        __builtin_prefetch(bits + 4, 1);
        __builtin_prefetch(bits + 6, 1);
    }
    const mark_entry next = queue_.pop();
    const page_entry entry = arena.entry_of(next.page);
    const layout_info& info = layouts[entry];
    std::atomic<std::uint8_t>& queued = arena.queued.get()[next.page];
    // Before the scan, which may find more grey objects in this span.
    const std::uint8_t grey = queued.load(std::memory_order_relaxed);
    queued.store(not_queued, std::memory_order_relaxed);
    if (is_large_entry(entry)) {
        const std::size_t words = arena.record_of(next.page).size / sizeof(std::uintptr_t);
        const std::size_t first = next.item * part_words;
        const auto* const from =
            reinterpret_cast<const std::uintptr_t*>(arena.address_of(next.page)) + first;
        if (words - first > part_words) {
            WEFT_CHECK(queue_.push({next.page, next.item + 1}));  // There is room: see push().
        } else {
            arena.slots_of(next.page, 0)->scanned.store(1, std::memory_order_relaxed);
        }
        // At once: the hardware foresees what is read in order, and sixteen parts in the ring would
        // exceed any budget.
        scan({from, std::min(words - first, part_words)});
    } else if (grey == one_grey) {
        bit_word& scanned = arena.slots_of(next.page, info.size_index)[next.item / 64].scanned;
        scanned.store(scanned.load(std::memory_order_relaxed) | std::uint64_t{1}
                                                                    << (next.item % 64),
                      std::memory_order_relaxed);
        feed({reinterpret_cast<const std::uintptr_t*>(arena.address_of(next.page) +
                                                      std::size_t{next.item} * info.slot_size),
              info.slot_size / sizeof(std::uintptr_t)});
    } else {
        feed_span(next.page, info);
    }
}

// The queue is empty, so what has its byte set is what was dropped.
[[gnu::cold, gnu::noinline]] void marker::recover() noexcept {
    ++recoveries_;
    dropped_ = false;
    const page_number end = chunks_in_use() * chunk_pages;
    for (page_number page = 0; page != end; ++page) {
        std::atomic<std::uint8_t>& queued = arena.queued.get()[page];
        if (queued.load(std::memory_order_relaxed) == not_queued) continue;
        queued.store(more_grey, std::memory_order_relaxed);
        if (!queue_.push({page, 0})) {
            dropped_ = true;
            return;
        }
    }
}

bool marker::grey(std::uintptr_t word) noexcept {
    candidate found;
    return word - base_ < size_ && find(word, found) && mark(found);
}

std::size_t marker::grey_range(const void* low, const void* high) noexcept {
    constexpr std::uintptr_t word_size = sizeof(std::uintptr_t);
    const std::uintptr_t from =
        (reinterpret_cast<std::uintptr_t>(low) + word_size - 1) & ~(word_size - 1);
    const std::uintptr_t to = reinterpret_cast<std::uintptr_t>(high) & ~(word_size - 1);
    if (from >= to) return 0;
    settle();  // Of the last drain(): not of this range.
    const std::uint64_t before = objects_;
    const auto* word = reinterpret_cast<const std::uintptr_t*>(from);
    std::size_t left = (to - from) / word_size;
    while (left != 0) {
        const std::size_t count = std::min(left, pick_max);
        pick(word, count);
        word += count;
        left -= count;
    }
    settle();
    return static_cast<std::size_t>(objects_ - before);
}

bool marker::drain(std::size_t budget_bytes) noexcept {
    const std::uint64_t enough =
        words_ + std::max<std::size_t>(1, budget_bytes / sizeof(std::uintptr_t));
    for (;;) {
        if (words_ >= enough) return true;
        if (!queue_.empty()) {
            pop();
            continue;
        }
        // Nothing more to ask for: what was asked for is taken without waiting until the rings are
        // full.
        if (piece_count_ != 0) {
            const piece due = pieces_[first_piece_];
            first_piece_ = (first_piece_ + 1) % ring;
            --piece_count_;
            scan(due);
        } else if (picked_count_ != 0) {
            settle();
        } else if (dropped_) {
            recover();
        } else {
            return false;
        }
    }
}

}  // namespace weft::detail
