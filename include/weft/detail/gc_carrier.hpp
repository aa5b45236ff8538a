// What channels, timers, weft::local and select_set do for the sake of the garbage collector: values that may hold pointers
// into its heap lie in *carriers*, which it reads, and are reported when they are sent while it marks.
//
// Both cost nothing for numbers, strings and what is made of these alone. weft/gc.hpp has a finer trait (gc::pointer_free),
// which is too large a header for all who use a channel.
#pragma once

#include <weft/detail/thread_block.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace weft::detail {

/// Not 0 while the collector marks.
extern std::atomic<std::uint32_t> gc_marking;

/// Reports the aligned words of a value to the collector. Only while it marks.
void shade_words(const void* words, std::size_t bytes) noexcept;

/// Memory of a carrier, zeroed. Throws std::bad_alloc.
[[nodiscard]] void* allocate_carrier(std::size_t size, std::size_t align);
void free_carrier(void* memory) noexcept;
/// Whether there has been a collector: before that no value can hold a pointer into its heap.
extern std::atomic<bool> gc_has_opened;
[[gnu::always_inline]] [[nodiscard]] inline bool has_collector() noexcept {
    return look(gc_has_opened);
}

/// Whether a T may hold a pointer into the collected heap.
template <class T>
inline constexpr bool gc_traced =
    !(std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_null_pointer_v<T> ||
      std::is_member_pointer_v<T> || std::is_empty_v<T> ||
      std::is_function_v<std::remove_pointer_t<T>>);
template <class C, class Traits>
inline constexpr bool gc_traced<std::basic_string<C, Traits, std::allocator<C>>> = false;
template <class Rep, class Period>
inline constexpr bool gc_traced<std::chrono::duration<Rep, Period>> = gc_traced<Rep>;
template <class Clock, class Duration>
inline constexpr bool gc_traced<std::chrono::time_point<Clock, Duration>> = gc_traced<Duration>;
template <class T, std::size_t N>
inline constexpr bool gc_traced<std::array<T, N>> = gc_traced<T>;
template <class A, class B>
inline constexpr bool gc_traced<std::pair<A, B>> = gc_traced<A> || gc_traced<B>;

/// Whether a T is a pointer into the collected heap that memory of malloc would hide. weft/gc.hpp says so of its own.
template <class T>
inline constexpr bool gc_hidden_by_malloc = false;

/// Before a value leaves where it is for somewhere that the collector may be done with.
template <class T>
[[gnu::always_inline]] inline void shade_leaving(const T& value) noexcept {
    if constexpr (gc_traced<T>) {
        if (look(gc_marking) != 0) [[unlikely]]
            shade_words(std::addressof(value), sizeof(T));
    }
}

/// For what the standard library allocates for us.
template <class T>
struct carrier_allocator {
    using value_type = T;
    carrier_allocator() noexcept = default;
    template <class U>
    carrier_allocator(const carrier_allocator<U>&) noexcept {}
    [[nodiscard]] T* allocate(std::size_t n) {
        return static_cast<T*>(allocate_carrier(n * sizeof(T), alignof(T)));
    }
    void deallocate(T* memory, std::size_t) noexcept { free_carrier(memory); }
    friend bool operator==(carrier_allocator, carrier_allocator) noexcept { return true; }
};

/// std::make_shared, in a carrier if what it holds of the program's, a Held, may hold a pointer.
template <class T, class Held, class... Args>
[[nodiscard]] std::shared_ptr<T> make_carried(Args&&... args) {
    if constexpr (gc_traced<Held>) {
        auto made = std::allocate_shared<T>(carrier_allocator<T>(), std::forward<Args>(args)...);
        shade_leaving(*made);
        return made;
    } else {
        return std::make_shared<T>(std::forward<Args>(args)...);
    }
}

/// new and delete, likewise.
template <class T, class... Args>
[[nodiscard]] T* new_in_carrier(Args&&... args) {
    void* const memory = allocate_carrier(sizeof(T), alignof(T));
    if constexpr (std::is_nothrow_constructible_v<T, Args...>) {
        return ::new (memory) T(std::forward<Args>(args)...);
    } else {
        try {
            return ::new (memory) T(std::forward<Args>(args)...);
        } catch (...) {
            free_carrier(memory);
            throw;
        }
    }
}
template <class T, class... Args>
[[nodiscard]] T* new_carried(Args&&... args) {
    if constexpr (gc_traced<T>) {
        T* const made = new_in_carrier<T>(std::forward<Args>(args)...);
        shade_leaving(*made);
        return made;
    } else {
        return new T(std::forward<Args>(args)...);
    }
}
template <class T>
void delete_carried(T* value) noexcept {
    if constexpr (gc_traced<T>) {
        std::destroy_at(value);
        free_carrier(const_cast<void*>(static_cast<const volatile void*>(value)));
    } else {
        delete value;
    }
}

}  // namespace weft::detail
