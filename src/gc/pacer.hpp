// When a cycle is due: when as much has been allocated since the last one as `percent` of what lived then.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// -1: never by percentage. Returns the old one.
int set_gc_percent(int percent) noexcept;
/// 0: none. Returns the old one.
std::size_t set_gc_limit(std::size_t bytes) noexcept;
[[nodiscard]] std::size_t gc_limit() noexcept;

/// At the end of marking: so much lives, the cycle took so long, and so much was allocated meanwhile.
void note_cycle(std::uint64_t live_bytes, std::int64_t took_ns,
                std::uint64_t allocated_meanwhile) noexcept;
/// Forgets the last cycle: a new heap.
void reset_pacer() noexcept;

/// What is in use, as far as is known: what lived, and what has been allocated since.
[[nodiscard]] std::uint64_t bytes_in_use() noexcept;
[[nodiscard]] std::uint64_t live_bytes() noexcept;
[[nodiscard]] std::uint64_t goal_bytes() noexcept;

/// Whether the last cycle has left more in use than the limit.
[[nodiscard]] bool over_limit() noexcept;
/// What counts for the limit, now.
[[nodiscard]] std::uint64_t bytes_for_limit() noexcept;

/// For how long, added up, cycles that a limit asked for were put off.
[[nodiscard]] std::int64_t limited_ns() noexcept;
/// How much free memory to keep for what will be allocated until the next cycle.
[[nodiscard]] std::size_t bytes_to_keep() noexcept;

enum class pace : unsigned char {
    go_on,
    collect,    // A cycle is due.
    make_room,  // And who allocates is far ahead of it: let others run.
};
[[nodiscard]] pace pace_now() noexcept;

}  // namespace weft::detail
