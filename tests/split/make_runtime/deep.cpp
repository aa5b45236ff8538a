// A function that other objects call where there is room.
#include "base/stack_facts.hpp"

namespace app {

[[gnu::noinline]] void deep() {
    WEFT_DEEP;
    volatile char frame[10'000];
    frame[0] = 1;
}

}  // namespace app
