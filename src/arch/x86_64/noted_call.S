// A call that hears of the exceptions which leave it, while the stack of the throw is still there.
//
// ABI       System V x86-64.
// Registers none is kept.
// Calls     weft_call_user.
//
// An unwinder goes over the frames of a throw twice. In its first phase it looks for a catch clause, and asks each frame's
// personality routine; it has changed nothing yet. This frame's routine (stack/thrown.cpp) says that there is none here.
#if defined(__x86_64__)
#include "arch/x86_64/function.inc"

        .text
        .hidden weft_call_noting_throws

// void weft_call_noting_throws(void (*f)(void*), void* argument)
        function weft_call_noting_throws
        .cfi_personality 0x9b, DW.ref.weft_noting_personality
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        xorl    %edx, %edx
        call    weft_call_user@PLT
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        ret
        end_function weft_call_noting_throws

        personality_reference weft_noting_personality
#endif
        .section .note.GNU-stack, "", @progbits
