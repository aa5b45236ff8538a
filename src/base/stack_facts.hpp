// Statements that say of a function what the compiler's call graph does not. They stand first in its body.
//
// Programs with split stacks get a runtime whose entries know how much stack they need (tools/split). The tool adds up
// frames along the call graph that g++ writes; it learns from these statements where a call through a pointer goes, and
// what a function is for. Each statement puts a record with its own address into the section `weft_stack_facts`, which
// never reaches a linked program, and no instruction into the code. Builds that make no such runtime define nothing, and
// the statements are empty.
//
//     WEFT_PARKS               coroutines wait in here: the tool must find a bound, and a small one
//     WEFT_DEEP                needs much stack, and neither parks nor calls the program: other objects call it on the
//                              scheduler stack. The function is [[gnu::noinline]], so that the record is its own.
//     WEFT_ENTERED             assembly calls it in the program's mode, as enter.<function>
//     WEFT_FITS(bytes)         it must not need more than that
//     WEFT_CALLS("hook")       it calls, through a pointer, the functions that say WEFT_CALLED_AS("hook"). Several
//     WEFT_CALLED_AS("hook")   may, and a caller may name several. Callers are WEFT_NOIPA: inlined or cloned, the call
//                              through a pointer would be somebody else's.
//     WEFT_CALLS_NOTHING       what it calls through a pointer runs elsewhere, on a stack with room
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#define WEFT_NOIPA [[gnu::noipa]]
#else
#define WEFT_NOIPA [[gnu::noinline]]
#endif

#if defined(WEFT_STACK_FACTS)
// A record is the address, and then four strings: kind, argument, file and line.
#define WEFT_STACK_FACT_AT(kind, argument, line)                                                   \
    asm inline volatile("8000:\n"                                                                  \
                        "\t.pushsection weft_stack_facts, \"\", @progbits\n"                       \
                        "\t.quad 8000b\n"                                                          \
                        "\t.asciz \"" kind "\", \"" argument "\", \"" __FILE__ "\", \"" #line      \
                        "\"\n"                                                                     \
                        "\t.popsection")
#define WEFT_STACK_FACT_IN(kind, argument, line) WEFT_STACK_FACT_AT(kind, argument, line)
#define WEFT_STACK_FACT(kind, argument) WEFT_STACK_FACT_IN(kind, argument, __LINE__)
#else
#define WEFT_STACK_FACT(kind, argument) static_cast<void>(0)
#endif

#define WEFT_PARKS WEFT_STACK_FACT("parks", "")
#define WEFT_DEEP WEFT_STACK_FACT("deep", "")
#define WEFT_ENTERED WEFT_STACK_FACT("entered", "")
#define WEFT_FITS(bytes) WEFT_STACK_FACT("fits", #bytes)
#define WEFT_CALLS(hook) WEFT_STACK_FACT("calls", hook)
#define WEFT_CALLED_AS(hook) WEFT_STACK_FACT("called as", hook)
#define WEFT_CALLS_NOTHING WEFT_STACK_FACT("calls nothing", "")
