// The heap in bytes. Any thread may read these numbers; they are out of date at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// Bytes handed out, in runs and large objects, since the process began; and since the last
/// advance_epoch(), which is where marking ended.
[[nodiscard]] std::uint64_t allocated_bytes() noexcept;
[[nodiscard]] std::uint64_t allocated_since_cycle() noexcept;

/// Spans and large objects that exist, with what is free in them.
[[nodiscard]] std::size_t heap_bytes() noexcept;

/// Tables of the arena that are in use, estimated.
[[nodiscard]] std::size_t table_bytes_in_use() noexcept;

// For the heap itself.
void count_allocated(std::size_t bytes) noexcept;
void begin_allocation_count() noexcept;
void count_heap_pages(std::int64_t pages) noexcept;
void reset_accounting() noexcept;

}  // namespace weft::detail
