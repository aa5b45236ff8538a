// weft::gc::make and make_array: objects in the collected heap.
#pragma once

#include <weft/detail/gc_barrier.hpp>
#include <weft/detail/gc_fields.hpp>
#include <weft/detail/gc_heap.hpp>
#include <weft/detail/gc_pointer_free.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/detail/gc_type.hpp>
#include <weft/version.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace weft::detail {

template <class T>
inline constexpr bool gc_scan_not = gc::pointer_free<T> || gc_says_pointer_free<T>();

/// How the collector treats an object of type T, or an array of them.
template <class T>
inline constexpr gc_kind gc_kind_of = !std::is_trivially_destructible_v<T> ? gc_kind::destructible
                                      : gc_scan_not<T>                     ? gc_kind::pointer_free
                                                                           : gc_kind::scanned;

/// Whether a value of type T may hold a pointer that no barrier has seen.
template <class T>
inline constexpr bool gc_may_hide =
    !gc_says_pointer_free<T>() && !gc_is_pointer_free<T, gc_barriers_will_do>();
/// The same for an argument, whose type need not be complete.
template <class T>
inline constexpr bool gc_argument_may_hide = false;
template <class T>
requires(sizeof(T) !=
         0) inline constexpr bool gc_argument_may_hide<T> = gc_may_hide<std::remove_cv_t<T>>;

/// How many bytes to ask for, so that an object of this size and alignment has its place.
[[nodiscard]] constexpr std::size_t gc_bytes_for(std::size_t size, std::size_t align,
                                                 gc_kind kind) noexcept {
    const std::size_t trailer = kind == gc_kind::destructible ? sizeof(gc_trailer) : 0;
    const std::size_t bytes = size + trailer;
    if (align <= gc_slot_align) return bytes;
    if (bytes <= gc_small_max) {
        const std::size_t slot = gc_room(bytes);
        if ((slot & (~slot + 1)) >= align) return bytes;  // Each slot is aligned as its size is.
    }
    return bytes + align;
}

/// The size of an object, and a byte more where a pointer past the end of something in it would not point into it otherwise.
template <class T>
inline constexpr std::size_t gc_size_of = sizeof(T) + (gc_may_end_in_array<T>() ? 1 : 0);

template <gc_kind Kind, std::size_t Bytes>
[[gnu::always_inline]] [[nodiscard]] inline void* gc_allocate_fixed() {
    if constexpr (Bytes <= gc_small_max) {
        return gc_allocate(gc_layout(Bytes, Kind), Bytes);
    } else {
        return gc_allocate_large(Bytes, Kind);
    }
}

[[gnu::always_inline]] [[nodiscard]] inline void* gc_allocate_bytes(std::size_t bytes,
                                                                    gc_kind kind) {
    return bytes <= gc_small_max ? gc_allocate(gc_layout(bytes, kind), bytes)
                                 : gc_allocate_large(bytes, kind);
}

template <class T, class... Args>
[[gnu::always_inline]] inline T* gc_construct(void* at, Args&&... args) {
    if constexpr (std::is_constructible_v<T, Args...>) {
        return ::new (at) T(std::forward<Args>(args)...);
    } else {
        return ::new (at)
            T{std::forward<Args>(args)...};  // An aggregate, where T(...) does not do.
    }
}

template <class T>
inline void gc_shade_argument(const T* argument) noexcept {
    if constexpr (gc_argument_may_hide<T>) gc_shade_words(argument, sizeof(T));
}

/// Constructs an object in memory of the heap. Plain pointers that it is given, and keeps, have no barrier of their
/// own: they are shaded for it, before and after. Before, because the constructor may wait, and a cycle may end
/// meanwhile: the object is black and not scanned again, so what only its argument points to would be lost.
template <class T, class... Args>
[[gnu::always_inline]] inline T* gc_construct_shaded(void* at, Args&&... args) {
    if constexpr ((gc_argument_may_hide<std::remove_reference_t<Args>> || ...)) {
        if (gc_is_marking()) [[unlikely]]
            (gc_shade_argument(std::addressof(args)), ...);
    }
    T* const object = gc_construct<T>(at, std::forward<Args>(args)...);
    if constexpr (gc_may_hide<T>) {
        if (gc_is_marking()) [[unlikely]]
            gc_shade_words(object, sizeof(T));
    }
    return object;
}

}  // namespace weft::detail

