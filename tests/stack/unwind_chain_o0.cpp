#define WEFT_CHAIN plain_chain
#include "stack/unwind_chain.inc"
