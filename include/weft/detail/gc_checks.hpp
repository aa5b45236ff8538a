// Containers that hide a gc::ptr in malloc memory do not compile, as far as their types show it.
//
// A std::vector<gc::ptr<T>> keeps its elements in malloc memory: the objects would be freed while they are in use. So
// the standard containers and owners of types that show a gc::ptr have specialisations here that say what to write
// instead. A struct of the program's own that has a gc::ptr inside does not show it; for these there is the rule in
// the guide.
#pragma once

#include <weft/detail/gc_carrier.hpp>
#include <weft/detail/gc_pointer_free.hpp>  // Every header of the standard library that is named below.
#include <weft/version.hpp>

#include <functional>
#include <future>
#include <memory>
#include <memory_resource>

namespace weft::gc {
template <class T>
class ptr;
template <class T>
class atomic_ptr;
template <class Signature>
class function;
template <class T>
class allocator;
}  // namespace weft::gc

namespace weft::detail {

/// Whether it can be seen from the name of the type that it has a gc::ptr inside. T may be incomplete.
template <class T>
inline constexpr bool gc_shows_ptr = false;
template <class T>
inline constexpr bool gc_shows_ptr<const T> = gc_shows_ptr<T>;
template <class T>
inline constexpr bool gc_shows_ptr<gc::ptr<T>> = true;
template <class T>
inline constexpr bool gc_shows_ptr<gc::atomic_ptr<T>> = true;
template <class S>
inline constexpr bool gc_shows_ptr<gc::function<S>> = true;
// The containers of the heap point to their buffers and nodes.
template <class T>
inline constexpr bool gc_shows_ptr<std::vector<T, gc::allocator<T>>> = true;
template <class T>
inline constexpr bool gc_shows_ptr<std::deque<T, gc::allocator<T>>> = true;
template <class T>
inline constexpr bool gc_shows_ptr<std::list<T, gc::allocator<T>>> = true;
template <class K, class C>
inline constexpr bool gc_shows_ptr<std::set<K, C, gc::allocator<K>>> = true;
template <class K, class C>
inline constexpr bool gc_shows_ptr<std::multiset<K, C, gc::allocator<K>>> = true;
template <class K, class V, class C>
inline constexpr bool gc_shows_ptr<std::map<K, V, C, gc::allocator<std::pair<const K, V>>>> = true;
template <class K, class V, class C>
inline constexpr bool gc_shows_ptr<std::multimap<K, V, C, gc::allocator<std::pair<const K, V>>>> =
    true;
template <class K, class H, class E>
inline constexpr bool gc_shows_ptr<std::unordered_set<K, H, E, gc::allocator<K>>> = true;
template <class K, class V, class H, class E>
inline constexpr bool
    gc_shows_ptr<std::unordered_map<K, V, H, E, gc::allocator<std::pair<const K, V>>>> = true;
template <class C, class Traits>
inline constexpr bool gc_shows_ptr<std::basic_string<C, Traits, gc::allocator<C>>> = true;
template <class T, std::size_t N>
inline constexpr bool gc_shows_ptr<T[N]> = gc_shows_ptr<T>;
template <class T>
inline constexpr bool gc_shows_ptr<T[]> = gc_shows_ptr<T>;
template <class T, std::size_t N>
inline constexpr bool gc_shows_ptr<std::array<T, N>> = gc_shows_ptr<T>;
template <class T>
inline constexpr bool gc_shows_ptr<std::optional<T>> = gc_shows_ptr<T>;
template <class A, class B>
inline constexpr bool gc_shows_ptr<std::pair<A, B>> = gc_shows_ptr<A> || gc_shows_ptr<B>;
template <class... Ts>
inline constexpr bool gc_shows_ptr<std::tuple<Ts...>> = (gc_shows_ptr<Ts> || ...);
template <class... Ts>
inline constexpr bool gc_shows_ptr<std::variant<Ts...>> = (gc_shows_ptr<Ts> || ...);

template <class... Ts>
concept gc_hides_ptr = (gc_shows_ptr<Ts> || ...);

template <class T>
requires gc_shows_ptr<T>
inline constexpr bool gc_hidden_by_malloc<T> = true;

/// For static_asserts that fail when they are instantiated.
template <class...>
inline constexpr bool gc_never = false;

}  // namespace weft::detail

// NOLINTBEGIN(cert-dcl58-cpp): the types are the program's, as far as the standard library is concerned.
#define WEFT_GC_REFUSE(what, instead)                                                              \
    static_assert(                                                                                 \
        weft::detail::gc_never<T>,                                                                 \
        what " keeps gc::ptr in malloc memory, which the collector does not scan: use " instead)

