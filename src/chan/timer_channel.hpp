// The nodes of timers whose time arrives in a channel.
#pragma once

namespace weft::detail {

/// Gives the memory of the nodes back if no timer is left. Behind the end of a runtime, whose heaps named them.
void release_timer_nodes() noexcept;

}  // namespace weft::detail
