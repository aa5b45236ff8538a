// Which kind of stack the including translation unit was compiled for.
//
// Entities that create coroutines live in an inline namespace named after the kind, so that one
// program may hold both kinds, and handing an object from one to the other fails to link instead of
// failing at run time.
#pragma once

#if defined(WEFT_SPLIT_STACK) && WEFT_SPLIT_STACK
#define WEFT_STACK_KIND split_stacks
#else
#define WEFT_STACK_KIND reserved_stacks
#endif
