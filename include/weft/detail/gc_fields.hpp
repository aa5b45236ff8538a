// weft::gc::fields: a type says which of its members may point into the heap.
#pragma once

#include <weft/detail/gc_pointer_free.hpp>
#include <weft/version.hpp>

#include <cstddef>
#include <type_traits>

namespace weft::detail {

template <class Member>
struct gc_member;
template <class Class, class Value>
struct gc_member<Value Class::*> {
    using owner = Class;
    using value = Value;
};

}  // namespace weft::detail

namespace weft::gc {

/// The type of gc::fields<...>: a list of members.
template <auto... Members>
struct fields_t {
    static_assert((std::is_member_object_pointer_v<decltype(Members)> && ...),
                  "weft::gc::fields<...> is a list of pointers to data members: "
                  "gc::fields<&node::left, &node::right>");
    static constexpr std::size_t size = sizeof...(Members);
};

/// The members of a type that may point into the collected heap. Optional; stands behind the members:
///
///     struct node {
///         gc::ptr<node> left, right;
///         long key;
///         static constexpr auto gc_fields = gc::fields<&node::left, &node::right>;
///     };
///
/// An empty list promises that there are none, and then the object is not scanned, which the collector believes.
/// Otherwise it looks at every word of the object today, so a list that is not complete does no harm.
template <auto... Members>
inline constexpr fields_t<Members...> fields{};

}  // namespace weft::gc

namespace weft::detail {

template <class T>
concept gc_has_fields = requires {
    T::gc_fields.size;
};

template <class T>
struct gc_fields_of : std::false_type {};
template <auto... Members>
struct gc_fields_of<gc::fields_t<Members...>> : std::true_type {
    template <class T>
    static constexpr bool
        are_of = (std::is_base_of_v<typename gc_member<decltype(Members)>::owner, T> && ...);
};

/// Checks what a type says of itself; true if it says that no member points into the heap.
template <class T>
[[nodiscard]] constexpr bool gc_says_pointer_free() noexcept {
    if constexpr (std::is_class_v<T> && gc_has_fields<T>) {
        using list = gc_fields_of<std::remove_cv_t<decltype(T::gc_fields)>>;
        static_assert(list::value, "weft: gc_fields must be made by weft::gc::fields<...>");
        static_assert(list::template are_of<T>,
                      "weft: gc_fields names a member of another class; a derived class must list "
                      "the members of its bases and its own");
        return T::gc_fields.size == 0;
    } else {
        return false;
    }
}

}  // namespace weft::detail
