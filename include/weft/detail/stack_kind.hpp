// Which kind of stack the including translation unit was compiled for.
//
// Entities that create coroutines live in an inline namespace named after the kind, so that one
// program may hold both kinds, and handing an object from one to the other fails to link instead of
// failing at run time.
#pragma once

#include <weft/version.hpp>

#if defined(WEFT_SPLIT_STACK) && WEFT_SPLIT_STACK
#define WEFT_STACK_KIND split_stacks
#else
#define WEFT_STACK_KIND reserved_stacks
#endif

namespace weft::detail {
inline namespace WEFT_STACK_KIND {
/// What the macro says, for use where it is too late for macros.
inline constexpr bool stack_kind_is_split =
#if defined(WEFT_SPLIT_STACK) && WEFT_SPLIT_STACK
    true;
#else
    false;
#endif
}  // namespace WEFT_STACK_KIND
}  // namespace weft::detail
