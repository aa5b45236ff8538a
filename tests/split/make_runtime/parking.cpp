// A function that can't be deep, because it parks.
#include "base/stack_facts.hpp"

extern "C" void weft_jump();

namespace app {

[[gnu::noinline]] void deep() {
    WEFT_DEEP;
    weft_jump();
    asm volatile("");
}

}  // namespace app
