// Growing a split stack: what prologues call when the segment has no room for a frame, or its limit is poisoned.
//
// ABI       The compiler's own (g++ -fsplit-stack). A function that wants `frame` bytes begins
//
//               cmp  %fs:0x70, %rsp           or, from 256 bytes on,  lea -frame(%rsp), %r11;  cmp %fs:0x70, %r11
//               jb   slow
//         body: ...
//         slow: mov  $frame, %r10d
//               mov  $stack_argument_bytes, %r11d
//               call __morestack
//               ret                           <- the return address R
//               (endbr64, with -fcf-protection)
//               ...                           <- R + 1
//               jmp  body
//
//           To grow, call R + 1 on the new segment and return to R: calls and returns pair up, as the CPU's predictor
//           expects. Not to grow, jump there. With a variable number of arguments what is at R + 1 is
//           `lea 0x18(%rbp), %r11`, the address of the arguments on the old stack: so rbp is entry_rsp - 8 with the old rbp
//           under it, and who does not grow does that instruction's work and skips its four bytes.
// Registers All argument registers, the static chain (rax, by then) and AL, zmm0 to zmm7, and the callee-saved ones reach
//           R + 1 as they were. rax, rdx, xmm0, xmm1 and the x87 stack are the result on the way back.
// Calls     weft_slow_grow, weft_slow_shrink (sched/split_stack.cpp), on the scheduler stack; weft_preempt_here.
//
//     frame     +24  arguments on the stack
//               +16  the caller's return address
//               + 8  R
//               + 0  rbp                      <- rbp; `crossing` of the segment above
//               - 8  rax
//               -16  rcx
//               -24  where to call: R + 1
//               -32  rdx
//               -40  flags for the new segment
//               -48  of weft_grow_and_enter: how much the function needs
//               -56                          the function
//
// To unwinders the caller of the half-entered function is ours: the CFA is rbp + 24. An exception that passes this frame
// leaves the segment above it (weft_morestack_personality). The name __morestack is what gdb knows.
#if defined(__x86_64__)
#include "arch/x86_64/split.inc"

#define LEA_VARARGS 0x185d8d4c  /* lea 0x18(%rbp), %r11 */

        // The frame, down to rcx, of what was called with rbp untouched and is to be skipped as far as its return address.
        .macro crossing_frame
        .cfi_def_cfa %rsp, 16
        .cfi_restore %rbp
        pushq   %rbp
        .cfi_def_cfa_offset 24
        .cfi_offset %rbp, -24
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        pushq   %rax
        pushq   %rcx
        .endm

        split_text

        .globl  __morestack
        .type   __morestack, @function
        .p2align 4
__morestack:
        .cfi_startproc
        .cfi_personality 0x9b, DW.ref.weft_morestack_personality
        .cfi_lsda 0x1b, .Lno_actions
        crossing_frame
        movq    8(%rbp), %rax
        incq    %rax
        pushq   %rax
        pushq   %rdx
        pushq   $0
        cmpq    $POISON, STACK_LIMIT
        je      .Lpoisoned

        // r10: bytes of frame. r11: bytes of stack arguments.
.Lgrow:
        newest_segment %rax
        leaq    CROSSING_SLACK(%r10, %r11), %r10
        movzbl  SEGMENT_NEXT_CLASS(%rax), %ecx
        movl    SEGMENT_NEXT_USABLE(%rax), %edx
        cmpq    %r10, %rdx
        jb      .Ltry_large
.Lpop:  // rax: the segment we are on. ecx: the class of the next.
        movl    %ecx, %edx
        shll    $LIST_LOG2_SIZE, %edx
        addq    BLOCK(SEGMENTS), %rdx
        movq    LIST_HEAD(%rdx), %rcx
        testq   %rcx, %rcx
        jz      .Lgrow_slow
        movq    SEGMENT_LINK(%rcx), %r10
        movq    %r10, LIST_HEAD(%rdx)
        incq    LIST_ROOM(%rdx)
