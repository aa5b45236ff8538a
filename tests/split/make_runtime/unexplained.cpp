// A call through a pointer that nobody explains.
#include "base/stack_facts.hpp"

namespace app {

WEFT_NOIPA void calls_hook(void (*f)()) {
    WEFT_CALLS("absent");
    f();
    asm volatile("");
}

}  // namespace app
