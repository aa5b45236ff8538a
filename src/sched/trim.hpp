// Giving back the pages of stacks that are not needed so deep.
//
// A coroutine that has called deep and then waits for long keeps the pages it has touched. So the monitor goes
// through the descriptors, a part of them at a time: one that is found parked in the same place twice, a look apart, is
// claimed, and what lies below its frames is given back to the kernel. It costs the coroutine a page fault for each
// page that it comes to need again. One that runs meanwhile has lost nothing: the claim fails, or it waits in no
// queue's way until it is released (claim.hpp).
//
// Where it was parked when it was last looked at is noted with its stack slot, as a hash of context and epoch, and
// since when it has been seen there: parking itself reads no clock.
#pragma once

#include <cstdint>

namespace weft::detail {

struct coroutine;

/// Goes on with the descriptors for about a millisecond. `active_at`: when something was last seen to run. Returns when
/// it has something to do again, if nothing else happens: `never` when two rounds after that have found nothing.
/// The monitor only.
[[nodiscard]] std::int64_t trim_stacks(std::int64_t active_at);

/// How long `c` has been seen parked where it is, in nanoseconds: up to a round or so less than it really was. 0 when it has
/// not been seen yet. `c` is parked and claimed by the caller.
[[nodiscard]] std::int64_t seen_parked_for(const coroutine& c) noexcept;

/// Bytes given back so far, of parked stacks and of unused ones.
[[nodiscard]] std::uint64_t trimmed_bytes() noexcept;
void reset_trim() noexcept;

}  // namespace weft::detail