.Lhave: // rcx: the new one.
        movq    %rax, SEGMENT_BELOW(%rcx)
        movq    %rbp, SEGMENT_CROSSING(%rcx)
        movl    SEGMENT_DEPTH(%rax), %edx
        addl    SEGMENT_SIZE(%rcx), %edx
        movl    %edx, SEGMENT_DEPTH(%rcx)
        movzwl  SEGMENT_FLAGS(%rax), %edx
        orw     -40(%rbp), %dx
        movw    %dx, SEGMENT_FLAGS(%rcx)
        movq    BLOCK(CURRENT), %rdx
        movq    %rcx, COROUTINE_STACK(%rdx)
        enter_user_mode %rcx, %rdx
        testq   %r11, %r11
        jnz     .Lcopy
        movq    %rcx, %r11              // the new stack pointer: the header, whose address is a multiple of 64
.Lcall:
        movq    -24(%rbp), %r10
        movq    -32(%rbp), %rdx
        movq    -16(%rbp), %rcx
        movq    -8(%rbp), %rax
        movq    %r11, %rsp
        call    *%r10

        // Back. The thread may be another one.
        newest_segment %rsi
        movzbl  SEGMENT_CLASS(%rsi), %ecx
        movq    SEGMENT_BELOW(%rsi), %rdi
        cmpq    $0, SEGMENT_DYNAMIC(%rsi)
        jne     .Lshrink_slow
        cmpl    $CLASS_LARGE, %ecx
        jae     1f
        movq    SEGMENT_LIMIT(%rsi), %r8
        cmpq    $SEGMENT_CANARY, -RED_ZONE(%r8)
        jne     .Lshrink_slow           // which says so
1:      ja      .Lshrink_slow           // a huge one
        shll    $LIST_LOG2_SIZE, %ecx
        addq    BLOCK(SEGMENTS), %rcx
        decq    LIST_ROOM(%rcx)
        js      .Lshrink_full
        movq    LIST_HEAD(%rcx), %r8
        movq    %r8, SEGMENT_LINK(%rsi)
        movq    %rsi, LIST_HEAD(%rcx)
.Lshrunk:
        movq    BLOCK(CURRENT), %r8
        movq    %rdi, COROUTINE_STACK(%r8)
        enter_user_mode %rdi, %r8
        movq    %rbp, %rsp
        .cfi_remember_state
        popq    %rbp
        .cfi_restore %rbp
        .cfi_def_cfa %rsp, 16
        ret
        .cfi_restore_state

.Ltry_large:
        movl    $CLASS_LARGE, %ecx
        cmpq    $(1024 << CLASS_LARGE) - SEGMENT_HEADER_SIZE - RED_ZONE, %r10
        jbe     .Lpop
        jmp     .Lgrow_slow

        // r11 bytes at rbp + 24 go below the header, at an address that is congruent modulo 64: some are aligned.
.Lcopy:
        leaq    24(%rbp), %rax
        movq    %rcx, %r10
        subq    %r11, %r10
        subq    $64, %r10
        andq    $-64, %r10
        movq    %rax, %rdx
        andl    $63, %edx
        addq    %rdx, %r10
        cmpq    $128, %r11
        ja      2f
1:      movq    -8(%rax, %r11), %rdx
        movq    %rdx, -8(%r10, %r11)
        subq    $8, %r11
        ja      1b
        movq    %r10, %r11
        jmp     .Lcall
2:      movq    %rdi, -8(%r10)
        movq    %rsi, -16(%r10)
        movq    %rax, %rsi
        movq    %r10, %rdi
        movq    %r11, %rcx
        shrq    $3, %rcx
        rep movsq
        movq    -8(%r10), %rdi
        movq    -16(%r10), %rsi
        movq    %r10, %r11
        jmp     .Lcall

        // The lists are empty, or it is to be larger than any of them has. Vector registers carry arguments, and the
        // C++ half may use them.
