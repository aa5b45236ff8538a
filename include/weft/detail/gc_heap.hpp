// What the templates of weft/gc.hpp see of the collected heap: its layouts, the allocation that is
// a few instructions, and the two names that the write barrier needs.
//
// A *layout* is a size class and a kind: how the collector scans a slot, and whether a destructor
// is due. Each layout has spans of its own, so an object has no header. A thread allocates from a
// *run*: free slots beside each other, all zeroed.
//
//     run      cursor                         end
//                v                             v
//       | used | free | free | free | free |   ...            one layout, slots of one size
//
// Allocating is: load the run, add the size of a slot, compare, store the cursor. A collection may
// interrupt the allocating thread between any two of these instructions, in a signal handler. It
// leaves runs as they are and only marks slots from the cursor on as new, so the interrupted
// allocation completes either way: see src/gc/heap/local_heap.hpp.
#pragma once

#include <weft/detail/thread_block.hpp>
#include <weft/version.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// How the collector treats an object.
enum class gc_kind : unsigned {
    scanned = 0,       // Each aligned word of it may be a pointer.
    pointer_free = 1,  // None of its words is.
    destructible = 2,  // As scanned, and its slot ends with a gc_trailer.
};
inline constexpr unsigned gc_kinds = 3;

/// How to destroy the objects of a type. The surface defines it.
struct gc_type;

/// The last 16 bytes of the slot of a destructible object. All zero until the constructor has
/// succeeded; the type is written last. A null type: no destructor is due.
struct gc_trailer {
    const gc_type* type;
    std::size_t count;
};

/// The sizes of slots. Larger objects have pages of their own: gc_allocate_large().
inline constexpr std::uint16_t gc_slot_sizes[] = {
    16,  32,  48,  64,  80,  96,   112,  128,  160,  192,  224,  256,  320,
    384, 448, 512, 640, 768, 1024, 1280, 1536, 2048, 2720, 4096, 5456, 8192};
inline constexpr unsigned gc_size_classes = 26;
inline constexpr unsigned gc_layouts = gc_size_classes * gc_kinds;
inline constexpr std::size_t gc_small_max = 8192;
static_assert(sizeof(gc_slot_sizes) / sizeof(gc_slot_sizes[0]) == gc_size_classes);

namespace gc_table {
/// The size class of a size, by its number of 16-byte units up to 1024, and of 256-byte units from
/// there.
struct size_classes {
    unsigned char of_units[1024 / 16 + 1] = {};
    unsigned char of_large_units[gc_small_max / 256 + 1] = {};

    constexpr size_classes() noexcept {
        unsigned fits = 0;
        for (unsigned units = 0; units <= 1024 / 16; ++units) {
            while (gc_slot_sizes[fits] < units * 16) ++fits;
            of_units[units] = static_cast<unsigned char>(fits);
        }
        fits = 0;
        for (unsigned units = 0; units <= gc_small_max / 256; ++units) {
            while (gc_slot_sizes[fits] < units * 256) ++fits;
            of_large_units[units] = static_cast<unsigned char>(fits);
        }
    }
};
inline constexpr size_classes classes{};
}  // namespace gc_table

/// The smallest size class whose slots hold `bytes`, which is at most gc_small_max.
[[nodiscard]] constexpr unsigned gc_size_class(std::size_t bytes) noexcept {
    if (bytes <= 1024) return gc_table::classes.of_units[(bytes + 15) / 16];
    unsigned fits = gc_table::classes.of_large_units[(bytes + 255) / 256];
    // The two classes that are no multiples of 256 lie between two that are.
    while (fits != 0 && gc_slot_sizes[fits - 1] >= bytes) --fits;
    return fits;
}
static_assert(gc_slot_sizes[gc_size_class(0)] == 16 && gc_slot_sizes[gc_size_class(17)] == 32);
static_assert(gc_slot_sizes[gc_size_class(2561)] == 2720 &&
              gc_slot_sizes[gc_size_class(2721)] == 4096);