namespace weft::gc {

/// Makes a T in the collected heap, by T(args...) or T{args...}. Its destructor, if it is not trivial, runs once, on
/// a coroutine, some time after the object has become unreachable. If the constructor throws, no destructor runs and
/// the exception comes here.
///
/// To be called by a coroutine or an attached thread, and not inside blocking(): std::logic_error. A safepoint now
/// and then. Throws std::bad_alloc when there is no memory, also after a collection.
template <class T, class... Args>
requires(!std::is_array_v<T>)
    [[gnu::always_inline]] [[nodiscard]] inline ptr<T> make(Args&&... args) {
    static_assert(std::is_object_v<T>, "weft::gc::make<T>: T is an object type");
    using object = std::remove_cv_t<T>;
    constexpr weft::detail::gc_kind kind = weft::detail::gc_kind_of<object>;
    constexpr std::size_t bytes =
        weft::detail::gc_bytes_for(weft::detail::gc_size_of<object>, alignof(object), kind);
    void* const slot = weft::detail::gc_allocate_fixed<kind, bytes>();
    T* const made = weft::detail::gc_construct_shaded<object>(
        weft::detail::gc_align<alignof(object)>(slot), std::forward<Args>(args)...);
    if constexpr (kind == weft::detail::gc_kind::destructible) {
        weft::detail::gc_set_trailer(static_cast<std::byte*>(slot) + weft::detail::gc_room(bytes),
                                     weft::detail::gc_type_of<object>, 1);
    }
    // With the barrier, though the object is new. The result may be constructed in place, in an object that another
    // thread has allocated black, while this thread has not answered the second handshake and allocates white.
    return ptr<T>(made);
}

}  // namespace weft::gc

namespace weft::detail {

template <class T>
inline constexpr std::size_t gc_array_front = alignof(T) <= sizeof(std::size_t)
                                                  ? sizeof(std::size_t)
                                                  : alignof(T);

/// How many bytes an array of n has, its header and the byte at its end included. std::bad_array_new_length if that
/// is too much to be told.
template <class T>
[[nodiscard]] constexpr std::size_t gc_array_bytes(std::size_t n) {
    constexpr std::size_t trailer = sizeof(gc_trailer);
    constexpr std::size_t most = (SIZE_MAX / 4 - gc_array_front<T> - trailer) / sizeof(T);
    if (n > most) throw std::bad_array_new_length();
    return gc_array_front<T> + n * sizeof(T) + 1 +
           (gc_kind_of<T> == gc_kind::destructible ? trailer : 0);
}

template <class T>
inline constexpr bool gc_is_ptr = false;
template <class T>
inline constexpr bool gc_is_ptr<gc::ptr<T>> = true;

/// Types whose value-initialised objects are all zero, as memory of the heap comes.
template <class T>
inline constexpr bool gc_starts_zero = std::is_arithmetic_v<T> || std::is_enum_v<T> ||
                                       std::is_pointer_v<T> || gc_is_ptr<std::remove_cv_t<T>>;

template <class T>
void gc_construct_array(T* first, std::size_t n) {
    struct made {
        T* first;
        std::size_t count = 0;
        ~made() {
            while (count != 0) std::destroy_at(first + --count);
        }
    } done{first};
    for (; done.count != n; ++done.count) ::new (static_cast<void*>(first + done.count)) T();
    done.count = 0;
}

}  // namespace weft::detail

namespace weft::gc {

/// Makes an array of n value-initialised T in the collected heap. Their destructors run together, the last element's
/// first. A pointer to any element, or past the last, keeps the whole array. If a constructor throws, the elements
/// made so far are destroyed and the exception comes here. Throws as make() does; std::bad_alloc also where n is
/// impossible.
template <class T>
requires(!std::is_array_v<T>) [[nodiscard]] inline ptr<T[]> make_array(std::size_t n) {
    static_assert(std::is_object_v<T>, "weft::gc::make_array<T>: T is an object type");
    using element = std::remove_cv_t<T>;
    constexpr weft::detail::gc_kind kind = weft::detail::gc_kind_of<element>;
    const std::size_t bytes = weft::detail::gc_array_bytes<element>(n);
    void* const slot = weft::detail::gc_allocate_bytes(bytes, kind);
    auto* const first =
        reinterpret_cast<element*>(weft::detail::gc_align_elements<alignof(element)>(slot));
    reinterpret_cast<std::size_t*>(first)[-1] = n;
    if constexpr (!weft::detail::gc_starts_zero<element>) {
        weft::detail::gc_construct_array(first, n);
        if constexpr (weft::detail::gc_may_hide<element>) {
            if (weft::detail::gc_is_marking()) [[unlikely]]
                weft::detail::gc_shade_words(first, n * sizeof(element));
        }
    }
    if constexpr (kind == weft::detail::gc_kind::destructible) {
        weft::detail::gc_set_trailer(static_cast<std::byte*>(slot) + weft::detail::gc_room(bytes),
                                     weft::detail::gc_type_of<element[]>, n);
    }
    return weft::detail::gc_array_of<T>(first);
}

}  // namespace weft::gc
