// A record by which a debugger finds coroutines in a process, or in its core, without debug information.
//
// The library holds one record: where the scheduler is, at which offsets its parts have what is wanted, and the names of
// states. tools/gdb/weft-gdb.py reads it. Entries carry their names, so that script and library may be of different
// versions: what the script does not find it does without.
//
// The record has a symbol, weft_debug_layout. Programs are stripped of symbols, so an ELF note, which strip keeps, holds
// the distance from itself to the record:
//
//     .note.weft    [ 5 | 4 | type 1 | "weft" | record - here ]
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct debug_entry {
    char name[24];
    std::uint64_t value;
};

struct debug_layout {
    static constexpr std::size_t kinds_max = 32;
    static constexpr std::size_t entries_max = 64;

    char magic[8];  // "weftdbg"
    std::uint32_t version;
    std::uint32_t entry_count;
    const void* scheduler;
    const void*
        resume;  // Where a parked context goes on; null on a CPU whose contexts the record does not describe.
    void (*dump)();  // weft_dump
    debug_entry entries[entries_max];
    char kinds[kinds_max][24];  // Names of what is waited for, by wait_kind.
};

/// Has the linker keep the record. Does nothing.
void keep_debug_layout() noexcept;

}  // namespace weft::detail

extern "C" {
[[gnu::visibility("hidden")]] extern const weft::detail::debug_layout weft_debug_layout;

/// Writes a line for each coroutine to stderr: id, name, state, what it waits for, and where it was created; and those
/// that ended by an exception which nobody has taken. For a debugger: `call (void)weft_dump()`. It takes no lock and
/// allocates nothing, so it returns whatever the stopped thread was doing. It shows no stacks.
void weft_dump();
}
