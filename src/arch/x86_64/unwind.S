// weft_unwind_parked: _Unwind_Backtrace over a context that does not run.
//
// ABI       _Unwind_Reason_Code weft_unwind_parked(const void* context, _Unwind_Trace_Fn each, void* argument),
//           System V x86-64: context in rdi, each in rsi, argument in rdx.
// Registers rbx is saved; the rest are the caller's to lose.
// Calls     _Unwind_Backtrace (the compiler's runtime).
//
// The unwinder finds a caller by what the call frame information at the call says: where the frame ends, and at which
// offsets from there the caller's registers were saved. That of the call below does not describe this function's frame
// but the one that jump_fcontext left on the other stack. So the unwinder takes the suspended context
// for our caller, and goes on through its frames like through any others. It only reads them: what it needs of
// stack is on ours.
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
        .text
        .globl  weft_unwind_parked
        .hidden weft_unwind_parked
        .type   weft_unwind_parked, @function
        .p2align 4
weft_unwind_parked:
        .cfi_startproc
        endbr64
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        movq    %rdi, %rbx
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        .cfi_remember_state
        .cfi_def_cfa %rbx, 0x40
        .cfi_offset %rbp, -0x10
        .cfi_offset %rbx, -0x18
        .cfi_offset %r15, -0x20
        .cfi_offset %r14, -0x28
        .cfi_offset %r13, -0x30
        .cfi_offset %r12, -0x38
        call    _Unwind_Backtrace@PLT
        nop
        .cfi_restore_state
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        ret
        .cfi_endproc
        .size   weft_unwind_parked, . - weft_unwind_parked

// bool weft_goes_on_at_resume(const void* context)
        .globl  weft_goes_on_at_resume
        .hidden weft_goes_on_at_resume
        .type   weft_goes_on_at_resume, @function
        .p2align 4
weft_goes_on_at_resume:
        .cfi_startproc
        endbr64
        leaq    weft_resume(%rip), %rdx
        xorl    %eax, %eax
        cmpq    %rdx, 0x38(%rdi)
        sete    %al
        ret
        .cfi_endproc
        .size   weft_goes_on_at_resume, . - weft_goes_on_at_resume
#endif
        .section .note.GNU-stack, "", @progbits