.Lgrow_slow:
        movq    BLOCK(SCHEDULER_SP), %rcx
        subq    $1024, %rcx
        andq    $-64, %rcx
        movq    %rdi, (%rcx)
        movq    %rsi, 8(%rcx)
        movq    %r8, 16(%rcx)
        movq    %r9, 24(%rcx)
        movq    %r11, 32(%rcx)
        movq    %rsp, 40(%rcx)
        movq    %rcx, %rsp
        leaq    64(%rsp), %rdi          // not the register buffer: a preemption may be under way
        each_vector save, %rdi
        movq    -40(%rbp), %rdx
        movq    %r10, %rdi              // what is needed; 0 for a large one
        movq    %rax, %rsi
        enter_runtime_mode
        // If this ends in a report of an overflow, the half-entered function is the one that it must name.
        .cfi_remember_state
        .cfi_def_cfa %rbp, 16
        .cfi_offset %rbp, -16
        call    weft_slow_grow
        nop
        .cfi_restore_state
        movq    %rax, %rcx
        leaq    64(%rsp), %rdi
        each_vector load, %rdi
        movq    (%rsp), %rdi
        movq    8(%rsp), %rsi
        movq    16(%rsp), %r8
        movq    24(%rsp), %r9
        movq    32(%rsp), %r11
        movq    40(%rsp), %rsp
        newest_segment %rax
        jmp     .Lhave

.Lshrink_full:
        incq    LIST_ROOM(%rcx)
        // With something to clean up, a list that is full, or an overflow to report. rax, rdx and xmm0, xmm1 are the
        // result; the x87 stack is not touched.
.Lshrink_slow:
        movq    BLOCK(SCHEDULER_SP), %rsp
        subq    $1024, %rsp
        andq    $-64, %rsp
        movq    %rax, (%rsp)
        movq    %rdx, 8(%rsp)
        movq    %rdi, 16(%rsp)
        leaq    64(%rsp), %rdi          // the register buffer may hold arguments of a call that was preempted
        each_vector save, %rdi
        movq    %rsi, %rdi
        enter_runtime_mode
        call    weft_slow_shrink
        leaq    64(%rsp), %rdi
        each_vector load, %rdi
        movq    (%rsp), %rax
        movq    8(%rsp), %rdx
        movq    16(%rsp), %rdi
        jmp     .Lshrunk

        // The limit says: preempt. It is taken away first, then the request is looked at; weft_preempt_here does.
.Lpoisoned:
        take_poison_away %rcx, .Lstay
        call    weft_preempt_at_call
        // Does the frame need more as well?
        newest_segment %rax
        leaq    16(%rbp), %rcx
        subq    %r10, %rcx
        cmpq    SEGMENT_LIMIT(%rax), %rcx
        jb      .Lgrow
.Lstay: // Into the callee, on this segment.
        movq    -24(%rbp), %r10
        cmpl    $ENDBR64, (%r10)
        jne     1f
        addq    $4, %r10
1:      cmpl    $LEA_VARARGS, (%r10)
        jne     2f
        addq    $4, %r10
        leaq    24(%rbp), %r11
2:      movq    -32(%rbp), %rdx
        movq    -16(%rbp), %rcx
        movq    -8(%rbp), %rax
        .cfi_remember_state
        movq    %rbp, %rsp
        popq    %rbp
        .cfi_restore %rbp
        .cfi_def_cfa %rsp, 16
        leaq    8(%rsp), %rsp
        .cfi_def_cfa_offset 8
        jmp     *%r10
        .cfi_restore_state

        // The same for a call whose target checks nothing (thunks.S): in r11. The size of its arguments on the stack is
        // unknown; all up to the end of the segment go along, within reason.
        .globl  weft_call_on_large
        .hidden weft_call_on_large
weft_call_on_large:
        crossing_frame
        pushq   %r11
        pushq   %rdx
        pushq   $SEGMENT_BORROWED
        newest_segment %rax
        movq    %rax, %r11
        leaq    24(%rbp), %rcx
        subq    %rcx, %r11
        andq    $-8, %r11
        cmpq    $ARGUMENTS_COPIED, %r11
        jbe     1f
        movl    $ARGUMENTS_COPIED, %r11d
