// The holder of a lock that somebody waits for: for reports.
#pragma once

#include <weft/detail/operation.hpp>

#include "sched/sleeper.hpp"

#include <cstdint>

namespace weft::detail {

struct lock_holder {
    agent owner = 0;            // Has it locked exclusively; 0: nobody has.
    std::uint64_t readers = 0;  // How many share it.
};

/// Returns what the lock at `object` knows of its holder. The caller keeps a coroutine parked that waits for that
/// object with this kind, so the object is alive. All is empty for kinds that are no lock.
[[nodiscard]] lock_holder holder_of(wait_kind kind, const void* object) noexcept;

}  // namespace weft::detail
