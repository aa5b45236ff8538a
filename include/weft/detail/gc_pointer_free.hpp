// weft::gc::pointer_free<T>: whether no word of a T can be a pointer into the collected heap.
//
// The collector neither scans nor shades objects of types that are proven here: they have slots of their own kind. A
// type that is not proven is scanned word by word, which is always right and only costs time.
//
// Proven are arithmetic types, enumerations, pointers to functions and to members, arrays of proven types, the
// value types of the standard library over proven types, its strings and containers with the default allocator (their
// elements lie in malloc memory, which is not scanned anyway), and aggregates of all these.
#pragma once

#include <weft/version.hpp>

#include <array>
#include <atomic>
#include <bitset>
#include <chrono>
#include <complex>
#include <cstddef>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace weft::detail {

template <class T, class... Owners>
[[nodiscard]] constexpr bool gc_is_pointer_free() noexcept;

/// Among the owners it makes the question another one: whether each pointer in T has a barrier. gc::ptr and its kin
/// say so of themselves here.
struct gc_barriers_will_do {};
template <class T>
inline constexpr bool gc_has_barrier = false;

/// The types of the standard library that are known; `of<Owners...>` says whether this one is pointer-free.
template <class T>
struct gc_known : std::false_type {};

template <class... Ts>
struct gc_known_parts : std::true_type {
    template <class... Owners>
    static constexpr bool of = (gc_is_pointer_free<Ts, Owners...>() && ...);
};
template <class T, std::size_t N>
struct gc_known<std::array<T, N>> : gc_known_parts<T> {};
template <class A, class B>
struct gc_known<std::pair<A, B>> : gc_known_parts<A, B> {};
template <class... Ts>
struct gc_known<std::tuple<Ts...>> : gc_known_parts<Ts...> {};
template <class T>
struct gc_known<std::optional<T>> : gc_known_parts<T> {};
template <class... Ts>
struct gc_known<std::variant<Ts...>> : gc_known_parts<Ts...> {};
template <class T>
struct gc_known<std::complex<T>> : gc_known_parts<T> {};
template <class T>
struct gc_known<std::atomic<T>> : gc_known_parts<T> {};
template <std::size_t N>
struct gc_known<std::bitset<N>> : gc_known_parts<> {};
template <class Rep, class Period>
struct gc_known<std::chrono::duration<Rep, Period>> : gc_known_parts<Rep> {};
template <class Clock, class Duration>
struct gc_known<std::chrono::time_point<Clock, Duration>> : gc_known_parts<Duration> {};
template <class C, class Traits>
struct gc_known<std::basic_string<C, Traits, std::allocator<C>>> : gc_known_parts<C> {};
template <class T>
struct gc_known<std::vector<T, std::allocator<T>>> : gc_known_parts<T> {};
template <class T>
struct gc_known<std::deque<T, std::allocator<T>>> : gc_known_parts<T> {};
template <class T>
struct gc_known<std::list<T, std::allocator<T>>> : gc_known_parts<T> {};
template <class T>
struct gc_known<std::forward_list<T, std::allocator<T>>> : gc_known_parts<T> {};
template <class K, class C>
struct gc_known<std::set<K, C, std::allocator<K>>> : gc_known_parts<K, C> {};
template <class K, class C>
struct gc_known<std::multiset<K, C, std::allocator<K>>> : gc_known_parts<K, C> {};
template <class K, class V, class C>
struct gc_known<std::map<K, V, C, std::allocator<std::pair<const K, V>>>>
    : gc_known_parts<K, V, C> {};
template <class K, class V, class C>
struct gc_known<std::multimap<K, V, C, std::allocator<std::pair<const K, V>>>>
    : gc_known_parts<K, V, C> {};
template <class K, class H, class E>
struct gc_known<std::unordered_set<K, H, E, std::allocator<K>>> : gc_known_parts<K, H, E> {};
template <class K, class H, class E>
struct gc_known<std::unordered_multiset<K, H, E, std::allocator<K>>> : gc_known_parts<K, H, E> {};
template <class K, class V, class H, class E>
struct gc_known<std::unordered_map<K, V, H, E, std::allocator<std::pair<const K, V>>>>
    : gc_known_parts<K, V, H, E> {};
