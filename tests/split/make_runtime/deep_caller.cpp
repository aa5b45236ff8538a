// Calls the deep one, from another object, and parks.
#include "base/stack_facts.hpp"

extern "C" void weft_jump();

namespace app {

void deep();

void caller() {
    WEFT_PARKS;
    deep();
    weft_jump();
    asm volatile("");
}

}  // namespace app
