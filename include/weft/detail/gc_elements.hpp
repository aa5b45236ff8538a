// The common parts of the containers of weft/gc.hpp.
//
// Why they are weft's own. Inside an object of the heap a container must store each pointer with a barrier: to its
// buffer, to its nodes, and from node to node. The containers of the standard library store plain pointers there, or
// accept others only in part. So std::vector<T, weft::gc::allocator<T>> and its kin are specialised, with gc::ptr for
// every link, and gc::vector<T> is another name for it.
//
// The argument is then that of any structure of gc::ptr: whichever way a node is hung somewhere else, the store that
// does it shades the node, so the marker finds it however far it has come. Plain pointers occur in iterators, and as
// locals. An iterator keeps a node alive where it lies on a stack; where it lies in the heap it need not, because an
// iterator is valid only while its element is in the container, which then has the node.
//
//   - Elements are constructed, moved and destroyed as by the standard containers, and have their own barriers.
//     Elements that hold plain pointers (`struct { T* const to; }`) have none: while marking, what is put in place is
//     shaded word by word.
//   - Memory of elements that are gone is overwritten with zeroes, because the collector scans a buffer and a node as
//     wholes, and would keep what the erased ones pointed to.
//   - A container of trivially destructible elements is trivially destructible: an object of the heap with such a
//     member needs no destructor. Otherwise the destructor destroys the elements. Memory is the collector's affair in
//     both cases.
//   - Where a type is not complete yet (`struct json { gc::vector<json> items; }`) the container has a destructor,
//     which costs the object that holds it one.
#pragma once

#include <weft/detail/gc_allocator.hpp>
#include <weft/detail/gc_barrier.hpp>
#include <weft/detail/gc_make.hpp>
#include <weft/version.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace weft::detail {

// For each user a template of its own, because the answer may be another one later.
template <class T, class User, class = void>
inline constexpr bool gc_needs_destroying = true;
template <class T, class User>
inline constexpr bool gc_needs_destroying<T, User, std::void_t<decltype(sizeof(T))>> =
    !std::is_trivially_destructible_v<T>;

/// A container: what Core makes of it, and a destructor if its elements need one.
template <class Core, bool Destroys>
class gc_owner : public Core {
public:
    using Core::Core;
    gc_owner() = default;
    gc_owner(const gc_owner&) = default;
    gc_owner(gc_owner&&) = default;
    gc_owner& operator=(const gc_owner&) = default;
    gc_owner& operator=(gc_owner&&) = default;
    ~gc_owner() { this->destroy_elements(); }
};
template <class Core>
class gc_owner<Core, false> : public Core {
public:
    using Core::Core;
    gc_owner() = default;
};

template <class It>
concept gc_input_iterator = requires {
    typename std::iterator_traits<It>::iterator_category;
}
&&std::is_convertible_v<typename std::iterator_traits<It>::iterator_category,
                        std::input_iterator_tag>;
template <class It>
concept gc_forward_iterator = gc_input_iterator<It> &&
    std::is_convertible_v<typename std::iterator_traits<It>::iterator_category,
                          std::forward_iterator_tag>;

/// After elements were moved by assignment: plain pointers inside of them have changed places.
template <class T>
[[gnu::always_inline]] inline void gc_moved(T* first, std::size_t n) noexcept {
    if constexpr (gc_may_hide<T>) {
        if (gc_is_marking()) [[unlikely]]
            gc_shade_words(first, n * sizeof(T));
    }
}

/// Room for a node, zeroed. The container destroys what it constructs there.
template <class Node>
[[nodiscard]] inline void* gc_allocate_node() {
    constexpr std::size_t bytes = gc_bytes_for(sizeof(Node), alignof(Node), gc_kind::scanned);
    return gc_align<alignof(Node)>(gc_allocate_fixed<gc_kind::scanned, bytes>());
}

/// Overwrites a node whose value is destroyed: whoever still has its address keeps nothing else by it.
template <class Node>
[[gnu::always_inline]] inline void gc_wipe_node(Node* node) noexcept {
    __builtin_memset(static_cast<void*>(node), 0, sizeof(Node));
}

/// A value in a node, or none.
template <class T>
union gc_place {
    gc_place() noexcept {}
    ~gc_place() {}
    T value;
};

template <class T>
inline void gc_destroy_value(T& value) noexcept {
    if constexpr (!std::is_trivially_destructible_v<T>) std::destroy_at(std::addressof(value));
}

}  // namespace weft::detail
