// What tests and benchmarks of the heap do in place of the runtime: allocate from a local heap of
// their own, and collect by hand.
#pragma once

#include "gc/heap/heap.hpp"
#include "gc/mark/marker.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace weft::test {

using detail::gc_kind;
using detail::local_heap;

/// A slot of the layout, as gc_allocate() would take it; null when memory ends.
inline void* allocate_slot(local_heap& heap, unsigned layout) noexcept {
    detail::gc_run& run = heap.runs[layout];
    std::byte* const slot = run.cursor.load(std::memory_order_relaxed);
    const std::uintptr_t next =
        reinterpret_cast<std::uintptr_t>(slot) + detail::gc_slot_size(layout);
    if (next > reinterpret_cast<std::uintptr_t>(run.end.load(std::memory_order_relaxed))) {
        return detail::refill(heap, layout);
    }
    run.cursor.store(reinterpret_cast<std::byte*>(next), std::memory_order_relaxed);
    return slot;
}

inline void* allocate(local_heap& heap, std::size_t bytes,
                      gc_kind kind = gc_kind::scanned) noexcept {
    if (bytes > detail::gc_small_max) return detail::allocate_large(heap, bytes, kind);
    return allocate_slot(heap, detail::gc_layout(bytes, kind));
}

inline std::uintptr_t word_of(const void* pointer) noexcept {
    return reinterpret_cast<std::uintptr_t>(pointer);
}

/// Whether the address is that of an object that has been allocated and not been swept since.
inline bool exists(const void* object) noexcept {
    detail::object_ref found;
    return detail::find_object(word_of(object), found) && detail::is_in_use(found);
}

/// Ends marking: everything up to start_sweep().
inline void end_marking(std::span<local_heap* const> heaps) noexcept {
    detail::advance_epoch();
    for (local_heap* const heap : heaps) detail::end_cycle(*heap);
    detail::start_sweep();
}

/// A collection while nothing else runs. Nothing is swept yet when it returns, but the heaps' own
/// current spans.
inline void collect(detail::marker& mark, std::span<local_heap* const> heaps,
                    std::span<void* const> roots) noexcept {
    detail::finish_sweep();
    for (local_heap* const heap : heaps) detail::begin_black(*heap);
    mark.begin();
    for (void* const root : roots) mark.grey(word_of(root));
    while (mark.drain(SIZE_MAX)) {}
    end_marking(heaps);
}

}  // namespace weft::test
