#define WEFT_CODE plain
#include "code.inc"
