// weft::gc::ptr<T>: a pointer into the collected heap, for fields, elements, captures and locals.
#pragma once

#include <weft/detail/channel_value.hpp>
#include <weft/detail/gc_barrier.hpp>
#include <weft/detail/gc_pointer_free.hpp>
#include <weft/version.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iosfwd>
#include <memory>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>

namespace weft::detail {

// An array in the heap:   [ number of elements | T T T T ... | one byte ]
//
// The number lies in the word before the first element, so that a ptr<T[]> is one word. The last byte makes a pointer
// past the end one into the array.
inline constexpr std::size_t gc_array_header = sizeof(std::size_t);

[[gnu::always_inline]] [[nodiscard]] inline std::size_t
gc_array_size(const void* elements) noexcept {
    return elements == nullptr ? 0 : static_cast<const std::size_t*>(elements)[-1];
}

template <class From, class To>
concept gc_points_to = std::convertible_to<From*, To*>;

}  // namespace weft::detail

namespace weft::gc {
template <class T>
class ptr;
}  // namespace weft::gc

namespace weft::detail {
/// For make_array(): `first` has the number of elements before it.
template <class T>
[[nodiscard]] gc::ptr<T[]> gc_array_of(T* first) noexcept;
}  // namespace weft::detail

namespace weft::gc {

/// Points to an object in the collected heap, or into its middle or one past its end, or is null. It keeps the whole
/// object alive from wherever the collector looks: stacks, objects of the heap, channels, captures of coroutines,
/// roots. It does not in malloc memory (std::vector with its default allocator, std::function, exceptions, futures):
/// use a root there.
///
/// One word. A copy or an assignment is the store, a load and a branch. Trivially destructible. A single ptr is not
/// to be written by one coroutine while another one uses it: see atomic_ptr.
///
/// Locals may as well be plain `T*`, which keep the object alive too and have no barrier. What changes in the heap,
/// and what another coroutine or thread writes, must be a ptr.
template <class T>
class ptr {
public:
    using element_type = T;
    using pointer = T*;

    constexpr ptr() noexcept = default;
    constexpr ptr(std::nullptr_t) noexcept {}
    /// Takes a plain pointer into the heap, such as `this`.
    [[gnu::always_inline]] explicit ptr(T* object) noexcept { set(object); }
    [[gnu::always_inline]] ptr(const ptr& other) noexcept { set(other.get()); }
    /// Leaves `other` null.
    [[gnu::always_inline]] ptr(ptr&& other) noexcept { set(other.release()); }
    template <class U>
    requires weft::detail::gc_points_to<U, T>
    [[gnu::always_inline]] ptr(const ptr<U>& other) noexcept { set(other.get()); }
    /// Points to `inside`, which is a part of `owner`'s object: a member, an element, a base.
    template <class U>
    [[gnu::always_inline]] ptr([[maybe_unused]] const ptr<U>& owner, T* inside) noexcept {
        set(inside);
    }

    [[gnu::always_inline]] ptr& operator=(const ptr& other) noexcept {
        set(other.get());
        return *this;
    }
    [[gnu::always_inline]] ptr& operator=(ptr&& other) noexcept {
        set(other.release());
        return *this;
    }
    template <class U>
    requires weft::detail::gc_points_to<U, T>
    [[gnu::always_inline]] ptr& operator=(const ptr<U>& other) noexcept {
        set(other.get());
        return *this;
    }
    /// `object` is a plain pointer into the heap, as locals and parameters may be.
    template <class U>
    requires weft::detail::gc_points_to<U, T>
    [[gnu::always_inline]] ptr& operator=(U* object) noexcept {
        set(object);
        return *this;
    }
    [[gnu::always_inline]] ptr& operator=(std::nullptr_t) noexcept {
        clear();
        return *this;
    }

