#include "gc/heap/local_heap.hpp"

#include "base/assert.hpp"
#include "base/tsan.hpp"
#include "gc/heap/central.hpp"
#include "gc/heap/page_heap.hpp"
#include "gc/heap/span.hpp"
#include "gc/heap/sweep.hpp"
#include "os/memory.hpp"

#include <weft/detail/spin_lock.hpp>

#include <mutex>
#include <new>

namespace weft::detail {
namespace {

constexpr std::size_t slab_size = std::size_t{64} * 1024;

struct alignas(cache_line) slab {
    slab* next;
};
constexpr std::size_t heaps_per_slab = (slab_size - sizeof(slab)) / sizeof(local_heap);
static_assert(heaps_per_slab > 8);

// All under the lock.
struct heap_store {
    spin_lock lock;
    slab* slabs = nullptr;
    std::size_t made_in_first = 0;
    local_heap* free = nullptr;
    std::atomic<local_heap*> all{nullptr};
};
constinit heap_store store;

local_heap* take_heap() noexcept {
    if (local_heap* const heap = store.free; heap != nullptr) {
        store.free = heap->next_free;
        return heap;
    }
    if (store.slabs == nullptr || store.made_in_first == heaps_per_slab) {
        void* const memory = reserve_pages(slab_size, page_size, "local-heaps");
        if (memory == nullptr) return nullptr;
        store.slabs = ::new (memory) slab{store.slabs};
        store.made_in_first = 0;
    }
    auto* const first = reinterpret_cast<std::byte*>(store.slabs + 1);
    void* const place = first + store.made_in_first++ * sizeof(local_heap);
    const unrecorded unseen;  // Coroutines find it through the thread that they run on.
    auto* const heap = ::new (place) local_heap;
    heap->next = store.all.load(std::memory_order_relaxed);
    store.all.store(heap, std::memory_order_release);
    return heap;
}

// The slots that the heap's run has left.
struct slot_range {
    unsigned begin;
    unsigned end;
};

unsigned slot_at(const std::byte* address, page_number page, const layout_info& info) noexcept {
    const auto offset = static_cast<std::uint64_t>(address - arena.address_of(page));
    return static_cast<unsigned>((offset * info.reciprocal) >> 32);
}

slot_range rest_of_run(const local_heap& heap, unsigned layout) noexcept {
    const gc_run& run = heap.runs[layout];
    const std::byte* const cursor = run.cursor.load(std::memory_order_relaxed);
    const std::byte* const end = run.end.load(std::memory_order_relaxed);
    if (cursor == end) return {0, 0};
    const page_number page = heap.current[layout].page;
    const layout_info& info = info_of(layout);
    WEFT_ASSERT(page != no_page);
    return {slot_at(cursor, page, info), slot_at(end, page, info)};
}

}  // namespace

local_heap* make_local_heap() noexcept {
    const std::lock_guard hold(store.lock);
    local_heap* const heap = take_heap();
    if (heap == nullptr) return nullptr;
    heap->black = false;
    heap->epoch = present_epoch();
    heap->in_use = true;
    return heap;
}

void give_local_heap(local_heap& heap) noexcept {
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        local_heap::current_span& current = heap.current[layout];
        const page_number page = current.page;
        if (page == no_page) continue;
        const layout_info& info = info_of(layout);
        slot_words* const words = arena.slots_of(page, info.size_index);
        const slot_range rest = rest_of_run(heap, layout);
        bool room = false;
        for (unsigned w = 0; w != info.words; ++w) {
            std::uint64_t in_use = words[w].in_use.load(std::memory_order_relaxed);
            if (rest.begin < w * 64 + 64 && rest.end > w * 64) {
                const std::uint64_t unused = bits_between(rest.begin, rest.end, w);
                in_use &= ~unused;
                words[w].in_use.store(in_use, std::memory_order_relaxed);
                words[w].fresh.store(words[w].fresh.load(std::memory_order_relaxed) & ~unused,
                                     std::memory_order_relaxed);
            }
            room |= (bits_between(0, info.slots, w) & ~in_use) != 0;
        }
        heap.runs[layout].cursor.store(nullptr, std::memory_order_relaxed);
        heap.runs[layout].end.store(nullptr, std::memory_order_relaxed);
        current.page = no_page;
        // The span is not the heap's any more: its epoch says whether it is due.
        if (room) add_to_central(layout, page, heap.epoch);
    }
    give_cached_pages(heap);
    const std::lock_guard hold(store.lock);
    heap.in_use = false;
    heap.next_free = store.free;
    store.free = &heap;
}

void begin_black(local_heap& heap) noexcept {
    heap.black = true;
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        const slot_range rest = rest_of_run(heap, layout);
        if (rest.begin == rest.end) continue;
        slot_words* const words =
            arena.slots_of(heap.current[layout].page, info_of(layout).size_index);
        for (unsigned w = rest.begin / 64; w * 64 < rest.end; ++w) {
            words[w].fresh.store(words[w].fresh.load(std::memory_order_relaxed) |
                                     bits_between(rest.begin, rest.end, w),
                                 std::memory_order_relaxed);
        }
    }
}

void end_cycle(local_heap& heap) noexcept {
    const std::uint8_t epoch = present_epoch();
    // A heap that was made after the epoch moved has white objects that nothing has marked: its
    // spans must not be swept now.
    if (heap.epoch == epoch) return;
    heap.black = false;
    heap.epoch = epoch;
    for (unsigned layout = 0; layout != gc_layouts; ++layout) {
        local_heap::current_span& current = heap.current[layout];
        const page_number page = current.page;
        if (page == no_page) continue;
        sweep_own_span(page, info_of(layout), epoch);
        current.needs_zero = arena.record_of(page).needs_zero.get();
        current.position = 0;  // What is free now may lie before the run, whose rest is in use.
    }
}

void lock_local_heaps() noexcept { store.lock.lock(); }
void unlock_local_heaps() noexcept { store.lock.unlock(); }

void release_local_heaps() noexcept {
    const std::lock_guard hold(store.lock);
    while (store.slabs != nullptr) {
        slab* const next = store.slabs->next;
        release_pages(store.slabs, slab_size);
        store.slabs = next;
    }
    store.made_in_first = 0;
    store.free = nullptr;
    store.all.store(nullptr, std::memory_order_relaxed);
}

void assert_all_adopted() noexcept {
    if constexpr (assertions) {
        const std::uint8_t epoch = present_epoch();
        for (const local_heap* heap = store.all.load(std::memory_order_acquire); heap != nullptr;
             heap = heap->next) {
            WEFT_ASSERT(!heap->in_use || (heap->epoch == epoch && !heap->black));
        }
    }
}

}  // namespace weft::detail
