// Linked into shared objects that have split code of their own (the target weft::split_stack_module): what the compiler
// calls there, on its way to the executable, which has the runtime.
//
// ABI       as morestack.S. Names that the compiler's own library would otherwise define are defined here, hidden.
// Registers none is changed: the jump goes through the global offset table.
//
// __x86_indirect_thunk_* is the executable's without more: no library defines it.
// The version is that of these headers, and the executable must have it too: `-z now` has dlopen() look for it.
#if defined(__x86_64__)
#include "arch/abi.inc"
#include "arch/x86_64/function.inc"

        .section weft_split_text, "ax", @progbits
        .macro forward name, to
        .hidden \name
        function \name
        jmp     *\to@GOTPCREL(%rip)
        end_function \name
        .endm

        forward __morestack, weft_module_morestack
        forward __morestack_non_split, weft_module_morestack
        forward __morestack_allocate_stack_space, weft_module_allocate_stack_space

        .section .rodata.weft_abi_is, "a", @progbits
        .globl  WEFT_ABI
        .hidden WEFT_ABI
        .type   WEFT_ABI, @object
WEFT_ABI:
        .long   WEFT_MODULE_ABI@PLT
        .size   WEFT_ABI, 4

        .section .note.GNU-split-stack, "", @progbits
        .section .note.GNU-no-split-stack, "", @progbits
#endif
        .section .note.GNU-stack, "", @progbits
