#include "base/off_heap.hpp"

#include <bit>
#include <cstdlib>
#include <cstring>

#ifndef WEFT_MIMALLOC
#error "cmake/linkable.cmake defines WEFT_MIMALLOC for this file, in each target that compiles it"
#endif
#if WEFT_MIMALLOC
#include <mimalloc.h>
#endif

namespace weft::detail {

void* off_heap_allocate(std::size_t size, std::size_t align) {
#if WEFT_MIMALLOC
    // mimalloc 2.0.9 takes a size that is a multiple of the alignment for aligned by itself, which in the
    // first page of a segment it is not: one byte more sends it the careful way.
    if (align > alignof(std::max_align_t)) size = (size + align - 1) / align * align + 1;
    // mimalloc 2.0.9, Debian 12's, takes a block whose size is a power of two for aligned to it, and above 128
    // bytes it is not. A byte more, and it looks.
    const bool misjudged = align > 64 && std::has_single_bit(size);
    void* const memory = mi_malloc_aligned(misjudged ? size + 1 : size, align);
#else
    const std::size_t unit = align < alignof(std::max_align_t) ? alignof(std::max_align_t) : align;
    void* const memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
#endif
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void* off_heap_allocate_zeroed(std::size_t size, std::size_t align) {
#if WEFT_MIMALLOC
    if (align <= alignof(std::max_align_t)) {
        void* const memory = mi_zalloc(size);
        if (memory == nullptr) throw std::bad_alloc();
        return memory;
    }
#else
    if (align <= alignof(std::max_align_t)) {
        void* const memory = std::calloc(size, 1);
        if (memory == nullptr) throw std::bad_alloc();
        return memory;
    }
#endif
    return std::memset(off_heap_allocate(size, align), 0, size);
}

void off_heap_free(void* memory) noexcept {
#if WEFT_MIMALLOC
    mi_free(memory);
#else
    std::free(memory);
#endif
}

}  // namespace weft::detail