static_assert(gc_slot_sizes[gc_size_class(5456)] == 5456 &&
              gc_slot_sizes[gc_size_class(5457)] == 8192);

[[nodiscard]] constexpr unsigned gc_layout(std::size_t bytes, gc_kind kind) noexcept {
    return gc_size_class(bytes) * gc_kinds + static_cast<unsigned>(kind);
}

[[nodiscard]] constexpr std::size_t gc_slot_size(unsigned layout) noexcept {
    return gc_slot_sizes[layout / gc_kinds];
}

/// Free slots of one layout, zeroed. The thread that has them in its heap writes both fields; a
/// collection that interrupts the thread, or acts for it while it does not run, reads them.
/// Relaxed.
struct gc_run {
    std::atomic<std::byte*> cursor{nullptr};
    std::atomic<std::byte*> end{nullptr};
};

/// What a thread allocates from: thread_block::heap points to one.
struct gc_local_head {
    gc_run runs[gc_layouts];
};

/// The heap of a thread that may not allocate, or has not yet: each run is empty, so allocation
/// takes the slow path.
extern gc_local_head gc_no_heap;

/// Takes a run from the calling processor's or attached thread's heap and returns the first slot;
/// may collect. Throws std::bad_alloc if memory ends also after a collection, std::logic_error
/// where the caller may not allocate.
[[nodiscard]] void* gc_allocate_slow(unsigned layout);

/// The same for more than gc_small_max bytes. The memory is zeroed.
[[nodiscard]] void* gc_allocate_large(std::size_t bytes, gc_kind kind);

#if defined(__SANITIZE_THREAD__)
#define WEFT_GC_TELLS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_GC_TELLS_TSAN 1
#endif
#endif

/// ThreadSanitizer does not see that a slot which is handed out again was unreachable in between.
/// It is told so of each.
#if defined(WEFT_GC_TELLS_TSAN)
void gc_tell_tsan(void* slot, std::size_t bytes) noexcept;
#else
[[gnu::always_inline]] inline void gc_tell_tsan(void*, std::size_t) noexcept {}
#endif

/// Returns a zeroed slot of the layout, which holds `bytes`. It has the alignment of the largest
/// power of two that divides gc_slot_size(layout). Throws as gc_allocate_slow() does.
///
/// There is no call on the fast path, in any build, because a prologue may preempt where the
/// program is built for split stacks, and the coroutine might go on with another thread's heap in
/// hand.
[[gnu::always_inline]] [[nodiscard]] inline void* gc_allocate(unsigned layout,
                                                              [[maybe_unused]] std::size_t bytes) {
    gc_run& run = look(this_thread_block()->heap)->runs[layout];
    std::byte* const slot = look(run.cursor);
    // As numbers, because the run of a thread without a heap begins at null.
    const std::uintptr_t next =
        reinterpret_cast<std::uintptr_t>(slot) + gc_slot_sizes[layout / gc_kinds];
    if (next > reinterpret_cast<std::uintptr_t>(look(run.end))) [[unlikely]] {
        void* const first = gc_allocate_slow(layout);
        gc_tell_tsan(first, gc_slot_sizes[layout / gc_kinds]);
        return first;
    }
    // Relaxed: this thread reads it, and what interrupts it or acts for it; nothing else is
    // published by it.
    auto* cursor = reinterpret_cast<std::byte*>(next);
    __atomic_store(reinterpret_cast<std::byte**>(&run.cursor), &cursor, __ATOMIC_RELAXED);
    gc_tell_tsan(slot, gc_slot_sizes[layout / gc_kinds]);
    return slot;
}

/// Not 0 from the first handshake of a collection to its last: each store of a pointer is followed
/// by gc_shade() then.
extern std::atomic<std::uint32_t> gc_marking;

/// Tells the collector of a pointer that was just stored. Any pointer, also null or one that is not
/// into the heap.
void gc_shade(const void* pointer) noexcept;

}  // namespace weft::detail