    [[gnu::always_inline]] [[nodiscard]] T* get() const noexcept {
        return weft::detail::gc_load(object_);
    }
    [[gnu::always_inline]] [[nodiscard]] T* operator->() const noexcept { return get(); }
    [[gnu::always_inline]] [[nodiscard]] std::add_lvalue_reference_t<T> operator*() const noexcept
        requires(!std::is_void_v<T>) {
        return *get();
    }
    /// Returns the object that lies `i` places behind this one, where both are elements of an array.
    template <std::integral I>
    requires(!std::is_void_v<T>) [[gnu::always_inline]] [[nodiscard]] std::add_lvalue_reference_t<T>
    operator[](I i) const noexcept {
        return get()[i];
    }
    [[gnu::always_inline]] [[nodiscard]] explicit operator bool() const noexcept {
        return get() != nullptr;
    }

    void reset() noexcept { clear(); }
    void swap(ptr& other) noexcept {
        T* const mine = get();
        set(other.get());
        other.set(mine);
    }
    friend void swap(ptr& a, ptr& b) noexcept { a.swap(b); }

    [[nodiscard]] friend bool operator==(const ptr& p, std::nullptr_t) noexcept {
        return p.get() == nullptr;
    }
    [[nodiscard]] friend std::strong_ordering operator<=>(const ptr& p, std::nullptr_t) noexcept {
        return std::compare_three_way()(p.get(), static_cast<T*>(nullptr));
    }

private:
    [[gnu::always_inline]] void set(T* object) noexcept { weft::detail::gc_store(object_, object); }
    // Null needs no barrier.
    [[gnu::always_inline]] void clear() noexcept {
        __atomic_store_n(&object_, static_cast<T*>(nullptr), __ATOMIC_RELAXED);
    }
    [[gnu::always_inline]] T* release() noexcept {
        T* const object = get();
        clear();
        return object;
    }

    T* object_ = nullptr;
};

template <class T, class U>
[[nodiscard]] bool operator==(const ptr<T>& a, const ptr<U>& b) noexcept {
    return a.get() == b.get();
}
template <class T, class U>
requires(!std::is_array_v<U> && std::is_object_v<U>) [[nodiscard]] bool operator==(const ptr<T>& a,
                                                                                   U* b) noexcept {
    return a.get() == b;
}
template <class T, class U>
[[nodiscard]] std::strong_ordering operator<=>(const ptr<T>& a, const ptr<U>& b) noexcept {
    return std::compare_three_way()(a.get(), b.get());
}

/// Points to an array in the collected heap, as make_array() makes them: to its first element. Knows how many there
/// are.
template <class T>
class ptr<T[]> {
public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;
    using pointer = T*;
    using iterator = T*;

    constexpr ptr() noexcept = default;
    constexpr ptr(std::nullptr_t) noexcept {}
    [[gnu::always_inline]] ptr(const ptr& other) noexcept { set(other.get()); }
    /// Leaves `other` null.
    [[gnu::always_inline]] ptr(ptr&& other) noexcept { set(other.release()); }
    /// From an array of T to one of const T.
    template <class U>
    requires std::convertible_to<U (*)[], T (*)[]>
    [[gnu::always_inline]] ptr(const ptr<U[]>& other) noexcept { set(other.get()); }

    [[gnu::always_inline]] ptr& operator=(const ptr& other) noexcept {
        set(other.get());
        return *this;
    }
    [[gnu::always_inline]] ptr& operator=(ptr&& other) noexcept {
        set(other.release());
        return *this;
    }
    [[gnu::always_inline]] ptr& operator=(std::nullptr_t) noexcept {
        clear();
        return *this;
    }

