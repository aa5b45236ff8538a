#include "gc/heap/heap.hpp"

#include <weft/detail/spin_lock.hpp>

#include <mutex>

namespace weft::detail {

namespace {
constinit spin_lock opening;
}

bool open_heap(std::size_t arena_most) noexcept {
    const std::lock_guard hold(opening);
    return arena.size != 0 || reserve_arena(arena_most);
}

void close_heap() noexcept {
    const std::lock_guard hold(opening);
    if (arena.size == 0) return;
    empty_central();
    reset_sweep();
    reset_page_heap();
    reset_accounting();
    release_local_heaps();
    release_arena();
}

void lock_heap_opening() noexcept { opening.lock(); }
void unlock_heap_opening() noexcept { opening.unlock(); }

}  // namespace weft::detail
