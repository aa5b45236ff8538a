// The collected heap in the child of a fork(): it may allocate, and never collects.
#pragma once

namespace weft::detail {

/// Makes the heap safe to copy, from now on. Returns false when there is no memory for it.
[[nodiscard]] bool prepare_for_forks() noexcept;

/// True in the child of a fork() that came while a runtime was up, and in its children.
[[nodiscard]] bool is_forked_child() noexcept;

}  // namespace weft::detail
