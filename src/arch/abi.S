// weft_abi_<major>_<minor>: what objects that include a header of weft refer to, see version.hpp. It holds nothing. In
// assembly, because a library built with -flto would otherwise hide it from objects whose only reference is in assembly.
//
// weft_module_abi_<major>_<minor> is the same for shared objects with split code, which find the runtime in the
// executable when they are opened: module.S refers to it.
#include "arch/abi.inc"

        .section .rodata.weft_abi_is, "a", @progbits
        .globl  WEFT_ABI, WEFT_MODULE_ABI
        .hidden WEFT_ABI
        .type   WEFT_ABI, @object
        .type   WEFT_MODULE_ABI, @object
WEFT_ABI:
WEFT_MODULE_ABI:
        .byte   0
        .size   WEFT_ABI, 1
        .size   WEFT_MODULE_ABI, 1
        .section .note.GNU-stack, "", @progbits
