// How the collector knows what to destroy: the type in the trailer of a destructible object.
//
//     slot    [ object ........ | room | type | count ]           trailer: the last 16 bytes
//
// The trailer is all zero until the constructor has succeeded. Then the count is written, and last the type. From the
// moment that the collector finds the object dead, the entry in the queue of destructors has the type, and the
// trailer is null again: see src/gc/life/destructors.hpp.
#pragma once

#include <weft/detail/gc_heap.hpp>
#include <weft/detail/stack_kind.hpp>
#include <weft/version.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace weft::detail {

struct gc_type {
    /// Destroys what lies in the slot, or in the pages of a large object, that begins at `slot`. An exception leaves
    /// it.
    void (*destroy)(void* slot, std::size_t count);
    /// For reports: a text in which the name of the type occurs.
    const char* name;
    /// It was compiled for split stacks.
    bool split_stack;
};

/// Every slot, and every large object, has at least this alignment; the size of a large one is rounded up to it.
inline constexpr std::size_t gc_slot_align = 16;

[[nodiscard]] constexpr std::size_t gc_round_up(std::size_t value, std::size_t unit) noexcept {
    return (value + unit - 1) & ~(unit - 1);
}

/// Where the memory ends that an allocation of so many bytes was given.
[[nodiscard]] constexpr std::size_t gc_room(std::size_t bytes) noexcept {
    return bytes <= gc_small_max ? gc_slot_sizes[gc_size_class(bytes)]
                                 : gc_round_up(bytes, gc_slot_align);
}

/// Where an object that was allocated with room for its alignment begins.
template <std::size_t Align>
[[gnu::always_inline]] [[nodiscard]] inline std::byte* gc_align(void* slot) noexcept {
    if constexpr (Align <= gc_slot_align) {
        return static_cast<std::byte*>(slot);
    } else {
        const auto address = reinterpret_cast<std::uintptr_t>(slot);
        return static_cast<std::byte*>(slot) + (gc_round_up(address, Align) - address);
    }
}

/// Where the elements of an array begin, after the word that has their number.
template <std::size_t Align>
[[gnu::always_inline]] [[nodiscard]] inline std::byte* gc_align_elements(void* slot) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(slot);
    constexpr std::size_t align = Align < sizeof(std::size_t) ? sizeof(std::size_t) : Align;
    return static_cast<std::byte*>(slot) +
           (gc_round_up(address + sizeof(std::size_t), align) - address);
}

template <class T>
[[nodiscard]] constexpr const char* gc_type_name() noexcept {
    return __PRETTY_FUNCTION__;
}

inline namespace WEFT_STACK_KIND {

template <class T>
void gc_destroy_object(void* slot, std::size_t) {
    std::destroy_at(reinterpret_cast<T*>(gc_align<alignof(T)>(slot)));
}

/// The last element first, as C++ does it.
template <class T>
void gc_destroy_array(void* slot, std::size_t count) {
    T* const first = reinterpret_cast<T*>(gc_align_elements<alignof(T)>(slot));
    while (count != 0) std::destroy_at(first + --count);
}

template <class T>
inline constexpr gc_type gc_type_of{&gc_destroy_object<T>, gc_type_name<T>(), stack_kind_is_split};
template <class T>
inline constexpr gc_type gc_type_of<T[]>{&gc_destroy_array<T>, gc_type_name<T[]>(),
                                         stack_kind_is_split};

}  // namespace WEFT_STACK_KIND

/// Says that a destructor is due. `end` is that of the slot.
[[gnu::always_inline]] inline void gc_set_trailer(std::byte* end, const gc_type& type,
                                                  std::size_t count) noexcept {
    auto* const trailer = reinterpret_cast<gc_trailer*>(end - sizeof(gc_trailer));
    __atomic_store_n(&trailer->count, count, __ATOMIC_RELAXED);
    // release: with the type come the count, and the object that was constructed.
    __atomic_store_n(&trailer->type, &type, __ATOMIC_RELEASE);
}

}  // namespace weft::detail
