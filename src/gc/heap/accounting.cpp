#include "gc/heap/accounting.hpp"

#include "base/cache_line.hpp"
#include "gc/heap/page_heap.hpp"

#include <atomic>

namespace weft::detail {
namespace {

// Relaxed throughout: each number is read for itself. Allocation counts have a line of their own,
// because each processor writes them once for each run.
struct counts {
    alignas(cache_line) std::atomic<std::uint64_t> allocated{0};
    alignas(cache_line) std::atomic<std::uint64_t> allocated_before{0};
    std::atomic<std::int64_t> pages{0};
};
constinit counts all;

// Tables take so much for each page of the arena: 2 + 16 + 1, bits of all three sizes of spans,
// less than a byte for chunks.
constexpr std::size_t table_bytes_per_page = 19 + (256 + 128 + 64) + 1;

}  // namespace

std::uint64_t allocated_bytes() noexcept { return all.allocated.load(std::memory_order_relaxed); }

std::uint64_t allocated_since_cycle() noexcept {
    // The later number first: another thread may begin a new count in between.
    const std::uint64_t before = all.allocated_before.load(std::memory_order_relaxed);
    const std::uint64_t now = all.allocated.load(std::memory_order_relaxed);
    return now > before ? now - before : 0;
}

std::size_t heap_bytes() noexcept {
    const std::int64_t pages = all.pages.load(std::memory_order_relaxed);
    return pages > 0 ? static_cast<std::size_t>(pages) << heap_page_log2 : 0;
}

std::size_t table_bytes_in_use() noexcept {
    return std::size_t{chunks_in_use()} * chunk_pages * table_bytes_per_page;
}

void count_allocated(std::size_t bytes) noexcept {
    all.allocated.fetch_add(bytes, std::memory_order_relaxed);
}

void begin_allocation_count() noexcept {
    all.allocated_before.store(allocated_bytes(), std::memory_order_relaxed);
}

void count_heap_pages(std::int64_t pages) noexcept {
    all.pages.fetch_add(pages, std::memory_order_relaxed);
}

void reset_accounting() noexcept {
    all.pages.store(0, std::memory_order_relaxed);
    begin_allocation_count();
}

}  // namespace weft::detail
