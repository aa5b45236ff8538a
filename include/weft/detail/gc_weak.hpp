// weft::gc::weak<T>: a pointer that does not keep its object alive.
#pragma once

#include <weft/detail/channel_value.hpp>
#include <weft/detail/gc_pointer_free.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace weft::detail {

/// One for each object that has weak pointers; all of them share it. Lies outside the collected heap.
/// src/gc/life/weak.hpp.
struct weak_cell;

/// Where a weak pointer points: into the object of a cell. The offset is no address, so it keeps nothing alive.
struct weak_place {
    weak_cell* cell = nullptr;
    std::uintptr_t offset = 0;

    friend auto operator<=>(const weak_place&, const weak_place&) noexcept = default;
};

/// The place of `inside`, which is in use; a reference to its cell comes with it. Of null: none. Throws std::bad_alloc.
[[nodiscard]] weak_place gc_weaken(const void* inside);
void gc_share(weak_cell&) noexcept;
void gc_unshare(weak_cell&) noexcept;
/// The address that was given to gc_weaken(), or null once the object has been found unreachable.
[[nodiscard]] const void* gc_lock(const weak_place&) noexcept;
/// Returns true if the object has been found unreachable.
[[nodiscard]] bool gc_is_gone(const weak_cell&) noexcept;

}  // namespace weft::detail

namespace weft::gc {

/// A weak pointer. lock() gives a ptr to the object as long as it is there. It becomes null before the destructor of
/// the object starts, for all weak pointers at once. Comparisons and hashes stay what they were, also afterwards: a
/// weak pointer may be the key of a container.
///
/// May live anywhere, also in statics that are built before a runtime is up, and be copied and destroyed by any
/// thread. Making one of a ptr looks the object up and may throw std::bad_alloc. Two words, with a destructor that
/// counts references.
template <class T>
class weak {
public:
    using element_type = T;

    constexpr weak() noexcept = default;
    constexpr weak(std::nullptr_t) noexcept {}
    weak(const ptr<T>& object) : place_(weft::detail::gc_weaken(object.get())) {}
    /// Takes a root, or a pointer to a derived class.
    template <class P>
    requires(!std::same_as<P, weak> && !std::same_as<P, ptr<T>> &&
             std::convertible_to<const P&, ptr<T>>) weak(const P& object)
        : weak(static_cast<ptr<T>>(object)) {}
    weak(const weak& other) noexcept : place_(other.place_) { share(); }
    /// Leaves `other` empty.
    weak(weak&& other) noexcept : place_(std::exchange(other.place_, {})) {}

    weak& operator=(const weak& other) noexcept {
        weak(other).swap(*this);
        return *this;
    }
    weak& operator=(weak&& other) noexcept {
        weak taken(std::move(other));
        taken.swap(*this);
        return *this;
    }
    template <class P>
    requires(!std::same_as<P, weak> && std::convertible_to<const P&, ptr<T>>) weak&
    operator=(const P& object) {
        weak(static_cast<ptr<T>>(object)).swap(*this);
        return *this;
    }
    weak& operator=(std::nullptr_t) noexcept {
        reset();
        return *this;
    }
    ~weak() {
        if (place_.cell != nullptr) weft::detail::gc_unshare(*place_.cell);
    }

    /// The object, or null if it has been collected or there never was one. Never waits. To be called where a ptr is
    /// traced: by a coroutine or an attached thread.
    [[nodiscard]] ptr<T> lock() const noexcept {
        return ptr<T>(static_cast<T*>(const_cast<void*>(weft::detail::gc_lock(place_))));
    }
    /// Whether lock() would be null. False is out of date at once.
    [[nodiscard]] bool expired() const noexcept {
        return place_.cell == nullptr || weft::detail::gc_is_gone(*place_.cell);
    }

    void reset() noexcept { weak().swap(*this); }
    void swap(weak& other) noexcept { std::swap(place_, other.place_); }
    friend void swap(weak& a, weak& b) noexcept { a.swap(b); }

    /// Whether both were made of pointers to the same place in the same object.
    [[nodiscard]] friend bool operator==(const weak& a, const weak& b) noexcept {
        return a.place_ == b.place_;
    }
    [[nodiscard]] friend std::strong_ordering operator<=>(const weak& a, const weak& b) noexcept {
        return a.place_ <=> b.place_;
    }

private:
    friend std::hash<weak>;

    void share() const noexcept {
        if (place_.cell != nullptr) weft::detail::gc_share(*place_.cell);
    }

    weft::detail::weak_place place_;
};

/// It holds no address of the heap.
template <class T>
inline constexpr bool pointer_free<weak<T>> = true;

}  // namespace weft::gc

template <class T>
struct std::hash<weft::gc::weak<T>> {
    std::size_t operator()(const weft::gc::weak<T>& w) const noexcept {
        return std::hash<const void*>()(w.place_.cell) ^ (w.place_.offset * 0x9e3779b97f4a7c15u);
    }
};

namespace weft::detail {
template <class T>
inline constexpr bool bitwise_movable<gc::weak<T>> = true;
template <class T>
inline constexpr bool gc_traced<gc::weak<T>> = false;
}  // namespace weft::detail
