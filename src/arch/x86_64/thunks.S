// Where split code goes for every call through a pointer, and for every call to what may be in another object: the
// compiler's -mindirect-branch=thunk-extern sends it here.
//
// ABI       __x86_indirect_thunk_<reg>: jumped to or called with the target in a register, everything else as the
//           target wants it. __x86_indirect_thunk: with the target on the stack, above its return address.
// Registers r10 and r11 are lost: no argument is ever in them.
// Calls     the target; weft_call_on_large, weft_preempt_at_call (morestack.S).
//
// With room for code that does not check, the target is jumped to. Else, in order:
//     a split function                    sees to its stack itself: known by its prologue
//     the runtime's own entries           so do they
//     the setjmp family                   returns twice, the second time into a frame that would be gone: in place
//     small leaves of the C library       need no room worth mentioning: in place
//     everything else                     on a large segment, for this call only
// The in-place ones are in a table by address, weft_in_place (split/calls.cpp).
#if defined(__x86_64__)
#include "arch/x86_64/split.inc"

/* The beginnings of a split function's prologue. */
#define CMP_LIMIT_RSP 0x243b4864        /* cmp %fs:0x70, %rsp: nine bytes */
#define CMP_LIMIT_RSP_REST 0x00007025
#define LEA_FRAME 0x249c8d4c            /* lea -frame(%rsp), %r11: eight bytes, as in a loop that probes the stack; then */
#define CMP_LIMIT_R11 0x1c3b4c64        /* cmp %fs:0x70, %r11: nine bytes */

        split_text
        .macro thunk register
        .globl  __x86_indirect_thunk_\register
        .type   __x86_indirect_thunk_\register, @function
        .p2align 4
__x86_indirect_thunk_\register:
        .cfi_startproc
        endbr64
        cmpq    BLOCK(CALL_LIMIT), %rsp
        jb      1f
        jmp     *%\register
1:      .ifnc \register, r11
        movq    %\register, %r11
        .endif
        jmp     weft_call_checked
        .cfi_endproc
        .size   __x86_indirect_thunk_\register, . - __x86_indirect_thunk_\register
        .endm
        .irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        thunk   \r
        .endr

        function __x86_indirect_thunk
        .cfi_def_cfa_offset 16
        popq    %r11
        .cfi_def_cfa_offset 8
        jmp     __x86_indirect_thunk_r11
        end_function __x86_indirect_thunk

        // r11: the target. First the most frequent: its own prologue sees to stack and preemption. What is read beyond the
        // first eight bytes, perhaps on the next page, is there: the beginning of an instruction has matched before it, or
        // one that no function ends with.
        function weft_call_checked
        movl    %r11d, %r10d
        andl    $0xfff, %r10d
        cmpl    $0xff8, %r10d
        ja      .Lcheck_rest            // the first eight bytes might lie across the end of the page
        cmpl    $CMP_LIMIT_RSP, (%r11)
        jne     1f
        cmpl    $CMP_LIMIT_RSP_REST, 4(%r11)
        je      .Lin_place
1:      cmpl    $LEA_FRAME, (%r11)
        jne     2f
        cmpl    $CMP_LIMIT_R11, 8(%r11)
        jne     2f
        cmpl    $CMP_LIMIT_RSP_REST, 12(%r11)
        je      .Lin_place
2:      cmpl    $ENDBR64, (%r11)
        jne     .Lcheck_rest
        cmpl    $CMP_LIMIT_RSP, 4(%r11)
        jne     3f
        cmpl    $CMP_LIMIT_RSP_REST, 8(%r11)
        je      .Lin_place
3:      cmpl    $LEA_FRAME, 4(%r11)
        jne     .Lcheck_rest
        cmpl    $CMP_LIMIT_R11, 12(%r11)
        jne     .Lcheck_rest
        cmpl    $CMP_LIMIT_RSP_REST, 16(%r11)
        je      .Lin_place
.Lcheck_rest:
        cmpq    $POISON, BLOCK(CALL_LIMIT)
        je      .Lpoisoned
.Lcheck_again:
        leaq    __start_weft_split_text(%rip), %r10
        cmpq    %r10, %r11
        jb      4f
        leaq    __stop_weft_split_text(%rip), %r10
        cmpq    %r10, %r11
        jb      .Lin_place
4:      // Direct mapped: slot by address, a second one beside it.
        movl    %r11d, %r10d
        shrl    $4, %r10d
        andl    $IN_PLACE_SLOTS - 1, %r10d
        pushq   %rax
        .cfi_adjust_cfa_offset 8
        leaq    weft_in_place(%rip), %rax
        cmpq    (%rax, %r10, 8), %r11
        je      5f
        cmpq    8(%rax, %r10, 8), %r11
5:      popq    %rax
        .cfi_adjust_cfa_offset -8
        je      .Lin_place
        call    weft_call_on_large
        ret
.Lin_place:
        jmp     *%r11

.Lpoisoned:
        take_poison_away %r10, .Lin_place
        call    weft_preempt_at_call
        cmpq    BLOCK(CALL_LIMIT), %rsp
        jb      .Lcheck_again
        jmp     *%r11
        end_function weft_call_checked

        split_stack_notes
#else
        .section .note.GNU-stack, "", @progbits
#endif
