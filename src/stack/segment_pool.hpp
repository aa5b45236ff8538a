// Where segments come from, and where those go that no processor keeps.
//
// Segments smaller than a slab are cut from slabs of 64 KiB, one class a slab; slabs from regions, mappings that cost
// nothing until they are touched. A slab knows by a bit each which of its segments are free here, so that pages, and
// whole slabs, go back to the kernel when nothing on them is in use. Large segments have slots of their own with a
// guard page, huge ones a mapping each.
//
//     region    | slab | slab | slab | ...
//     slab      | segment | segment | ...            free: bit i set, and the segment's memory says nothing
//     large     | guard | segment, 64 KiB | guard | ...
//
// A segment's header is written anew each time it is taken: what is free may have lost its pages meanwhile.
//
// Everything is under one lock, which processors take for batches. No page is touched under it, and few are given back.
#pragma once

#include "base/relaxed.hpp"
#include "os/memory.hpp"
#include "os/ranked_lock.hpp"
#include "stack/segment.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

class segment_pool {
public:
    /// Up to `count` segments of a class below class_huge, linked by `link`; fewer, or null, when memory ends. Any
    /// thread.
    [[nodiscard]] segment* take(unsigned size_class, std::size_t count) noexcept;
    /// Takes back what is linked by `link`, all of one class.
    void give(segment* chain) noexcept;

    /// A mapping of its own with room for `usable` bytes of frames. Null when memory ends. A few are kept, for a call in a
    /// loop takes one each time.
    [[nodiscard]] segment* take_huge(std::size_t usable) noexcept;
    void give_huge(segment& s) noexcept;
    /// While `kept`, no segment is unmapped, because somebody may be reading one that is not in use any more.
    void keep_huge(bool kept) noexcept;

    /// Gives the pages back of what has lain free since the call before the last one; of some thousands of slabs, the others
    /// with the next calls. Returns how many bytes that were. The monitor only.
    std::size_t cool() noexcept;

    /// Whether the address is of a segment that stays mapped while a runtime is up, as far as that is easy to tell. Any
    /// thread, without a lock.
    [[nodiscard]] bool stays_mapped(const void* address) const noexcept;

    /// Gives all address space back. No segment is in use.
    void release() noexcept;

    /// Segments that are not free here: of coroutines, and those that processors keep.
    [[nodiscard]] std::uint64_t bytes_out() const noexcept {
        return out_.load(std::memory_order_relaxed);
    }

private:
    static constexpr std::size_t slab_size = std::size_t{64} * 1024;
    static constexpr std::size_t region_size_max = std::size_t{1} << 30;
    static constexpr std::size_t region_size_min = std::size_t{1} << 22;
    static constexpr std::size_t pages_per_slab = slab_size / page_size;
    static constexpr std::size_t large_stride = slab_size + page_size;
    static constexpr std::size_t larges_per_chunk = 64;
    static constexpr unsigned no_class = 0xff;

    struct slab {
        std::uint64_t free = 0;   // Bit i: segment i is free.
        std::uint64_t quiet = 0;  // Bit i: it was so at the last cool() too.
        std::uint32_t next = 0;   // Of the class's list, or of the empty ones; numbers from 1.
        std::uint32_t prev = 0;
        std::uint16_t pages = 0;  // Bit i: page i may have memory.
        std::uint8_t size_class = no_class;
        bool listed = false;
    };
    struct region {
        relaxed<std::byte*> base{nullptr};
        slab* slabs = nullptr;
        std::uint32_t fresh = 0;  // Slabs from here on were never used.
    };
    // A mapping of large slots; this record is on the page behind them.
    struct large_chunk {
        large_chunk* next = nullptr;
        std::byte* base = nullptr;
    };
    static constexpr std::size_t chunk_size = larges_per_chunk * large_stride + page_size;
    static constexpr std::size_t regions_max = 256;

    [[nodiscard]] slab& at(std::uint32_t number) noexcept;
    [[nodiscard]] std::byte* base_of(std::uint32_t number) const noexcept;
    [[nodiscard]] std::uint32_t number_of(const void* address) const noexcept;
    void link_slab(std::uint32_t number) noexcept;
    void unlink_slab(std::uint32_t number) noexcept;
    [[nodiscard]] std::uint32_t take_slab(unsigned size_class) noexcept;
    [[nodiscard]] bool add_region() noexcept;
    [[nodiscard]] bool add_large() noexcept;
    // Fill `bases`, and return with how many.
    [[nodiscard]] std::size_t take_small(unsigned size_class, std::byte** bases,
                                         std::size_t count) noexcept;
    [[nodiscard]] std::size_t take_large(std::byte** bases, std::size_t count) noexcept;
    [[nodiscard]] std::size_t cool_slab(std::uint32_t number) noexcept;
    [[nodiscard]] std::size_t cool_slabs() noexcept;
    [[nodiscard]] std::size_t cool_large() noexcept;
    [[nodiscard]] std::size_t cool_huge() noexcept;
    std::size_t drop_huge(segment** at) noexcept;

    ranked_lock lock_{lock_rank::segments};
    std::array<region, regions_max> regions_{};
    std::size_t slabs_per_region_ = 0;                  // The same of all; fixed with the first.
    std::atomic<std::size_t> region_count_{0};          // Those below it are complete.
    std::array<std::uint32_t, class_large> partial_{};  // Slabs of a class with free segments.
    std::uint32_t empty_ = 0;                           // Slabs of no class, without pages.
    static constexpr std::size_t slabs_at_once = 4096;
    static constexpr std::size_t larges_at_once = 256;
    std::uint32_t cool_next_ = 1;  // The monitor's: the slab to look at next.
    large_chunk* chunks_ = nullptr;
    segment* large_ = nullptr;  // Free large ones, the last used first.
    std::size_t large_count_ = 0;
    std::size_t large_least_ = 0;  // The fewest there were since the last cool().
    static constexpr std::size_t huge_kept = 8;
    static constexpr std::size_t huge_kept_size = std::size_t{1} << 20;
    segment* huge_ = nullptr;  // Free ones, the last used first.
    std::size_t huge_count_ = 0;
    bool keeps_huge_ = false;
    std::atomic<std::uint64_t> out_{0};
};

}  // namespace weft::detail
