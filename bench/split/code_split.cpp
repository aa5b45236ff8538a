#define WEFT_CODE split
#include "code.inc"
