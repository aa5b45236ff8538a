// Handlers of fork().
#pragma once

namespace weft::detail {

/// Calls `before` ahead of each fork() from now on, then `in_parent` or `in_child`, all on the thread that forks. Not for
/// vfork(), posix_spawn() and _Fork(). Returns false when there is no memory for it. There is no way back.
[[nodiscard]] bool at_fork(void (*before)() noexcept, void (*in_parent)() noexcept,
                           void (*in_child)() noexcept) noexcept;

}  // namespace weft::detail
