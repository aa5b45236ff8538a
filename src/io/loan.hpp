// Memory for what has been read: taken when there is something to read, given back when it has been used. So a connection that is idle has none.
#pragma once

#include <cstddef>

namespace weft::detail {

inline constexpr std::size_t loan_size = std::size_t{16} * 1024;

/// Null when memory ends.
[[nodiscard]] std::byte* take_loan() noexcept;
void give_loan(std::byte* memory) noexcept;

}  // namespace weft::detail