template <class K, class V, class H, class E>
struct gc_known<std::unordered_multimap<K, V, H, E, std::allocator<std::pair<const K, V>>>>
    : gc_known_parts<K, V, H, E> {};

// Aggregates. C++ does not tell what the members of a class are, but a structured binding gives their types to
// whoever knows how many there are; a wrong number does not compile. And it tells whether {a, b, c} initialises a
// class. So the members are counted with values that convert to every type:
//
//     closed<T> { T object; end_mark end; }        closed<T>{anything, anything, end}
//
// compiles if and only if two such values initialise T and nothing of it is left, because `end` initialises nothing
// but an end_mark. Inner arrays are flattened there (brace elision), so that the question is asked again with {} for
// an array as a whole. Where an answer is in doubt the type is not proven: members that a value of any type may
// initialise in two ways, unions (the first member would pass for all), bases, more than 16 members.

template <class Owner>
struct gc_anything {
    template <class U>
    requires(!std::is_same_v<U, Owner>) operator U() && noexcept;
};
template <class>
struct gc_any_union {
    template <class U>
    requires std::is_union_v<U>
    operator U() && noexcept;
};
template <class Owner>
struct gc_any_base {
    template <class U>
    requires(std::is_base_of_v<U, Owner> && !std::is_same_v<U, Owner>) operator U() && noexcept;
};
struct gc_end {};
struct gc_end_mark {
    explicit(false) gc_end_mark(gc_end) noexcept;
};
template <class T>
struct gc_closed {
    T object;
    gc_end_mark end;
};

// `anything` at each place of a list.
template <class T, std::size_t>
using gc_anything_at = gc_anything<T>;

template <class T, std::size_t... I>
[[nodiscard]] constexpr bool gc_begin_members(std::index_sequence<I...>) noexcept {
    return requires { T{gc_anything_at<T, I>()...}; };
}
template <class T, std::size_t... I>
[[nodiscard]] constexpr bool gc_are_members(std::index_sequence<I...>) noexcept {
    return requires { gc_closed<T>{gc_anything_at<T, I>()..., gc_end()}; };
}
template <class T, class Other, std::size_t... I, std::size_t... J>
[[nodiscard]] constexpr bool gc_are_members_with(std::index_sequence<I...>,
                                                 std::index_sequence<J...>) noexcept {
    return requires {
        gc_closed<T>{gc_anything_at<T, I>()..., Other(), gc_anything_at<T, J>()..., gc_end()};
    };
}
template <class T, std::size_t... I, std::size_t... J>
[[nodiscard]] constexpr bool gc_are_members_with_braces(std::index_sequence<I...>,
                                                        std::index_sequence<J...>) noexcept {
    return requires { T{gc_anything_at<T, I>()..., {}, gc_anything_at<T, J>()...}; }
    &&!requires { T{gc_anything_at<T, I>()..., {}, gc_anything_at<T, J>()..., gc_anything<T>()}; };
}

// How many values initialise T, with arrays flattened; 0: in doubt.
template <class T, std::size_t N = 1>
[[nodiscard]] constexpr std::size_t gc_flat_members() noexcept {
    if constexpr (gc_are_members<T>(std::make_index_sequence<N>())) {
        return N;
    } else if constexpr (N == 64 || !gc_begin_members<T>(std::make_index_sequence<N + 1>())) {
        return 0;
    } else {
        return gc_flat_members<T, N + 1>();
    }
}
template <class T, std::size_t Flat, std::size_t... I>
[[nodiscard]] constexpr bool gc_has_union(std::index_sequence<I...>) noexcept {
    return (gc_are_members_with<T, gc_any_union<T>>(std::make_index_sequence<I>(),
                                                    std::make_index_sequence<Flat - I - 1>()) ||
            ...);
}
// How many of the values the member takes that the one at `At` begins: the elements of an array, or one. 0: in doubt.
template <class T, std::size_t Flat, std::size_t At, std::size_t Length = 1>
[[nodiscard]] constexpr std::size_t gc_member_length() noexcept {
    if constexpr (At + Length > Flat) {
        return 0;
    } else if constexpr (gc_are_members_with_braces<T>(
                             std::make_index_sequence<At>(),
                             std::make_index_sequence<Flat - At - Length>())) {
        return Length;
    } else {
        return gc_member_length<T, Flat, At, Length + 1>();
    }
}
// How many members T has; 0: in doubt.
template <class T, std::size_t Flat, std::size_t At = 0, std::size_t Count = 0>
[[nodiscard]] constexpr std::size_t gc_members() noexcept {
    if constexpr (At == Flat) {
        return Count;
    } else {
        constexpr std::size_t length = gc_member_length<T, Flat, At>();
        if constexpr (length == 0) {
            return 0;
        } else {
            return gc_members<T, Flat, At + length, Count + 1>();
        }
    }
}

