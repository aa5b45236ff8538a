// A function that parks, on a way of known depth.
#include "base/stack_facts.hpp"

extern "C" void weft_jump();

namespace app {

void waits(int n) {
    WEFT_PARKS;
    volatile char frame[100];
    frame[n] = 1;
    weft_jump();
    frame[n] = 2;
}

}  // namespace app
