// The stack that a coroutine has left for a larger one, for whoever reads its stacks from outside.
//
// While a function runs on a borrowed stack, the coroutine's own one (or one that it had borrowed before) waits below it.
// A note at the top of the borrowed one says where.
//
//     borrowed   [ guard | ............ frames | note ]
//     home       [ guard | ............ | frames .... ]
//                                        ^ note.context
#pragma once

#include "context/context.hpp"
#include "stack/reserved_stack.hpp"

namespace weft::detail {

struct alignas(64) borrowed_note {
    stack_ref home;
    context_ref context;  // Null until the borrowed stack has been entered.
    bool home_is_borrowed;
};

/// Of a borrowed stack: a coroutine's with trait_borrows, or the home of such a note.
[[nodiscard]] inline borrowed_note& note_of_borrowed(stack_ref stack) noexcept {
    return *reinterpret_cast<borrowed_note*>(stack.top() - sizeof(borrowed_note));
}

}  // namespace weft::detail
