// weft::gc::root<T>: keeps an object of the collected heap alive from where the collector does not look.
#pragma once

#include <weft/detail/gc_barrier.hpp>
#include <weft/detail/gc_pointer_free.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <atomic>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

namespace weft::detail {

/// A root as the collector sees it: a word on one of the lists in src/gc/life/roots.cpp.
//
// Not on any list until it first points to something, so that a root in static memory is constant-initialised, and a
// null one costs nothing. The links belong to the lock of the list. They are kept as complements, because a root may
// lie in an object of the collected heap, where the collector would take its neighbours for pointers and keep their
// objects.
struct gc_root_node {
    std::uintptr_t previous = 0;
    std::atomic<std::uintptr_t> next{0};
    std::atomic<const void*> object{nullptr};

    /// The owner of the root alone lists it and takes it off, but its neighbours write `next`, too, to other values
    /// than 0. Relaxed.
    [[nodiscard]] bool listed() const noexcept { return next.load(std::memory_order_relaxed) != 0; }
};

void gc_enlist(gc_root_node&) noexcept;
void gc_delist(gc_root_node&) noexcept;

/// The node with what a root does to it; not to be used by two threads at once.
class gc_root_word {
public:
    constexpr gc_root_word() noexcept = default;
    explicit gc_root_word(const void* object) noexcept { set(object); }
    gc_root_word(const gc_root_word&) = delete;
    gc_root_word& operator=(const gc_root_word&) = delete;
    ~gc_root_word() {
        if (node_.listed()) gc_delist(node_);
    }

    void set(const void* object) noexcept {
        node_.object.store(object, std::memory_order_relaxed);
        // Listed before the look at gc_marking: who finds that nobody marks is on the list before any walk, also on a
        // thread that answers no handshake.
        if (object != nullptr && !node_.listed()) gc_enlist(node_);
        gc_stored(object);
    }
    // Relaxed: as in gc_store().
    [[nodiscard]] const void* get() const noexcept {
        return node_.object.load(std::memory_order_relaxed);
    }

private:
    gc_root_node node_;
};

}  // namespace weft::detail

namespace weft::gc {

/// A pointer that keeps its object alive wherever it lies: in globals, malloc memory, exceptions, futures, on threads
/// that are not attached. Objects that roots hold outlive a stop of the runtime.
///
/// Copies are roots of their own. A root may be built, used and destroyed by any thread, also before a runtime is up;
/// a single one is not to be written by one thread while another uses it. Three words; making and destroying one that
/// is not null takes a short lock. Inside objects of the heap use a ptr: a cycle through a root is never freed.
template <class T>
class [[nodiscard]] root {
public:
    using element_type = T;

    constexpr root() noexcept = default;
    constexpr root(std::nullptr_t) noexcept {}
    root(const ptr<T>& object) noexcept : word_(address(object.get())) {}
    template <class U>
    requires weft::detail::gc_points_to<U, T> root(const ptr<U>& object)
    noexcept : word_(address(static_cast<T*>(object.get()))) {}
    /// Takes a plain pointer into the heap.
    explicit root(T* object) noexcept : word_(address(object)) {}
    root(const root& other) noexcept : word_(other.word_.get()) {}
    /// Leaves `other` null.
    root(root&& other) noexcept : word_(other.word_.get()) { other.word_.set(nullptr); }
    template <class U>
    requires weft::detail::gc_points_to<U, T> root(const root<U>& other)
    noexcept : word_(address(static_cast<T*>(other.get()))) {}

    root& operator=(const root& other) noexcept {
        word_.set(other.word_.get());
        return *this;
    }
    root& operator=(root&& other) noexcept {
        if (this != &other) {
            word_.set(other.word_.get());
            other.word_.set(nullptr);
        }
        return *this;
    }
    template <class U>
    requires weft::detail::gc_points_to<U, T> root& operator=(const ptr<U>& object) noexcept {
        word_.set(address(static_cast<T*>(object.get())));
        return *this;
    }
    template <class U>
    requires weft::detail::gc_points_to<U, T> root& operator=(U* object) noexcept {
        word_.set(address(static_cast<T*>(object)));
        return *this;
    }
    root& operator=(std::nullptr_t) noexcept {
        word_.set(nullptr);
        return *this;
    }

