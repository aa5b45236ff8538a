// The write barrier of weft/gc.hpp: what each store of a pointer does while a collection marks.
//
// Invariant (while marking): a scanned object, or one that was allocated black, points to a white object only if that
// one is in a buffer of shaded pointers, or on the stack or in the registers of the coroutine that stored it.
//   Kept by     gc_store(), which stores and then shades the new target. The order matters, because a signal that
//               answers the collector may come between any two instructions. If it comes before the check, the store is
//               done, and the marker, which traces after all answers, sees it. If it comes after the check, the check
//               has read the flag of before the answer, and the store came before that. If the check came first, a
//               signal between the two would leave a gap.
//   Relied on   by the marker, which scans a black object once and never returns to it.
//   Checked by  tests/gc/containers_test.cpp, where a model of the marker comes by between any two stores, and fails
//               without the barrier; and by the torture of tests/gc.
#pragma once

#include <weft/detail/gc_heap.hpp>
#include <weft/detail/thread_block.hpp>
#include <weft/version.hpp>

#include <cstddef>
#include <cstdint>

namespace weft::detail {

[[gnu::always_inline]] [[nodiscard]] inline bool gc_is_marking() noexcept {
    return look(gc_marking) != 0;
}

/// The second half of a store: tells the collector of `value`, which has just been stored.
[[gnu::always_inline]] inline void gc_stored(const void* value) noexcept {
    // The compiler keeps the store before the check. The processor need not: see the invariant.
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (gc_is_marking()) [[unlikely]]
        gc_shade(value);
}

/// Stores a pointer into the heap, or null. No call unless a collection is marking.
template <class T>
[[gnu::always_inline]] inline void gc_store(T*& slot, T* value) noexcept {
    // Relaxed: the marker only needs the word whole. A program that publishes something by the pointer orders that
    // itself.
    __atomic_store_n(&slot, value, __ATOMIC_RELAXED);
    gc_stored(value);
}

template <class T>
[[gnu::always_inline]] [[nodiscard]] inline T* gc_load(T* const& slot) noexcept {
    return __atomic_load_n(&slot, __ATOMIC_RELAXED);  // Relaxed: as in gc_store().
}

/// Shades whatever the aligned words of an object may point to. For values whose pointers the type does not show: a
/// closure's captures, a struct with a `T* const`. Only while marking.
[[gnu::cold, gnu::noinline]] inline void gc_shade_words(const void* object,
                                                        std::size_t bytes) noexcept {
    constexpr std::uintptr_t word = sizeof(std::uintptr_t);
    const auto first = (reinterpret_cast<std::uintptr_t>(object) + word - 1) & ~(word - 1);
    const auto end = reinterpret_cast<std::uintptr_t>(object) + bytes;
    for (std::uintptr_t at = first; at + word <= end; at += word) {
        const void* value = nullptr;
        __builtin_memcpy(&value, reinterpret_cast<const void*>(at), sizeof value);
        gc_shade(value);
    }
}

}  // namespace weft::detail