1:      xorl    %r10d, %r10d
        movl    $CLASS_LARGE, %ecx
        jmp     .Lpop

        // And for a function of the runtime that needs more than the segment has (enter.S): it is in r11, its need in r10.
        .globl  weft_grow_and_enter
        .hidden weft_grow_and_enter
weft_grow_and_enter:
        crossing_frame
        leaq    .Lenter_again(%rip), %rax
        pushq   %rax
        pushq   %rdx
        pushq   $GROW_FOR_ROOM
        pushq   %r10
        pushq   %r11
        xorl    %r11d, %r11d
        jmp     .Lgrow

        // And for a function of the program that is to have r10 bytes: it is in r11.
        .globl  weft_grow_and_call
        .hidden weft_grow_and_call
weft_grow_and_call:
        crossing_frame
        pushq   %r11
        pushq   %rdx
        pushq   $GROW_FOR_ROOM
        xorl    %r11d, %r11d
        jmp     .Lgrow
        .cfi_endproc
        .size   __morestack, . - __morestack

        function .Lenter_again
        movq    -48(%rbp), %r10
        movq    -56(%rbp), %r11
        jmp     weft_enter_here
        end_function .Lenter_again

// From shared objects: module.S.
        .macro from_module name, to
        function \name
        jmp     \to
        end_function \name
        .endm
        from_module weft_module_morestack, __morestack
        from_module weft_module_allocate_stack_space, __morestack_allocate_stack_space

// -mcmodel=large: both sizes in r10.
        .globl  __morestack_large_model
        .type   __morestack_large_model, @function
__morestack_large_model:
        .cfi_startproc
        .cfi_def_cfa_offset 16
        movq    %r10, %r11
        movl    %r10d, %r10d
        sarq    $32, %r11
        jmp     __morestack
        .cfi_endproc
        .size   __morestack_large_model, . - __morestack_large_model

// Saves everything that may carry an argument, and lets the scheduler preempt: a call that changes no register.
//
// They go into the thread's register buffer, for there may be little room here. weft_preempt_here takes that along.
//
//     frame     + 8  return address
//               + 0  rbp
//               - 8  rax
        function weft_preempt_at_call
        make_frame
        pushq   %rax
        movq    BLOCK(REGISTERS), %rax
        movq    %rcx, SAVED_RCX(%rax)
        movq    %rdx, SAVED_RDX(%rax)
        movq    %rsi, SAVED_RSI(%rax)
        movq    %rdi, SAVED_RDI(%rax)
        movq    %r8, SAVED_R8(%rax)
        movq    %r9, SAVED_R9(%rax)
        movq    %r10, SAVED_R10(%rax)
        movq    %r11, SAVED_R11(%rax)
        each_vector save, %rax
        andq    $-16, %rsp
        call    enter.weft_preempt_here
        movq    BLOCK(REGISTERS), %rax
        each_vector load, %rax
        movq    SAVED_RCX(%rax), %rcx
        movq    SAVED_RDX(%rax), %rdx
        movq    SAVED_RSI(%rax), %rsi
        movq    SAVED_RDI(%rax), %rdi
        movq    SAVED_R8(%rax), %r8
        movq    SAVED_R9(%rax), %r9
        movq    SAVED_R10(%rax), %r10
        movq    SAVED_R11(%rax), %r11
        leaq    -8(%rbp), %rsp
        popq    %rax
        leave_frame
        end_function weft_preempt_at_call

// void* __morestack_allocate_stack_space(size_t size): memory that lives as long as the calling frame, when the segment
// has no room for it.
        function __morestack_allocate_stack_space
        leaq    8(%rsp), %rsi           // the caller's stack pointer tells its frame
        leaq    weft_slow_allocate(%rip), %r11
        jmp     weft_enter_far
        end_function __morestack_allocate_stack_space

        personality_reference weft_morestack_personality
        no_actions
        split_stack_notes
#else
        .section .note.GNU-stack, "", @progbits
#endif
