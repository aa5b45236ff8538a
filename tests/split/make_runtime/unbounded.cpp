// A function that parks two calls above one that recurses; and the bottom of a stack, which calls it.
#include "base/stack_facts.hpp"

extern "C" void weft_jump();

namespace app {

[[gnu::noipa]] int again(int n) {
    volatile char frame[100];
    frame[0] = static_cast<char>(n);
    return n == 0 ? 0 : again(n - frame[0]) + frame[0];
}

[[gnu::noipa]] int between(int n) { return again(n) + 1; }

[[gnu::noipa]] int waits(int n) {
    WEFT_PARKS;
    weft_jump();
    return between(n) + 1;
}

int bottom() {
    WEFT_FITS(960);
    return waits(1) + 1;
}

}  // namespace app
