// The ways between a coroutine's own code and the runtime, when the stack is split.
//
//     weft_enter_here     into the runtime, on the same segment if `need` bytes fit there, else on a larger one
//     weft_enter_far      into the runtime, on the scheduler stack: for what neither parks nor calls the program
//     weft_call_user      out of it: calls a function of the program's from inside the runtime
//     weft_user           the same for a function of others' that may call the program
//     weft_call_user_with_room    the same with so much stack as it says
//     weft_call_inside_with_room  within it: calls a function of the runtime's with so much stack as it says
//     weft_far            within it: calls what needs an unknown amount of stack, on the scheduler stack
//     weft_on_scheduler_stack     the same for a function of the runtime's
//
// ABI       System V x86-64. The stubs in front of the runtime's functions (split_stubs.S, made by tools/split) leave the
//           function to call in r11 and what it needs of the stack in r10d, and jump here. All argument registers and rax
//           arrive as they were, all result registers leave as they are. No function of the runtime that is called from
//           outside has arguments on the stack: they would not be where it looks.
// Registers r10 and r11 are lost on the way in, rcx, rsi, rdi and r8 on the way out: nobody keeps anything in them
//           across a call.
// Calls     what is in r11; weft_grow_and_enter, weft_grow_and_call (morestack.S).
//
//     frame     +16  the caller's
//               + 8  return address
//               + 0  rbp
//
// Inside the runtime the limit is 0, so that no prologue grows or preempts: not even of a template that the linker has
// taken from a split object. A thread whose limit is 0 already (a scheduler stack, a reserved stack, a plain thread, a signal
// handler, or the runtime itself) passes through.
//
// An exception on its way out passes these frames; their personality routines put the limit right.
#if defined(__x86_64__)
#include "arch/x86_64/split.inc"

        split_text
        function weft_enter_here
        .cfi_personality 0x9b, DW.ref.weft_entered_personality
        .cfi_lsda 0x1b, .Lno_actions
        cmpq    $0, BLOCK(LIMIT)
        je      .Lpass
        movl    %r10d, %r10d
        addq    BLOCK(LIMIT), %r10
        subq    $RED_ZONE - 16, %r10    // the lowest address that may be written, less what is needed
        cmpq    %r10, %rsp
        jb      .Lenter_elsewhere
        make_frame
        enter_runtime_mode
        call    *%r11
        newest_segment %rcx
        enter_user_mode %rcx, %rsi
        leave_frame
.Lpass:
        .cfi_def_cfa %rsp, 8
        .cfi_restore %rbp
        jmp     *%r11
.Lenter_elsewhere:
        addq    $RED_ZONE - 16, %r10
        subq    BLOCK(LIMIT), %r10
        call    weft_grow_and_enter
        ret
        end_function weft_enter_here

        function weft_enter_far
        .cfi_personality 0x9b, DW.ref.weft_entered_personality
        .cfi_lsda 0x1b, .Lno_actions
        cmpq    $0, BLOCK(LIMIT)
        je      1f
        make_frame
        enter_runtime_mode
        call    __morestack
        newest_segment %rcx
        enter_user_mode %rcx, %rsi
        leave_frame
1:      .cfi_def_cfa %rsp, 8
        .cfi_restore %rbp
        jmp     *%r11
        end_function weft_enter_far

// void* weft_call_user(void (*f)(), void* a, void* b): f(a, b).
        function weft_call_user
        movq    %rdi, %r11
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        jmp     weft_user
        end_function weft_call_user

// Function in r11, as it is called anywhere, but without arguments on the stack.
        function weft_user
        .cfi_personality 0x9b, DW.ref.weft_user_personality
        .cfi_lsda 0x1b, .Lno_actions
        cmpq    $0, BLOCK(LIMIT)
        jne     1f                      // it is the program that calls
        newest_segment_if_split %r10, 1f
        cmpq    BLOCK(STACK_HIGH), %rsp
        jae     2f
        cmpq    BLOCK(STACK_LOW), %rsp
        jae     1f                      // on the scheduler stack
2:      make_frame
        pushq   %rax
        enter_user_mode %r10, %rax
        movq    (%rsp), %rax
        movq    %rbp, %rsp
        call    __x86_indirect_thunk_r11
        enter_runtime_mode
        leave_frame
1:      .cfi_def_cfa %rsp, 8
        .cfi_restore %rbp
        jmp     *%r11
        end_function weft_user

// bool name(void (*f)(void*), void* argument, size_t bytes)
        .macro calls_with_room name, grow
        function \name
        .cfi_personality 0x9b, DW.ref.weft_user_personality
        .cfi_lsda 0x1b, .Lno_actions
        xorl    %eax, %eax
        newest_segment_if_split %rcx, .Lreserved\@
        make_frame
        movq    %rdi, %r11
        movq    %rsi, %rdi
        movq    %rdx, %r10
        call    .Lhere\@
        enter_runtime_mode
        movl    $1, %eax
        leave_frame
.Lhere\@:
        call    \grow
        ret
.Lreserved\@:
        .cfi_def_cfa %rsp, 8
        .cfi_restore %rbp
        ret
        end_function \name
        .endm
        calls_with_room weft_call_user_with_room, weft_grow_and_call
        calls_with_room weft_call_inside_with_room, weft_grow_and_enter

// Function in r11, as it is called anywhere, but without arguments on the stack.
        function weft_far
        cmpq    $0, BLOCK(SCHEDULER_SP)
        je      1f
        cmpq    BLOCK(STACK_HIGH), %rsp
        jae     2f
        cmpq    BLOCK(STACK_LOW), %rsp
        jae     1f                      // on the scheduler stack already
2:      cmpq    $0, BLOCK(LIMIT)
        je      __morestack
        jmp     weft_enter_far          // called in the program's mode: its limit says nothing of that stack
1:      jmp     *%r11
        end_function weft_far

// Calls r11 on the scheduler stack. Local, and not the one of morestack.S: it is the one name by which gdb knows that a
// stack goes on elsewhere.
        .type   __morestack, @function
        .p2align 4
__morestack:
        .cfi_startproc
        make_frame
        movq    BLOCK(SCHEDULER_SP), %rsp
        subq    $256, %rsp
        andq    $-16, %rsp
        // rbp may be in a callee's frame, or nowhere, when another thread looks at this stack (stack/unwind.hpp).
        movq    %rbp, 8(%rsp)
        .cfi_remember_state
        .cfi_escape 0x0f, 5, 0x77, 8, 0x06, 0x23, 16    // DW_CFA_def_cfa_expression: the word at rsp + 8, and 16
        call    *%r11
        .cfi_restore_state
        movq    %rbp, %rsp
        leave_frame
        .cfi_endproc
        .size   __morestack, . - __morestack

// void weft_on_scheduler_stack(void (*f)(void*), void* argument): f in the runtime's mode, and there. It does not park.
        function weft_on_scheduler_stack
        movq    %rdi, %r11
        movq    %rsi, %rdi
        jmp     weft_far
        end_function weft_on_scheduler_stack

        personality_reference weft_entered_personality
        personality_reference weft_user_personality
        no_actions
        split_stack_notes
#else
        .section .note.GNU-stack, "", @progbits
#endif
