// In the place of the runtime, for programs that are linked and never run.
        .section weft_split_text, "ax", @progbits
        .macro entry name
        .globl  \name
        .type   \name, @function
\name:  ud2
        .size   \name, . - \name
        .endm
        entry   __morestack
        entry   __morestack_allocate_stack_space
        entry   __x86_indirect_thunk
        .irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        entry   __x86_indirect_thunk_\r
        .endr
        .section .note.GNU-split-stack, "", @progbits
        .section .note.GNU-no-split-stack, "", @progbits
        .section .note.GNU-stack, "", @progbits
