// The cases of a select that waits: for reports.
#pragma once

#include <weft/detail/select_core.hpp>

#include <span>

namespace weft::detail {

/// Returns the cases of the select whose wait names `object` (waits_on()). The caller keeps the coroutine parked.
[[nodiscard]] std::span<const select_case> waited_cases(const void* object) noexcept;

}  // namespace weft::detail
