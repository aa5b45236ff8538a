#include "stack/segment_pool.hpp"

#include "base/assert.hpp"
#include "base/bits.hpp"
#include "base/stack_facts.hpp"
#include "os/memory.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>

namespace weft::detail {
namespace {

// How many bits of `mask` at most, the lowest first.
std::uint64_t lowest(std::uint64_t mask, std::size_t count) noexcept {
    std::uint64_t taken = 0;
    for (; count != 0 && mask != 0; --count) {
        taken |= mask & (~mask + 1);
        mask &= mask - 1;
    }
    return taken;
}

}  // namespace

segment* make_segment(std::byte* base, unsigned size_class, std::size_t size) noexcept {
    auto* const s = ::new (base + size - sizeof(segment)) segment();
    s->limit = base + red_zone_size;
    // Only where a guard page ends it does such code run in place.
    s->call_limit = size_class >= class_large ? s->limit + CALL_ROOM : s->top();
    s->size_class = static_cast<std::uint8_t>(size_class);
    const unsigned next = class_after(size_class);
    s->next_class = static_cast<std::uint8_t>(next);
    s->next_usable = static_cast<std::uint32_t>(usable_of(size_of_class(next)));
    s->size_kib = static_cast<std::uint32_t>(size / 1024);
    s->depth_kib = s->size_kib;
    if (s->has_canary()) *reinterpret_cast<volatile std::uint64_t*>(base) = SEGMENT_CANARY;
    return s;
}

segment_pool::slab& segment_pool::at(std::uint32_t number) noexcept {
    const std::uint32_t i = number - 1;
    return regions_[i / slabs_per_region_].slabs[i % slabs_per_region_];
}

std::byte* segment_pool::base_of(std::uint32_t number) const noexcept {
    const std::uint32_t i = number - 1;
    return regions_[i / slabs_per_region_].base.get() +
           std::size_t{i % slabs_per_region_} * slab_size;
}

std::uint32_t segment_pool::number_of(const void* address) const noexcept {
    const auto* const p = static_cast<const std::byte*>(address);
    for (std::size_t r = 0; r != region_count_.load(std::memory_order_relaxed); ++r) {
        std::byte* const base = regions_[r].base;
        if (p >= base && p < base + slabs_per_region_ * slab_size) {
            const auto offset = static_cast<std::size_t>(p - base);
            return static_cast<std::uint32_t>(r * slabs_per_region_ + offset / slab_size + 1);
        }
    }
    WEFT_CHECK(false && "a segment of no region");
    return 0;
}

void segment_pool::link_slab(std::uint32_t number) noexcept {
    slab& s = at(number);
    std::uint32_t& head = partial_[s.size_class];
    s.prev = 0;
    s.next = head;
    if (head != 0) at(head).prev = number;
    head = number;
    s.listed = true;
}

void segment_pool::unlink_slab(std::uint32_t number) noexcept {
    slab& s = at(number);
    if (s.prev != 0) {
        at(s.prev).next = s.next;
    } else {
        partial_[s.size_class] = s.next;
    }
    if (s.next != 0) at(s.next).prev = s.prev;
    s.listed = false;
}

bool segment_pool::add_region() noexcept {
    const std::size_t n = region_count_.load(std::memory_order_relaxed);
    if (n == regions_max) return false;
    // A small address space is taken in small pieces, as many as are needed.
    if (n == 0) {
        const std::size_t share = std::bit_floor(address_space_limit() / 64);
        slabs_per_region_ = std::clamp(share, region_size_min, region_size_max) / slab_size;
    }
    const std::size_t region_size = slabs_per_region_ * slab_size;
    void* const base = reserve_pages(region_size, slab_size, "segments");
    if (base == nullptr) return false;
    void* const table = reserve_pages(slabs_per_region_ * sizeof(slab), page_size, "segment-table");
    if (table == nullptr) {
        release_pages(base, region_size);
        return false;
    }
    keep_out_of_core(base, region_size);
    regions_[n].base = static_cast<std::byte*>(base);
    regions_[n].slabs = static_cast<slab*>(table);
    regions_[n].fresh = 0;
    region_count_.store(n + 1, std::memory_order_release);
    return true;
}

// A slab without pages, given to a class. 0: memory has ended.
std::uint32_t segment_pool::take_slab(unsigned size_class) noexcept {
    std::uint32_t number = empty_;
    if (number != 0) {
        empty_ = at(number).next;
    } else {
        std::size_t n = region_count_.load(std::memory_order_relaxed);
        if (n == 0 || regions_[n - 1].fresh == slabs_per_region_) {
            if (!add_region()) return 0;
            ++n;
        }
        region& r = regions_[n - 1];
        number = static_cast<std::uint32_t>((n - 1) * slabs_per_region_ + r.fresh++ + 1);
        ::new (&at(number)) slab();
        put_used_into_core(r.base, std::size_t{(number - 1) % slabs_per_region_} * slab_size,
                           slab_size, slabs_per_region_ * slab_size);
    }
    slab& s = at(number);
    s.size_class = static_cast<std::uint8_t>(size_class);
    const std::size_t count = slab_size / size_of_class(size_class);
    s.free = ~std::uint64_t{0} >> (64 - count);
    s.quiet = 0;
    s.pages = 0;
    link_slab(number);
    return number;
}

[[gnu::noinline]] segment* segment_pool::take(unsigned size_class, std::size_t count) noexcept {
    WEFT_DEEP;
    const std::size_t size = size_of_class(size_class);
    std::array<std::byte*, 64> bases;
    segment* chain = nullptr;
    while (count != 0) {
        const std::size_t batch = std::min(count, bases.size());
        const std::size_t n = size_class == class_large
                                  ? take_large(bases.data(), batch)
                                  : take_small(size_class, bases.data(), batch);
        // Outside the lock, for a header may be the first that is written on its page.
        for (std::size_t i = n; i-- != 0;) {
            segment* const one = make_segment(bases[i], size_class, size);
            one->link = chain;
            chain = one;
        }
        out_.fetch_add(n * size, std::memory_order_relaxed);
        if (n != batch) break;
        count -= n;
    }
    return chain;
}

std::size_t segment_pool::take_small(unsigned size_class, std::byte** bases,
                                     std::size_t count) noexcept {
    const std::size_t size = size_of_class(size_class);
    const std::size_t pages = std::max<std::size_t>(size / page_size, 1);
    std::size_t n = 0;
    const std::lock_guard hold(lock_);
    while (n != count) {
        std::uint32_t number = partial_[size_class];
        if (number == 0) number = take_slab(size_class);
        if (number == 0) break;
        slab& s = at(number);
        std::uint64_t taken = lowest(s.free, count - n);
        s.free &= ~taken;
        s.quiet &= ~taken;
        if (s.free == 0) unlink_slab(number);
        for (; taken != 0; taken &= taken - 1) {
            const std::size_t offset = static_cast<std::size_t>(std::countr_zero(taken)) * size;
            const std::uint32_t touched = ((1u << pages) - 1) << (offset / page_size);
            s.pages = static_cast<std::uint16_t>(s.pages | touched);
            bases[n++] = base_of(number) + offset;
        }
    }
    return n;
}

void segment_pool::give(segment* chain) noexcept {
    const std::lock_guard hold(lock_);
    while (chain != nullptr) {
        segment* const one = chain;
        chain = one->link;
        const std::size_t size = one->size();
        out_.fetch_sub(size, std::memory_order_relaxed);
        if (one->size_class == class_large) {
            one->flags = 0;  // Here it says whether it was cooled.
            one->link = large_;
            large_ = one;
            ++large_count_;
            continue;
        }
        const std::uint32_t number = number_of(one);
        slab& s = at(number);
        WEFT_ASSERT(s.size_class == one->size_class);
        const auto offset = static_cast<std::size_t>(one->base() - base_of(number));
        s.free |= std::uint64_t{1} << (offset / size);
        if (!s.listed) link_slab(number);
    }
}

bool segment_pool::add_large() noexcept {
    void* const mapped = reserve_pages(chunk_size, page_size, "large-segments");
    if (mapped == nullptr) return false;
    auto* const base = static_cast<std::byte*>(mapped);
    for (std::size_t i = larges_per_chunk; i-- != 0;) {
        std::byte* const slot = base + i * large_stride;
        if (!guard_pages(slot, page_size)) deny_pages(slot, page_size);
        segment* const s = make_segment(slot + page_size, class_large, slab_size);
        s->link = large_;
        large_ = s;
        ++large_count_;
    }
    auto* const chunk = ::new (base + larges_per_chunk * large_stride) large_chunk();
    *chunk = {chunks_, base};
    chunks_ = chunk;
    return true;
}

std::size_t segment_pool::take_large(std::byte** bases, std::size_t count) noexcept {
    const std::lock_guard hold(lock_);
    std::size_t n = 0;
    for (; n != count; ++n) {
        if (large_ == nullptr && !add_large()) break;
        bases[n] = large_->base();
        large_ = large_->link;
        --large_count_;
        large_least_ = std::min(large_least_, large_count_);
    }
    return n;
}

segment* segment_pool::take_huge(std::size_t usable) noexcept {
    const std::size_t size =
        round_up(usable + sizeof(segment) + red_zone_size + page_size, page_size);
    {
        const std::lock_guard hold(lock_);
        for (segment** at = &huge_; *at != nullptr; at = &(*at)->link) {
            segment* const one = *at;
            if (one->size() < size || one->size() > 4 * size) continue;
            *at = one->link;
            --huge_count_;
            out_.fetch_add(one->size(), std::memory_order_relaxed);
            return make_segment(one->base(), class_huge, one->size());
        }
    }
    void* const mapped = reserve_pages(size + page_size, page_size, "huge-segment");
    if (mapped == nullptr) return nullptr;
    auto* const guard = static_cast<std::byte*>(mapped);
    if (!guard_pages(guard, page_size)) deny_pages(guard, page_size);
    out_.fetch_add(size, std::memory_order_relaxed);
    return make_segment(guard + page_size, class_huge, size);
}

void segment_pool::give_huge(segment& s) noexcept {
    out_.fetch_sub(s.size(), std::memory_order_relaxed);
    {
        const std::lock_guard hold(lock_);
        if (keeps_huge_ || (s.size() <= huge_kept_size && huge_count_ != huge_kept)) {
            s.flags = 0;
            s.link = huge_;
            huge_ = &s;
            ++huge_count_;
            return;
        }
    }
    release_pages(s.base() - page_size, s.size() + page_size);
}

void segment_pool::keep_huge(bool kept) noexcept {
    segment* surplus = nullptr;
    {
        const std::lock_guard hold(lock_);
        keeps_huge_ = kept;
        if (kept) return;
        std::size_t count = 0;
        for (segment** at = &huge_; *at != nullptr;) {
            segment* const s = *at;
            if (s->size() <= huge_kept_size && count++ < huge_kept) {
                at = &s->link;
                continue;
            }
            *at = s->link;
            --huge_count_;
            s->link = surplus;
            surplus = s;
        }
    }
    while (segment* const s = surplus) {
        surplus = s->link;
        release_pages(s->base() - page_size, s->size() + page_size);
    }
}

// Gives the mappings of all huge ones from `at` on back; returns how many bytes.
std::size_t segment_pool::drop_huge(segment** at) noexcept {
    std::size_t dropped = 0;
    while (segment* const s = *at) {
        *at = s->link;
        --huge_count_;
        dropped += s->size();
        release_pages(s->base() - page_size, s->size() + page_size);
    }
    return dropped;
}

// The pages of a slab on which everything has lain free for a round. While they are given back, without the lock, what is on
// them is nobody's: not free, and not out.
std::size_t segment_pool::cool_slab(std::uint32_t number) noexcept {
    std::uint32_t idle_pages = 0;
    std::uint64_t on_them = 0;
    {
        const std::lock_guard hold(lock_);
        slab& s = at(number);
        if (s.size_class == no_class) return 0;
        const std::size_t size = size_of_class(s.size_class);
        const std::size_t per_page = std::max<std::size_t>(page_size / size, 1);
        const std::size_t pages_each = std::max<std::size_t>(size / page_size, 1);
        const std::uint64_t all = ~std::uint64_t{0} >> (64 - per_page);
        for (std::size_t page = 0; page != pages_per_slab; page += pages_each) {
            const std::uint64_t bits = all << (page / pages_each * per_page);
            const std::uint32_t touched = ((1u << pages_each) - 1) << page;
            if ((s.free & s.quiet & bits) != bits || (s.pages & touched) == 0) continue;
            idle_pages |= touched;
            on_them |= bits;
        }
        s.quiet = s.free;
        if (idle_pages == 0) return 0;
        s.free &= ~on_them;
        if (s.free == 0) unlink_slab(number);
    }
    for (std::uint32_t left = idle_pages; left != 0;) {
        const int first = std::countr_zero(left);
        const int run = std::countr_one(left >> first);
        discard_pages(base_of(number) + static_cast<std::size_t>(first) * page_size,
                      static_cast<std::size_t>(run) * page_size);
        left &= ~(((1u << run) - 1) << first);
    }

    const std::lock_guard hold(lock_);
    slab& s = at(number);
    s.pages = static_cast<std::uint16_t>(s.pages & ~idle_pages);
    s.free |= on_them;
    if (!s.listed) link_slab(number);
    const std::size_t count = slab_size / size_of_class(s.size_class);
    if (s.free == ~std::uint64_t{0} >> (64 - count) && s.pages == 0) {
        unlink_slab(number);
        s.size_class = no_class;
        s.next = empty_;
        empty_ = number;
    }
    return static_cast<std::size_t>(std::popcount(idle_pages)) * page_size;
}

std::size_t segment_pool::cool_slabs() noexcept {
    std::uint32_t end = 1;
    {
        const std::lock_guard hold(lock_);
        if (const std::size_t n = region_count_.load(std::memory_order_relaxed); n != 0) {
            end += static_cast<std::uint32_t>((n - 1) * slabs_per_region_) + regions_[n - 1].fresh;
        }
    }
    std::size_t cooled = 0;
    for (std::size_t looked = 0; looked != slabs_at_once; ++looked) {
        if (cool_next_ >= end) {
            cool_next_ = 1;
            break;
        }
        cooled += cool_slab(cool_next_++);
    }
    return cooled;
}

// The large ones that nobody wanted: all but the page of the header. A few at a time, for the lock is held meanwhile.
std::size_t segment_pool::cool_large() noexcept {
    std::size_t cooled = 0;
    std::size_t left = larges_at_once;
    const std::lock_guard hold(lock_);
    std::size_t wanted = large_count_ - large_least_;  // Those on top, that somebody used.
    large_least_ = large_count_;
    for (segment* s = large_; s != nullptr && left != 0; s = s->link) {
        if (wanted != 0) {
            --wanted;
            continue;
        }
        if (s->flags != 0) continue;  // Cooled before.
        discard_pages(s->base(), slab_size - page_size);
        s->flags = 1;
        cooled += slab_size - page_size;
        --left;
    }
    return cooled;
}

// Of the huge ones those behind the last used; it goes with the next round if nobody has used it.
std::size_t segment_pool::cool_huge() noexcept {
    const std::lock_guard hold(lock_);
    if (keeps_huge_) return 0;
    segment** kept = &huge_;
    if (huge_ != nullptr && huge_->flags == 0) {
        huge_->flags = 1;
        kept = &huge_->link;
    }
    return drop_huge(kept);
}

std::size_t segment_pool::cool() noexcept { return cool_slabs() + cool_huge() + cool_large(); }

bool segment_pool::stays_mapped(const void* address) const noexcept {
    const auto* const p = static_cast<const std::byte*>(address);
    for (std::size_t r = region_count_.load(std::memory_order_acquire); r-- != 0;) {
        const std::byte* const base = regions_[r].base;
        if (p >= base && p < base + slabs_per_region_ * slab_size) return true;
    }
    return false;
}

void segment_pool::release() noexcept {
    for (std::size_t r = region_count_.exchange(0); r-- != 0;) {
        release_pages(regions_[r].base, slabs_per_region_ * slab_size);
        release_pages(regions_[r].slabs, slabs_per_region_ * sizeof(slab));
    }
    partial_ = {};
    empty_ = 0;
    cool_next_ = 1;
    drop_huge(&huge_);
    while (chunks_ != nullptr) {
        const large_chunk chunk = *chunks_;
        release_pages(chunk.base, chunk_size);
        chunks_ = chunk.next;
    }
    large_ = nullptr;
    large_count_ = large_least_ = 0;
    out_.store(0, std::memory_order_relaxed);
}

}  // namespace weft::detail
