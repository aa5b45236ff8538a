// The nodes of timers whose time arrives in a channel.
#pragma once

#include <cstddef>

namespace weft::detail {

/// Gives the memory of the nodes back if no timer is left. Behind the end of a runtime, whose heaps named them.
void release_timer_nodes() noexcept;

/// Gives some of that memory back while a runtime is up: what no timer and no heap names any more. Returns how many bytes.
std::size_t cool_timer_nodes() noexcept;

}  // namespace weft::detail
