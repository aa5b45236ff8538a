// weft::gc::allocator<T>: memory of the collected heap for containers.
//
// Use by containers. The collector looks into the memory, so elements may hold gc::ptr. A container
// that keeps plain pointers to its memory in itself (as std::vector does with its buffer) stores them without a
// barrier. On a stack that is right, because stacks are scanned again; inside an object of the heap it is not. And a
// container that links nodes by plain pointers is right nowhere: it changes links inside nodes that the marker has
// scanned, and what it moves behind them is lost. (A rotation of a tree does: the marker has scanned A and not yet C;
// the tree hangs B, so far below C, below A.)
//
// So the standard containers over this allocator are weft's own, whose every link is a store with a barrier: see
// gc_containers.hpp. Node types of the standard library that come here all the same are refused.
#pragma once

#include <weft/detail/gc_checks.hpp>
#include <weft/detail/gc_make.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace weft::detail {

/// Whether it is a node of a container of the standard library, which links it without barriers.
template <class T>
inline constexpr bool gc_is_std_node = false;
#if defined(__GLIBCXX__)
template <class T>
inline constexpr bool gc_is_std_node<std::_List_node<T>> = true;
template <class T>
inline constexpr bool gc_is_std_node<std::_Fwd_list_node<T>> = true;
template <class T>
inline constexpr bool gc_is_std_node<std::_Rb_tree_node<T>> = true;
template <class T, bool Hash>
inline constexpr bool gc_is_std_node<std::__detail::_Hash_node<T, Hash>> = true;
#elif defined(_LIBCPP_VERSION)
template <class T, class P>
inline constexpr bool gc_is_std_node<std::__list_node<T, P>> = true;
template <class T, class P>
inline constexpr bool gc_is_std_node<std::__forward_list_node<T, P>> = true;
template <class T, class P>
inline constexpr bool gc_is_std_node<std::__tree_node<T, P>> = true;
template <class T, class P>
inline constexpr bool gc_is_std_node<std::__hash_node<T, P>> = true;
#endif

/// The kind of memory for elements of type T. Never destructible: the container destroys its elements.
template <class T>
inline constexpr gc_kind gc_buffer_kind = gc_scan_not<T> ? gc_kind::pointer_free : gc_kind::scanned;

/// Room for n elements of type T, zeroed, and a byte more, so that a pointer past the end points into it.
template <class T>
[[nodiscard]] inline T* gc_allocate_buffer(std::size_t n) {
    constexpr std::size_t pad = alignof(T) > gc_slot_align ? alignof(T) : 0;
    constexpr std::size_t most = (SIZE_MAX / 4 - pad) / sizeof(T);
    if (n > most) throw std::bad_array_new_length();
    void* const slot = gc_allocate_bytes(n * sizeof(T) + 1 + pad, gc_buffer_kind<T>);
    return reinterpret_cast<T*>(gc_align<alignof(T)>(slot));
}

/// How many elements the memory for n of them holds in truth.
template <class T>
[[nodiscard]] constexpr std::size_t gc_buffer_capacity(std::size_t n) noexcept {
    if constexpr (alignof(T) > gc_slot_align) {
        return n;
    } else {
        return (gc_room(n * sizeof(T) + 1) - 1) / sizeof(T);
    }
}

/// Overwrites what has been destroyed, so that the collector does not keep what it pointed to.
template <class T>
[[gnu::always_inline]] inline void gc_wipe(T* first, std::size_t n) noexcept {
    if constexpr (!gc_scan_not<T>) {
        if (n != 0) __builtin_memset(static_cast<void*>(first), 0, n * sizeof(T));
    }
}

template <class T>
inline void gc_destroy_and_wipe(T* first, std::size_t n) noexcept {
    if constexpr (!std::is_trivially_destructible_v<T>) std::destroy_n(first, n);
    gc_wipe(first, n);
}

}  // namespace weft::detail

namespace weft::gc {

/// Allocates from the collected heap; deallocate() does nothing, the collector finds out. All allocators are equal. To
/// be used where make() may be.
template <class T>
class allocator {
public:
    using value_type = T;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using is_always_equal = std::true_type;
    using propagate_on_container_move_assignment = std::true_type;

    constexpr allocator() noexcept = default;
    template <class U>
    constexpr allocator(const allocator<U>&) noexcept {}

    /// Zeroed. Throws as make() does; std::bad_alloc also where n is impossible.
    [[nodiscard]] T* allocate(std::size_t n) {
        static_assert(
            !weft::detail::gc_is_std_node<T>,
            "weft::gc::allocator: this container links its nodes without a write barrier, so "
            "the collector would lose some; use weft::gc::list, map, multimap, set, multiset, "
            "unordered_map or unordered_set");
        return weft::detail::gc_allocate_buffer<T>(n);
    }
    void deallocate(T*, std::size_t) noexcept {}

    template <class U>
    [[nodiscard]] friend constexpr bool operator==(const allocator&, const allocator<U>&) noexcept {
        return true;
    }
};

}  // namespace weft::gc
