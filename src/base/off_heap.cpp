#include "base/off_heap.hpp"

#include <cstdlib>

#if WEFT_MIMALLOC
#include <mimalloc.h>
#endif

namespace weft::detail {

void* off_heap_allocate(std::size_t size, std::size_t align) {
#if WEFT_MIMALLOC
    void* const memory = mi_malloc_aligned(size, align);
#else
    const std::size_t unit = align < alignof(std::max_align_t) ? alignof(std::max_align_t) : align;
    void* const memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
#endif
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void off_heap_free(void* memory) noexcept {
#if WEFT_MIMALLOC
    mi_free(memory);
#else
    std::free(memory);
#endif
}

}  // namespace weft::detail