template <class T>
struct gc_type_box {
    using type = T;
};
template <class... Ts>
struct gc_types {
    using last = typename decltype((gc_type_box<Ts>(), ...))::type;
    template <class... Owners>
    static constexpr bool are_pointer_free = (gc_is_pointer_free<Ts, Owners...>() && ...);
};

template <std::size_t N, class T>
auto gc_member_types(T& object) {
    if constexpr (N == 1) {
        auto& [m0] = object;
        return gc_types<decltype(m0)>();
    } else if constexpr (N == 2) {
        auto& [m0, m1] = object;
        return gc_types<decltype(m0), decltype(m1)>();
    } else if constexpr (N == 3) {
        auto& [m0, m1, m2] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2)>();
    } else if constexpr (N == 4) {
        auto& [m0, m1, m2, m3] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3)>();
    } else if constexpr (N == 5) {
        auto& [m0, m1, m2, m3, m4] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4)>();
    } else if constexpr (N == 6) {
        auto& [m0, m1, m2, m3, m4, m5] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5)>();
    } else if constexpr (N == 7) {
        auto& [m0, m1, m2, m3, m4, m5, m6] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6)>();
    } else if constexpr (N == 8) {
        auto& [m0, m1, m2, m3, m4, m5, m6, m7] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6), decltype(m7)>();
    } else if constexpr (N == 9) {
        auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6), decltype(m7), decltype(m8)>();
    } else if constexpr (N == 10) {
        auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6), decltype(m7), decltype(m8), decltype(m9)>();
    } else if constexpr (N == 11) {
        auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6), decltype(m7), decltype(m8), decltype(m9),
                        decltype(m10)>();
    } else if constexpr (N == 12) {
        auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6), decltype(m7), decltype(m8), decltype(m9),
                        decltype(m10), decltype(m11)>();
    } else if constexpr (N == 13) {
        auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6), decltype(m7), decltype(m8), decltype(m9),
                        decltype(m10), decltype(m11), decltype(m12)>();
    } else if constexpr (N == 14) {
        auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6), decltype(m7), decltype(m8), decltype(m9),
                        decltype(m10), decltype(m11), decltype(m12), decltype(m13)>();
    } else if constexpr (N == 15) {
        auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6), decltype(m7), decltype(m8), decltype(m9),
                        decltype(m10), decltype(m11), decltype(m12), decltype(m13),
                        decltype(m14)>();
    } else if constexpr (N == 16) {
        auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15] = object;
        return gc_types<decltype(m0), decltype(m1), decltype(m2), decltype(m3), decltype(m4),
                        decltype(m5), decltype(m6), decltype(m7), decltype(m8), decltype(m9),
                        decltype(m10), decltype(m11), decltype(m12), decltype(m13), decltype(m14),
                        decltype(m15)>();
    }
}

template <class T>
concept gc_binds_as_tuple = requires {
    sizeof(std::tuple_size<T>);
};

