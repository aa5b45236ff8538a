// Calls whose caller, to unwinders, is a context that does not run.
//
// ABI       System V x86-64; each function says its arguments.
// Registers rbx is saved; the rest are the caller's to lose.
// Calls     _Unwind_Backtrace (the compiler's runtime), and what weft_call_over is given.
//
// The unwinder finds a caller by what the call frame information at the call says: where the frame ends, and at which
// offsets from there the caller's registers were saved. That of the calls below does not describe these functions' own
// frames but the one that jump_fcontext left on the other stack, to which rbx points. So the unwinder takes the
// suspended context for our caller, and goes on through its frames like through any others. It only reads them: what
// it needs of stack is on ours.
//
// A thread that waits in the kernel shows no more of its registers than the stack pointer and the next instruction.
//
//     context   +0x38   where it goes on: weft_resume, in jump.S
//               +0x30   rbp
//               +0x28   rbx
//               +0x20   r15
//               +0x18   r14
//               +0x10   r13
//               +0x08   r12
//               +0x00   control words
#if defined(__x86_64__)
#include "arch/x86_64/function.inc"

        .text
        .hidden weft_unwind_parked, weft_unwind_from, weft_call_over, weft_goes_on_at_resume

// The first argument, across a call.
        .macro first_in_rbx
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        movq    %rdi, %rbx
        .endm
        .macro back_with_rbx
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        ret
        .endm

// To unwinders, behind it, rbx is a context and that context the caller. Until called_by_us.
        .macro called_by_context
        .cfi_remember_state
        .cfi_def_cfa %rbx, 0x40
        .cfi_offset %rbp, -0x10
        .cfi_offset %rbx, -0x18
        .cfi_offset %r15, -0x20
        .cfi_offset %r14, -0x28
        .cfi_offset %r13, -0x30
        .cfi_offset %r12, -0x38
        .endm
        .macro called_by_us
        nop
        .cfi_restore_state
        .endm

// _Unwind_Reason_Code weft_unwind_parked(const void* context, _Unwind_Trace_Fn each, void* argument)
        function weft_unwind_parked
        first_in_rbx
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        called_by_context
        call    _Unwind_Backtrace@PLT
        called_by_us
        back_with_rbx
        end_function weft_unwind_parked

// _Unwind_Reason_Code weft_unwind_from(const struct { void* pc; void* sp; }* at, _Unwind_Trace_Fn each, void* argument)
        function weft_unwind_from
        first_in_rbx
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        .cfi_remember_state
        .cfi_escape 0x0f, 3, 0x73, 8, 0x06      // DW_CFA_def_cfa_expression: the word at rbx + 8
        .cfi_escape 0x10, 16, 2, 0x73, 0        // DW_CFA_expression: the return address is at rbx
        .cfi_same_value %rbx
        call    _Unwind_Backtrace@PLT
        called_by_us
        back_with_rbx
        end_function weft_unwind_from

// void weft_call_over(const void* context, void (*f)(void*), void* argument)
        function weft_call_over
        first_in_rbx
        movq    %rdx, %rdi
        called_by_context
        call    *%rsi
        called_by_us
        back_with_rbx
        end_function weft_call_over

// bool weft_goes_on_at_resume(const void* context)
        function weft_goes_on_at_resume
        leaq    weft_resume(%rip), %rdx
        xorl    %eax, %eax
        cmpq    %rdx, 0x38(%rdi)
        sete    %al
        ret
        end_function weft_goes_on_at_resume
#endif
        .section .note.GNU-stack, "", @progbits
