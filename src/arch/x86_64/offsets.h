/* What assembly knows of the layout of C++ structures, and what both must agree on. The C++ side asserts each of
   these: sched/split_stack.cpp. */
#pragma once

/* thread_block (weft/detail/thread_block.hpp) */
#define BLOCK_CURRENT 16
#define BLOCK_LIMIT 32
#define BLOCK_CALL_LIMIT 40
#define BLOCK_POISONED 48
#define BLOCK_SEGMENTS 56
#define BLOCK_SCHEDULER_SP 64
#define BLOCK_STACK_LOW 72
#define BLOCK_STACK_HIGH 80
#define BLOCK_REGISTERS 88

/* coroutine (sched/coroutine.hpp) */
#define COROUTINE_STACK 32

/* segment (stack/segment.hpp) */
#define SEGMENT_BELOW 0
#define SEGMENT_LIMIT 8
#define SEGMENT_CALL_LIMIT 16
#define SEGMENT_LINK 24
#define SEGMENT_CROSSING 32
#define SEGMENT_DYNAMIC 40
#define SEGMENT_DEPTH 48
#define SEGMENT_CLASS 52
#define SEGMENT_NEXT_CLASS 53
#define SEGMENT_FLAGS 54
#define SEGMENT_SIZE 56
#define SEGMENT_NEXT_USABLE 60
#define SEGMENT_HEADER_SIZE 64

/* Flags of a segment. */
#define SEGMENT_BORROWED 1
#define SEGMENT_REGISTERS 2
#define GROW_FOR_ROOM 0x10000 /* beside the flags that weft_slow_grow gets: the caller has asked for so much room */

/* segment_cache (stack/segment_cache.hpp): one list a class, 16 bytes each. */
#define LIST_LOG2_SIZE 4
#define LIST_HEAD 0
#define LIST_ROOM 8

/* Sizes: class c has 1 KiB << c. */
#define SEGMENT_CLASSES 7
#define CLASS_LARGE 6
#define CLASS_HUGE 7

/* How far a frame may go below the limit: up to 255 bytes that a small frame does not check, a preemption's and a
   crossing's own. */
#define RED_ZONE 512

/* What code that does not check is promised, beside the red zone, before it gets a large segment. */
#define CALL_ROOM 16384

/* Stack arguments that go along into a segment when their size is unknown. */
#define ARGUMENTS_COPIED 4096

/* Room for a crossing, in what it asks for: its frame, alignment, and where copied arguments begin. */
#define CROSSING_SLACK (RED_ZONE + 128)

/* The limit that asks for a preemption: above every stack pointer, as an unsigned number. */
#define POISON (-4096)

/* The lowest word of a small segment. */
#define SEGMENT_CANARY 0x5eed5afe

/* The buffer for registers that carry arguments: zmm0 to zmm7 at most, and then those below. */
#define SAVED_RCX 512
#define SAVED_RDX 520
#define SAVED_RSI 528
#define SAVED_RDI 536
#define SAVED_R8 544
#define SAVED_R9 552
#define SAVED_R10 560
#define SAVED_R11 568
#define SAVED_SIZE 576

/* Slots of the table of functions that are called in place. */
#define IN_PLACE_SLOTS 256