/// The types of the members of an aggregate; null where they are in doubt.
// The order of the questions matters, not that some answers are alike.
// NOLINTBEGIN(bugprone-branch-clone)
template <class T>
[[nodiscard]] constexpr auto gc_member_list() noexcept {
    constexpr std::size_t flat = gc_flat_members<T>();
    if constexpr (flat == 0 || gc_binds_as_tuple<T> || requires { T{gc_any_base<T>()}; }) {
        return nullptr;
    } else if constexpr (gc_has_union<T, flat>(std::make_index_sequence<flat>())) {
        return nullptr;
    } else {
        constexpr std::size_t count = gc_members<T, flat>();
        if constexpr (count == 0 || count > 16) {
            return nullptr;
        } else {
            return decltype(gc_member_types<count>(std::declval<T&>()))();
        }
    }
}

template <class T, class... Owners>
[[nodiscard]] constexpr bool gc_is_pointer_free_aggregate() noexcept {
    using list = decltype(gc_member_list<T>());
    if constexpr (std::is_null_pointer_v<list>) {
        return false;
    } else {
        return list::template are_pointer_free<Owners...>;
    }
}

template <class T>
inline constexpr bool gc_is_array = std::is_array_v<T>;
template <class T, std::size_t N>
inline constexpr bool gc_is_array<std::array<T, N>> = true;

/// Whether an object may end in an array: then a pointer past that one's end points past the object's, too.
template <class T>
[[nodiscard]] constexpr bool gc_may_end_in_array() noexcept {
    if constexpr (gc_is_array<T>) {
        return true;
    } else if constexpr (gc_known<T>::value || !std::is_aggregate_v<T> || std::is_union_v<T> ||
                         std::is_empty_v<T>) {
        return false;
    } else {
        using list = decltype(gc_member_list<T>());
        if constexpr (std::is_null_pointer_v<list>) {
            return true;
        } else {
            return gc_may_end_in_array<std::remove_cv_t<typename list::last>>();
        }
    }
}

}  // namespace weft::detail

namespace weft::gc {

/// Whether no word of a T can be a pointer into the collected heap: proven for the types above. Specialise it to
/// promise that for a type of your own, before its first use:
///
///     template <> inline constexpr bool weft::gc::pointer_free<my::decimal> = true;
///
/// The collector believes it. An object that only such a T points to is freed while it is in use.
template <class T>
inline constexpr bool pointer_free = weft::detail::gc_is_pointer_free<std::remove_cv_t<T>>();

}  // namespace weft::gc

namespace weft::detail {

/// `Owners` are the types that T is a part of and that are being looked at: a tree whose nodes hold a vector of nodes
/// is pointer-free unless something else in it is not.
template <class T, class... Owners>
constexpr bool gc_is_pointer_free() noexcept {
    if constexpr ((std::is_same_v<T, Owners> || ...)) {
        return true;
    } else if constexpr (gc_has_barrier<T> &&
                         (std::is_same_v<gc_barriers_will_do, Owners> || ...)) {
        return true;
    } else if constexpr (std::is_const_v<T> || std::is_volatile_v<T>) {
        return gc_is_pointer_free<std::remove_cv_t<T>, Owners...>();
    } else if constexpr (std::is_pointer_v<T>) {
        return std::is_function_v<std::remove_pointer_t<T>>;
    } else if constexpr (std::is_reference_v<T> || std::is_function_v<T>) {
        return false;
    } else if constexpr (std::is_scalar_v<T> || std::is_void_v<T>) {
        return true;
    } else if constexpr (std::is_array_v<T>) {
        return gc_is_pointer_free<std::remove_all_extents_t<T>, Owners...>();
    } else if constexpr (gc_known<T>::value) {
        return gc_known<T>::template of<Owners...>;
    } else if constexpr (std::is_union_v<T>) {
        return false;
    } else if constexpr (std::is_empty_v<T>) {
        return true;
    } else if constexpr (std::is_aggregate_v<T>) {
        return gc_is_pointer_free_aggregate<T, T, Owners...>();
    } else if constexpr (sizeof...(Owners) != 0) {
        return weft::gc::pointer_free<T>;  // Its author may have promised it.
    } else {
        return false;
    }
}
// NOLINTEND(bugprone-branch-clone)

}  // namespace weft::detail
