// For those that use a bias outside of a runtime, which would have prepared the fences: without them there is none.
#pragma once

#include "os/fence.hpp"

namespace weft::detail {

inline const bool fences_are_prepared = (prepare_fences(), true);

}  // namespace weft::detail