    [[gnu::always_inline]] [[nodiscard]] T* get() const noexcept {
        return weft::detail::gc_load(first_);
    }
    [[nodiscard]] T* data() const noexcept { return get(); }
    /// 0 when null.
    [[gnu::always_inline]] [[nodiscard]] std::size_t size() const noexcept {
        return weft::detail::gc_array_size(get());
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] T* begin() const noexcept { return get(); }
    [[nodiscard]] T* end() const noexcept {
        T* const first = get();
        return first + weft::detail::gc_array_size(first);
    }
    [[nodiscard]] std::span<T> span() const noexcept {
        T* const first = get();
        return {first, weft::detail::gc_array_size(first)};
    }
    template <std::integral I>
    [[gnu::always_inline]] [[nodiscard]] T& operator[](I i) const noexcept {
        return get()[i];
    }
    [[nodiscard]] T& front() const noexcept { return *get(); }
    [[nodiscard]] T& back() const noexcept { return end()[-1]; }
    [[gnu::always_inline]] [[nodiscard]] explicit operator bool() const noexcept {
        return get() != nullptr;
    }

    void reset() noexcept { clear(); }
    void swap(ptr& other) noexcept {
        T* const mine = get();
        set(other.get());
        other.set(mine);
    }
    friend void swap(ptr& a, ptr& b) noexcept { a.swap(b); }

    [[nodiscard]] friend bool operator==(const ptr& p, std::nullptr_t) noexcept {
        return p.get() == nullptr;
    }
    [[nodiscard]] friend std::strong_ordering operator<=>(const ptr& p, std::nullptr_t) noexcept {
        return std::compare_three_way()(p.get(), static_cast<T*>(nullptr));
    }

private:
    template <class U>
    friend ptr<U[]> weft::detail::gc_array_of(U* first) noexcept;

    [[gnu::always_inline]] void set(T* first) noexcept { weft::detail::gc_store(first_, first); }
    [[gnu::always_inline]] void clear() noexcept {
        __atomic_store_n(&first_, static_cast<T*>(nullptr), __ATOMIC_RELAXED);
    }
    [[gnu::always_inline]] T* release() noexcept {
        T* const first = get();
        clear();
        return first;
    }

    T* first_ = nullptr;
};

}  // namespace weft::gc

namespace weft::detail {
template <class T>
[[nodiscard]] gc::ptr<T[]> gc_array_of(T* first) noexcept {
    gc::ptr<T[]> array;
    array.set(first);
    return array;
}
}  // namespace weft::detail

namespace weft::gc {

template <class T, class U>
[[nodiscard]] ptr<T> static_pointer_cast(const ptr<U>& p) noexcept {
    return ptr<T>(static_cast<T*>(p.get()));
}
/// Null when the object is not a T.
template <class T, class U>
[[nodiscard]] ptr<T> dynamic_pointer_cast(const ptr<U>& p) noexcept {
    return ptr<T>(dynamic_cast<T*>(p.get()));
}
template <class T, class U>
[[nodiscard]] ptr<T> const_pointer_cast(const ptr<U>& p) noexcept {
    return ptr<T>(const_cast<T*>(p.get()));
}
template <class T, class U>
[[nodiscard]] ptr<T> reinterpret_pointer_cast(const ptr<U>& p) noexcept {
    return ptr<T>(reinterpret_cast<T*>(p.get()));
}

template <class Char, class Traits, class T>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             const ptr<T>& p) {
    return out << static_cast<const void*>(p.get());
}

}  // namespace weft::gc

template <class T>
struct std::hash<weft::gc::ptr<T>> {
    std::size_t operator()(const weft::gc::ptr<T>& p) const noexcept {
        return std::hash<const void*>()(p.get());
    }
};

// Elements outlive a handle to their array for as long as anything points to them.
template <class T>
inline constexpr bool std::ranges::enable_borrowed_range<weft::gc::ptr<T[]>> = true;

namespace weft::detail {
/// It travels in the cells of channels, which shade what they carry.
template <class T>
inline constexpr bool bitwise_movable<gc::ptr<T>> = true;
template <class T>
inline constexpr bool gc_has_barrier<gc::ptr<T>> = true;
}  // namespace weft::detail

#include <weft/detail/gc_checks.hpp>
