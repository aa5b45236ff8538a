// The bottom of a stack, with a frame that is too large for the smallest segment.
#include "base/stack_facts.hpp"

namespace app {

void bottom() {
    WEFT_FITS(960);
    volatile char frame[2'500];
    frame[0] = 1;
}

}  // namespace app
