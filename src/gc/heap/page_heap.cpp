#include "gc/heap/page_heap.hpp"

#include "base/assert.hpp"
#include "base/tsan.hpp"
#include "gc/heap/local_heap.hpp"
#include "os/memory.hpp"
#include "os/ranked_lock.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <mutex>

namespace weft::detail {
namespace {

constexpr std::uint32_t all_pages = ~std::uint32_t{0};
constexpr std::size_t scavenge_step_max = std::size_t{2} << 20;
// Looked at under the lock in one go, when memory for the kernel is searched.
constexpr std::uint32_t scavenge_look = 512;
// Chunks with four free pages that are tried for an object of more, before a whole one is broken
// up.
constexpr unsigned large_tries = 32;
// A heap that has used nothing yet may have so many pages made present.
constexpr std::uint64_t populate_least = (std::size_t{4} << 20) >> heap_page_log2;

// By the largest aligned piece that a chunk can give.
enum chunk_list : std::uint8_t { none, ones, twos, fours, wholes, list_count };

constexpr std::uint32_t bits_of(std::uint32_t first, std::uint32_t count) noexcept {
    return count == chunk_pages ? all_pages : ((std::uint32_t{1} << count) - 1) << first;
}

// A bit for each place where an aligned piece of 1, 2 or 4 free pages begins.
constexpr std::uint32_t pieces(std::uint32_t free, std::uint32_t count) noexcept {
    if (count == 1) return free;
    const std::uint32_t two = free & (free >> 1);
    return count == 2 ? two & 0x55555555u : two & (two >> 2) & 0x11111111u;
}

// The same for a piece of any size, aligned or not.
constexpr std::uint32_t runs(std::uint32_t free, std::uint32_t count) noexcept {
    std::uint32_t have = 1;
    while (have < count) {
        const std::uint32_t more = std::min(have, count - have);
        free &= free >> more;
        have += more;
    }
    return free;
}
static_assert(runs(0b0111'0110, 3) == 0b0001'0000 && runs(0b0111'0110, 2) == 0b0011'0010);

constexpr chunk_list list_for(std::uint32_t free) noexcept {
    if (free == all_pages) return wholes;
    if (pieces(free, 4) != 0) return fours;
    if (pieces(free, 2) != 0) return twos;
    return free != 0 ? ones : none;
}

class page_heap {
public:
    [[nodiscard]] std::uint32_t frontier() const noexcept {
        return frontier_.load(std::memory_order_acquire);
    }

    // Around a fork().
    void lock() noexcept { lock_.lock(); }
    void unlock() noexcept { lock_.unlock(); }

    // All free pages of a chunk that has an aligned piece of so many; false when memory ends.
    bool take_chunk(std::uint32_t count, std::uint32_t& taken, std::uint32_t& free,
                    std::uint32_t& dirty) noexcept {
        {
            const std::lock_guard hold(lock_);
            for (unsigned list = count == 1   ? ones
                                 : count == 2 ? twos
                                              : fours;
                 list != list_count; ++list) {
                if (first_[list] == 0) continue;
                taken = first_[list] - 1;
                chunk& c = at(taken);
                free = c.free;
                dirty = c.dirty;
                set_free(taken, 0);
                return true;
            }
            if (!extend(1, taken)) return false;
            set_free(taken, 0);
        }
        free = all_pages;
        dirty = 0;
        begin_chunk(taken * chunk_pages);
        return true;
    }

    void give(std::uint32_t in_chunk, std::uint32_t which, bool used) noexcept {
        const std::lock_guard hold(lock_);
        chunk& c = at(in_chunk);
        WEFT_ASSERT((c.free & which) == 0);
        if (used) c.dirty = c.dirty | which;
        set_free(in_chunk, c.free | which);
    }

    page_number take_large(std::uint32_t pages) noexcept {
        if (pages < chunk_pages) return take_part(pages);
        return take_whole((pages + chunk_pages - 1) / chunk_pages, pages % chunk_pages);
    }

    std::size_t scavenge(std::size_t keep, std::size_t step) noexcept;
    std::size_t populate(std::size_t ahead) noexcept;

    void reset() noexcept {
        const std::lock_guard hold(lock_);
        first_ = {};
        frontier_.store(0, std::memory_order_relaxed);
        free_pages_.store(0, std::memory_order_relaxed);
        released_.store(0, std::memory_order_relaxed);
        wholes_ = 0;
        lowest_whole_ = 0;
        scavenge_at_ = 0;
        populated_ = 0;
    }

    [[nodiscard]] std::size_t free_memory() const noexcept {
        const std::size_t free =
            std::size_t{free_pages_.load(std::memory_order_relaxed)} * heap_page_size;
        const std::size_t gone = released();
        return free > gone ? free - gone : 0;
    }
    [[nodiscard]] std::size_t released() const noexcept {
        return std::size_t{released_.load(std::memory_order_relaxed)} * chunk_size;
    }

private:
    static chunk& at(std::uint32_t c) noexcept { return arena.chunks.get()[c]; }

    // The one way that `free` changes: the chunk goes to the list that fits. Links are numbers + 1,
    // because 0 is what tables begin with.
    void set_free(std::uint32_t number, std::uint32_t free) noexcept {
        chunk& c = at(number);
        const auto before = static_cast<std::uint32_t>(std::popcount(c.free.get()));
        const auto now = static_cast<std::uint32_t>(std::popcount(free));
        free_pages_.store(free_pages_.load(std::memory_order_relaxed) + now - before,
                          std::memory_order_relaxed);
        c.free = free;
        const chunk_list list = list_for(free);
        if (list != c.list) {
            unlink(number);
            link(number, list);
        }
        // A whole chunk without a dirty page has no memory, as far as the heap has touched it.
        const bool released = list == wholes && c.dirty == 0;
        if (released != (c.released != 0)) {
            c.released = released;
            released_.store(released_.load(std::memory_order_relaxed) +
                                (released ? 1 : ~std::uint32_t{0}),
                            std::memory_order_relaxed);
        }
    }

    void unlink(std::uint32_t number) noexcept {
        chunk& c = at(number);
        if (c.list == none) return;
        if (c.list == wholes) --wholes_;
        if (c.previous != 0) {
            at(c.previous - 1).next = c.next.get();
        } else {
            first_[c.list] = c.next;
        }
        if (c.next != 0) at(c.next - 1).previous = c.previous.get();
        c.list = none;
    }

    void link(std::uint32_t number, chunk_list list) noexcept {
        if (list == none) return;
        if (list == wholes) {
            ++wholes_;
            lowest_whole_ = std::min(lowest_whole_, number);
        }
        chunk& c = at(number);
        c.list = list;
        c.previous = 0;
        c.next = first_[list];
        if (c.next != 0) at(c.next - 1).previous = number + 1;
        first_[list] = number + 1;
    }

    // Chunks that were never used. They are in no list: the caller has them.
    bool extend(std::uint32_t count, std::uint32_t& first) noexcept {
        first = frontier_.load(std::memory_order_relaxed);
        if (arena.chunk_count() - first < count) return false;
        // Release: who sees a number below the frontier may look at what the tables have for it.
        frontier_.store(first + count, std::memory_order_release);
        return true;
    }

    // Less than a chunk.
    page_number take_part(std::uint32_t pages) noexcept {
        std::uint32_t taken = 0;
        std::uint32_t where = 0;
        bool fresh = false;
        {
            const std::lock_guard hold(lock_);
            bool found = false;
            unsigned tries = large_tries;
            for (unsigned list = pages <= 2 ? twos : fours; list != list_count && !found; ++list) {
                for (std::uint32_t c = first_[list]; c != 0 && tries != 0; c = at(c - 1).next) {
                    --tries;
                    where = runs(at(c - 1).free, pages);
                    if (where == 0) continue;
                    taken = c - 1;
                    found = true;
                    break;
                }
                tries = large_tries;
            }
            if (found) {
                const auto first = static_cast<std::uint32_t>(std::countr_zero(where));
                set_free(taken, at(taken).free & ~bits_of(first, pages));
                return taken * chunk_pages + first;
            }
            if (!extend(1, taken)) return no_page;
            set_free(taken, ~bits_of(0, pages));
            fresh = true;
        }
        if (fresh) begin_chunk(taken * chunk_pages);
        return taken * chunk_pages;
    }

    // `count` chunks; of the last one only `tail` pages, unless that is 0.
    page_number take_whole(std::uint32_t count, std::uint32_t tail) noexcept {
        std::uint32_t first = 0;
        std::uint32_t fresh = 0;
        {
            const std::lock_guard hold(lock_);
            if (!find_wholes(count, first)) {
                // What is whole just before the frontier, and new ones.
                std::uint32_t end = frontier_.load(std::memory_order_relaxed);
                std::uint32_t there = 0;
                while (there != count && there != end && at(end - 1 - there).list == wholes)
                    ++there;
                std::uint32_t added = 0;
                fresh = count - there;
                if (!extend(fresh, added)) return no_page;
                first = added - there;
            }
            for (std::uint32_t i = 0; i != count; ++i) set_free(first + i, 0);
            if (tail != 0) set_free(first + count - 1, ~bits_of(0, tail));
        }
        for (std::uint32_t i = count - fresh; i != count; ++i) {
            begin_chunk((first + i) * chunk_pages);
        }
        return first * chunk_pages;
    }

    bool find_wholes(std::uint32_t count, std::uint32_t& first) noexcept {
        if (wholes_ < count) return false;
        const std::uint32_t end = frontier_.load(std::memory_order_relaxed);
        std::uint32_t seen = 0;
        std::uint32_t run = 0;
        std::uint32_t lowest = end;
        for (std::uint32_t c = lowest_whole_; c != end && seen != wholes_; ++c) {
            if (at(c).list != wholes) {
                run = 0;
                continue;
            }
            ++seen;
            lowest = std::min(lowest, c);
            if (++run == count) {
                lowest_whole_ = lowest;
                first = c + 1 - count;
                return true;
            }
        }
        lowest_whole_ = lowest;
        return false;
    }

    ranked_lock lock_{lock_rank::page_heap};
    std::array<std::uint32_t, list_count> first_{};
    std::atomic<std::uint32_t> frontier_{0};
    std::atomic<std::uint32_t> free_pages_{0};  // Also those of released chunks.
    std::atomic<std::uint32_t> released_{0};
    std::uint32_t wholes_ = 0;
    std::uint32_t lowest_whole_ = 0;  // None lies below.
    std::uint32_t scavenge_at_ = 0;
    std::uint64_t populated_ =
        0;  // Pages before this one are present, or were. The caller of populate() has it.
};

std::size_t page_heap::populate(std::size_t ahead) noexcept {
    const std::uint64_t used = std::uint64_t{frontier()} * chunk_pages;
    // Not beyond the next power of two, because there begin_chunk() has yet to say which pages the
    // kernel shall use.
    const std::uint64_t end =
        std::min({used + (ahead >> heap_page_log2),
                  std::max<std::uint64_t>(std::bit_ceil(used), populate_least),
                  std::uint64_t{arena.pages()}});
    // With the stretch that is in use in part.
    const std::uint64_t from =
        std::max<std::uint64_t>(populated_, used / populate_pages_step * populate_pages_step);
    if (from + populate_pages_step > end) return 0;
    if (!populate_stretch(static_cast<page_number>(from))) return 0;
    populated_ = from + populate_pages_step;
    return std::size_t{populate_pages_step} << heap_page_log2;
}

// Highest addresses first, so that what is in use moves to the low end.
std::size_t page_heap::scavenge(std::size_t keep, std::size_t step) noexcept {
    const auto most = static_cast<std::uint32_t>(std::min(step, scavenge_step_max) / chunk_size);
    if (most == 0) return 0;
    std::uint32_t left = frontier();  // To look at: one walk.
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    while (count == 0) {
        const std::lock_guard hold(lock_);
        const std::size_t free = free_memory();
        if (free < keep + chunk_size) return 0;
        const auto may =
            static_cast<std::uint32_t>(std::min<std::size_t>(most, (free - keep) / chunk_size));
        for (std::uint32_t looked = 0; looked != scavenge_look && count == 0; ++looked) {
            if (left-- == 0) return 0;
            if (scavenge_at_ == 0) scavenge_at_ = frontier_.load(std::memory_order_relaxed);
            --scavenge_at_;
            // Within 2 MiB, because that may be one page of the kernel's.
            while (at(scavenge_at_).list == wholes && at(scavenge_at_).released == 0) {
                first = scavenge_at_;
                set_free(first, 0);  // Nobody takes it meanwhile.
                ++count;
                if (count == may || first % (scavenge_step_max / chunk_size) == 0) break;
                --scavenge_at_;
            }
        }
    }
    const std::size_t bytes = count * chunk_size;
    const bool gone = discard_pages(arena.address_of(first * chunk_pages), bytes);
    const std::lock_guard hold(lock_);
    for (std::uint32_t i = 0; i != count; ++i) {
        if (gone) at(first + i).dirty = 0;
        set_free(first + i, all_pages);
    }
    return gone ? bytes : 0;
}

constinit page_heap pages_of_all;

}  // namespace

std::uint32_t chunks_in_use() noexcept { return pages_of_all.frontier(); }

page_number take_span_pages(local_heap& heap, std::uint32_t pages, bool& dirty) noexcept {
    std::uint32_t fit = pieces(heap.cached_free, pages);
    if (fit == 0) {
        give_cached_pages(heap);
        std::uint32_t taken = 0;
        std::uint32_t free = 0;
        std::uint32_t soiled = 0;
        if (!pages_of_all.take_chunk(pages, taken, free, soiled)) return no_page;
        heap.cached_chunk = taken;
        heap.cached_free = free;
        heap.cached_dirty = soiled;
        fit = pieces(free, pages);
    }
    const auto first = static_cast<std::uint32_t>(std::countr_zero(fit));
    const std::uint32_t which = bits_of(first, pages);
    heap.cached_free = heap.cached_free & ~which;
    dirty = (heap.cached_dirty & which) != 0;
    return heap.cached_chunk * chunk_pages + first;
}

void give_cached_pages(local_heap& heap) noexcept {
    if (heap.cached_free == 0) return;
    pages_of_all.give(heap.cached_chunk, heap.cached_free, false);
    heap.cached_free = 0;
}

page_number take_large_pages(std::uint32_t pages) noexcept {
    return pages_of_all.take_large(pages);
}

void zero_new_pages(page_number first, std::uint32_t pages) noexcept {
    const unrecorded unseen;
    while (pages != 0) {
        const std::uint32_t in_chunk = first % chunk_pages;
        const std::uint32_t count = std::min(pages, chunk_pages - in_chunk);
        // The lock that the pages were taken under has ordered their bits; others change other
        // bits.
        std::uint32_t dirty =
            arena.chunks.get()[first / chunk_pages].dirty & bits_of(in_chunk, count);
        while (dirty != 0) {
            const auto from = static_cast<std::uint32_t>(std::countr_zero(dirty));
            const auto length = static_cast<std::uint32_t>(std::countr_one(dirty >> from));
            std::memset(arena.address_of(first - in_chunk + from), 0, length * heap_page_size);
            dirty &= ~bits_of(from, length);
        }
        first += count;
        pages -= count;
    }
}

void give_pages(std::uint32_t in_chunk, std::uint32_t which) noexcept {
    pages_of_all.give(in_chunk, which, true);
}

void give_page_range(page_number first, std::uint32_t pages) noexcept {
    while (pages != 0) {
        const std::uint32_t in_chunk = first % chunk_pages;
        const std::uint32_t count = std::min(pages, chunk_pages - in_chunk);
        give_pages(first / chunk_pages, bits_of(in_chunk, count));
        first += count;
        pages -= count;
    }
}

std::size_t scavenge(std::size_t keep_bytes, std::size_t step_bytes) noexcept {
    return pages_of_all.scavenge(keep_bytes, step_bytes);
}

std::size_t populate_ahead(std::size_t ahead_bytes) noexcept {
    return pages_of_all.populate(ahead_bytes);
}

std::size_t free_bytes() noexcept { return pages_of_all.free_memory(); }
std::size_t released_bytes() noexcept { return pages_of_all.released(); }
std::size_t mapped_bytes() noexcept { return std::size_t{chunks_in_use()} * chunk_size; }

void lock_page_heap() noexcept { pages_of_all.lock(); }
void unlock_page_heap() noexcept { pages_of_all.unlock(); }

void reset_page_heap() noexcept { pages_of_all.reset(); }

}  // namespace weft::detail