    [[nodiscard]] T* get() const noexcept {
        return static_cast<T*>(const_cast<void*>(word_.get()));
    }
    [[nodiscard]] T* operator->() const noexcept { return get(); }
    [[nodiscard]] std::add_lvalue_reference_t<T> operator*() const noexcept
        requires(!std::is_void_v<T>) {
        return *get();
    }
    [[nodiscard]] explicit operator bool() const noexcept { return get() != nullptr; }
    operator ptr<T>() const noexcept { return ptr<T>(get()); }
    template <class U>
    requires(weft::detail::gc_points_to<T, U> && !std::same_as<T, U>)
    operator ptr<U>() const noexcept {
        return ptr<U>(get());
    }

    void reset() noexcept { word_.set(nullptr); }
    void swap(root& other) noexcept {
        const root mine(*this);  // Or one of the two would be in a register alone for a moment.
        word_.set(other.word_.get());
        other.word_.set(mine.word_.get());
    }
    friend void swap(root& a, root& b) noexcept { a.swap(b); }

    [[nodiscard]] friend bool operator==(const root& a, const root& b) noexcept {
        return a.get() == b.get();
    }
    [[nodiscard]] friend bool operator==(const root& a, const ptr<T>& b) noexcept {
        return a.get() == b.get();
    }
    [[nodiscard]] friend bool operator==(const root& a, std::nullptr_t) noexcept {
        return a.get() == nullptr;
    }
    [[nodiscard]] friend std::strong_ordering operator<=>(const root& a, const root& b) noexcept {
        return std::compare_three_way()(a.get(), b.get());
    }

private:
    static const void* address(const volatile T* object) noexcept {
        return const_cast<const void*>(static_cast<const volatile void*>(object));
    }

    weft::detail::gc_root_word word_;
};

/// A root of an array.
template <class T>
class [[nodiscard]] root<T[]> {
public:
    using element_type = T;

    constexpr root() noexcept = default;
    constexpr root(std::nullptr_t) noexcept {}
    root(const ptr<T[]>& array) noexcept : word_(array.get()) {}
    root(const root& other) noexcept : word_(other.word_.get()) {}
    /// Leaves `other` null.
    root(root&& other) noexcept : word_(other.word_.get()) { other.word_.set(nullptr); }
    root& operator=(const root& other) noexcept {
        word_.set(other.word_.get());
        return *this;
    }
    root& operator=(root&& other) noexcept {
        if (this != &other) {
            word_.set(other.word_.get());
            other.word_.set(nullptr);
        }
        return *this;
    }
    root& operator=(const ptr<T[]>& array) noexcept {
        word_.set(array.get());
        return *this;
    }
    root& operator=(std::nullptr_t) noexcept {
        word_.set(nullptr);
        return *this;
    }

    [[nodiscard]] T* get() const noexcept {
        return static_cast<T*>(const_cast<void*>(word_.get()));
    }
    [[nodiscard]] std::size_t size() const noexcept { return weft::detail::gc_array_size(get()); }
    [[nodiscard]] T* begin() const noexcept { return get(); }
    [[nodiscard]] T* end() const noexcept { return get() + size(); }
    template <std::integral I>
    [[nodiscard]] T& operator[](I i) const noexcept {
        return get()[i];
    }
    [[nodiscard]] explicit operator bool() const noexcept { return get() != nullptr; }
    operator ptr<T[]>() const noexcept { return weft::detail::gc_array_of<T>(get()); }

    void reset() noexcept { word_.set(nullptr); }

    [[nodiscard]] friend bool operator==(const root& a, const root& b) noexcept {
        return a.get() == b.get();
    }
    [[nodiscard]] friend bool operator==(const root& a, std::nullptr_t) noexcept {
        return a.get() == nullptr;
    }

private:
    weft::detail::gc_root_word word_;
};

/// The lists of roots have it: an object need not be scanned because it holds one.
template <class T>
inline constexpr bool pointer_free<root<T>> = true;

}  // namespace weft::gc

namespace weft::detail {
template <class T>
inline constexpr bool gc_traced<gc::root<T>> = false;
}  // namespace weft::detail

template <class T>
struct std::hash<weft::gc::root<T>> {
    std::size_t operator()(const weft::gc::root<T>& r) const noexcept {
        return std::hash<const void*>()(r.get());
    }
};
