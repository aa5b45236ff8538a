// Waiting until any descriptor is ready, by its number: for those of other libraries.
#pragma once

#include <cstdint>

namespace weft::detail {

/// Waits until any of `what` (os/poller.hpp) is there, as poll(2) says, or until `deadline`. 1: it is; 0: the time has passed; the negative
/// number of an error: -EBADF, there is no such descriptor. Any number of callers at once. Throws as perform() does.
[[nodiscard]] int wait_until_ready(int fd, std::uint32_t what, std::int64_t deadline);

}  // namespace weft::detail
