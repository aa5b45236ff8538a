// A select without its types.
#pragma once

#include <weft/detail/channel_core.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// What one case wants of a channel, and room for its waiting. Lies with whoever selects, and is used by one select at
/// a time.
struct select_case {
    channel_core* channel = nullptr;  // Null: never ready.
    void* cell =
        nullptr;  // A receiver's: where to. A sender's: what; null where the channel is to be asked first:
    void* source = nullptr;  // whose value this is.
    bool sends = false;

    // The select's own: where to lock, in order; which to try, in any; and the waiter.
    channel_core* lock_order = nullptr;
    std::uint32_t ready = 0;
    std::array<std::uintptr_t, 11> waiter_room;  // Raw until it waits.
};

/// How a select ended.
struct selected {
    std::size_t index = 0;  // Of the case; `no_case` when the deadline came first.
    chan_status status = chan_status::timeout;  // Of a case: ok or closed.
    received got;                               // Of a case that receives.
    bool permitted = false;                     // As in `send_grant`, where it is not `taken`.
    send_permit permit;
};
inline constexpr std::size_t no_case = SIZE_MAX;

/// Waits until one of the cases can go on, and lets it. A cancellation point. Allocates nothing, but for a timer.
/// `in_lock_order`: the caller has put the channels into `lock_order`, by address; otherwise they are sorted here.
selected select_cells(select_case* cases, std::size_t count, std::int64_t deadline,
                      bool in_lock_order = false);

}  // namespace weft::detail
