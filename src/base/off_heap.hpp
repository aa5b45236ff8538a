// The runtime's own memory: what is too large for a pool, and must not come from the program's heap or,
// later, from the collected one.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace weft::detail {

/// Throws std::bad_alloc. `align` is a power of two. By mimalloc, or by the program's malloc when
/// built with WEFT_MIMALLOC=OFF.
[[nodiscard]] void* off_heap_allocate(std::size_t size, std::size_t align);
/// The same; it reads 0. Fresh pages are not touched for that.
[[nodiscard]] void* off_heap_allocate_zeroed(std::size_t size, std::size_t align);
void off_heap_free(void* memory) noexcept;

template <class T, class... Args>
[[nodiscard]] T* off_heap_new(Args&&... args) {
    void* const memory = off_heap_allocate(sizeof(T), alignof(T));
    try {
        return ::new (memory) T(std::forward<Args>(args)...);
    } catch (...) {
        off_heap_free(memory);
        throw;
    }
}

template <class T>
void off_heap_delete(T* object) noexcept {
    if (object == nullptr) return;
    object->~T();
    off_heap_free(object);
}

/// For standard containers inside the runtime.
template <class T>
struct off_heap_allocator {
    using value_type = T;
    off_heap_allocator() = default;
    template <class U>
    off_heap_allocator(const off_heap_allocator<U>&) noexcept {}
    T* allocate(std::size_t n) {
        return static_cast<T*>(off_heap_allocate(n * sizeof(T), alignof(T)));
    }
    void deallocate(T* memory, std::size_t) noexcept { off_heap_free(memory); }
    friend bool operator==(off_heap_allocator, off_heap_allocator) noexcept { return true; }
};

}  // namespace weft::detail