template <class T>
requires weft::detail::gc_hides_ptr<T>
class std::vector<T, std::allocator<T>> {
    WEFT_GC_REFUSE("weft: std::vector with its default allocator", "weft::gc::vector");
};
template <class T>
requires weft::detail::gc_hides_ptr<T>
class std::deque<T, std::allocator<T>> {
    WEFT_GC_REFUSE("weft: std::deque with its default allocator", "weft::gc::deque");
};
template <class T>
requires weft::detail::gc_hides_ptr<T>
class std::list<T, std::allocator<T>> {
    WEFT_GC_REFUSE("weft: std::list with its default allocator", "weft::gc::list");
};
template <class T>
requires weft::detail::gc_hides_ptr<T>
class std::forward_list<T, std::allocator<T>> {
    WEFT_GC_REFUSE("weft: std::forward_list with its default allocator", "weft::gc::list");
};
template <class T, class C>
requires weft::detail::gc_hides_ptr<T>
class std::set<T, C, std::allocator<T>> {
    WEFT_GC_REFUSE("weft: std::set with its default allocator", "weft::gc::set");
};
template <class T, class C>
requires weft::detail::gc_hides_ptr<T>
class std::multiset<T, C, std::allocator<T>> {
    WEFT_GC_REFUSE("weft: std::multiset with its default allocator", "weft::gc::multiset");
};
template <class K, class T, class C>
requires weft::detail::gc_hides_ptr<K, T>
class std::map<K, T, C, std::allocator<std::pair<const K, T>>> {
    WEFT_GC_REFUSE("weft: std::map with its default allocator", "weft::gc::map");
};
template <class K, class T, class C>
requires weft::detail::gc_hides_ptr<K, T>
class std::multimap<K, T, C, std::allocator<std::pair<const K, T>>> {
    WEFT_GC_REFUSE("weft: std::multimap with its default allocator", "weft::gc::multimap");
};
template <class T, class H, class E>
requires weft::detail::gc_hides_ptr<T>
class std::unordered_set<T, H, E, std::allocator<T>> {
    WEFT_GC_REFUSE("weft: std::unordered_set with its default allocator",
                   "weft::gc::unordered_set");
};
template <class T, class H, class E>
requires weft::detail::gc_hides_ptr<T>
class std::unordered_multiset<T, H, E, std::allocator<T>> {
    WEFT_GC_REFUSE("weft: std::unordered_multiset with its default allocator",
                   "weft::gc::unordered_map of counts or weft::gc::multiset");
};
template <class K, class T, class H, class E>
requires weft::detail::gc_hides_ptr<K, T>
class std::unordered_map<K, T, H, E, std::allocator<std::pair<const K, T>>> {
    WEFT_GC_REFUSE("weft: std::unordered_map with its default allocator",
                   "weft::gc::unordered_map");
};
template <class K, class T, class H, class E>
requires weft::detail::gc_hides_ptr<K, T>
class std::unordered_multimap<K, T, H, E, std::allocator<std::pair<const K, T>>> {
    WEFT_GC_REFUSE("weft: std::unordered_multimap with its default allocator",
                   "weft::gc::unordered_map of vectors or weft::gc::multimap");
};
template <class T>
requires weft::detail::gc_hides_ptr<T>
class std::vector<T, std::pmr::polymorphic_allocator<T>> {
    WEFT_GC_REFUSE("weft: std::pmr::vector", "weft::gc::vector");
};
template <class T>
requires weft::detail::gc_hides_ptr<T>
class std::shared_ptr<T> {
    WEFT_GC_REFUSE("weft: std::shared_ptr", "the gc::ptr itself, or a gc::root");
};
template <class T>
requires weft::detail::gc_hides_ptr<T>
class std::unique_ptr<T, std::default_delete<T>> {
    WEFT_GC_REFUSE("weft: std::unique_ptr", "the gc::ptr itself, or a gc::root");
};
template <class T>
requires weft::detail::gc_hides_ptr<T>
class std::future<T> {
    WEFT_GC_REFUSE("weft: std::future", "a future of gc::root, or weft::spawn and join");
};
template <class T>
requires weft::detail::gc_hides_ptr<T>
class std::promise<T> {
    WEFT_GC_REFUSE("weft: std::promise", "a promise of gc::root, or weft::spawn and join");
};

#undef WEFT_GC_REFUSE
// NOLINTEND(cert-dcl58-cpp)
