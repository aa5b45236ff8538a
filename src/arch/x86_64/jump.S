// weft_jump: a jump to another context that keeps the CPU's return predictor in step.
//
// ABI       raw_arrival weft_jump(context_ref to, void* word), System V x86-64: to in rdi, word in rsi,
//           the two results in rax and rdx.
// Registers as jump_fcontext: it saves the callee-saved ones, the rest are the caller's to lose.
// Calls     jump_fcontext (Boost.Context).
//
// jump_fcontext is called but does not return: it leaves by an indirect jump to the return address of the
// context it continues. The CPU pairs calls with returns on a stack of its own, so after each such jump that
// stack has one entry too many, and every return from there on, up to the end of the chain, is mispredicted:
// about 6 ns each. Here the way in is a jump, not a call, and the way out a `ret` that pairs with the call of
// weft_jump in the context that is left. Both contexts mostly stand at the same call, and then the prediction,
// and all those behind it, are right.
//
//     frame     + 8   return address of weft_jump's caller
//               + 0   weft_resume: the "return address" that jump_fcontext continues at
//
// An unwinder looks up the byte before a return address. That before weft_resume, which is never executed, has the
// frame of weft_resume: see unwind.S.
#if defined(__x86_64__)
        .text
        .globl  weft_jump
        .hidden weft_jump
        .type   weft_jump, @function
        .p2align 4
weft_jump:
        .cfi_startproc
        endbr64
        leaq    weft_resume(%rip), %rax
        pushq   %rax
        .cfi_adjust_cfa_offset 8
        jmp     *jump_fcontext@GOTPCREL(%rip)
        .cfi_adjust_cfa_offset -8
        nop
        .p2align 4
        .globl  weft_resume
        .hidden weft_resume
weft_resume:
        ret
        .cfi_endproc
        .size   weft_jump, . - weft_jump
#endif
        .section .note.GNU-stack, "", @progbits
