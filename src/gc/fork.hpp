// The collected heap in the child of a fork(), which may allocate and never collects.
#pragma once

namespace weft::detail {

/// Whether the heap is safe to copy. False if there was no memory for that when the program started.
[[nodiscard]] bool is_ready_for_forks() noexcept;

/// True in the child of a fork() that came while a runtime was up or threads were attached, and in its children.
[[nodiscard]] bool is_forked_child() noexcept;

}  // namespace weft::detail
