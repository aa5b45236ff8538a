#define WEFT_CHAIN optimised_chain
#include "stack/unwind_chain.inc"
