// A cycle of the collector, from the first handshake to the end of the sweep.
//
//   sweep what is left                       all bits are 0 then
//   handshake: marking                       from here on who stores a pointer reports it, and switches are followed
//   handshake: black, round 1                what is allocated is black; whoever runs has been read
//     every coroutine, root and carrier is read, and what they reach
//   handshake: round 2, 3, ...               whoever runs is read again, and who has left a stack since; until nothing is new
//   handshake: white                         what is allocated is white again
//   sweep                                    beside the program
//
// docs/design/gc.md argues why nothing that is in use is ever freed.
#pragma once

#include <cstdint>

namespace weft::detail {

struct cycle_result {
    bool begun = false;  // There was memory for the collector's own lists.
    std::uint64_t live_bytes = 0;
    std::uint64_t allocated_meanwhile = 0;
    std::uint64_t objects = 0;
    std::int64_t mark_ns = 0;
    std::int64_t total_ns = 0;
    std::int64_t cpu_ns = 0;
    unsigned rounds = 0;
    std::size_t destructors = 0;  // Due now.
};

/// Beside the program, on the coordinator's thread.
[[nodiscard]] cycle_result run_cycle() noexcept;

/// All at once, where no coroutine is on a CPU: each has left its stack.
[[nodiscard]] cycle_result run_cycle_at_once() noexcept;

/// collector_hooks::free_later.
void free_after_cycle(void* off_heap) noexcept;
/// Frees what has come that way. No cycle is under way.
void free_what_was_kept() noexcept;

}  // namespace weft::detail
