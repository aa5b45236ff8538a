// Random numbers for threads that have no processor, and so none of its.
#pragma once

#include <cstdint>

namespace weft::detail {

/// In [0, bound), from a generator of the calling thread's own. `bound` > 0.
[[nodiscard]] std::uint32_t random_on_thread(std::uint32_t bound) noexcept;

}  // namespace weft::detail
