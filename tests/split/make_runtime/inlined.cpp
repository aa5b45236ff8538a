// A function that is to be deep, and is inlined into another one.
#include "base/stack_facts.hpp"

namespace app {

[[gnu::always_inline]] inline void deep() { WEFT_DEEP; }

void one() { deep(); }
void another() { deep(); }

}  // namespace app
