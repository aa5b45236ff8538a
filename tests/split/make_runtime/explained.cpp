// A call through a pointer, and the function that says it is called so.
#include "base/stack_facts.hpp"

extern "C" void weft_jump();

namespace app {

void hook() {
    WEFT_CALLED_AS("hook");
    volatile char frame[300];
    frame[0] = 1;
    weft_jump();
    frame[0] = 2;
}

WEFT_NOIPA void calls_hook(void (*f)()) {
    WEFT_PARKS;
    WEFT_CALLS("hook");
    f();
    asm volatile("");
}

}  // namespace app
