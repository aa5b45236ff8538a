// Where exceptions were thrown that end a coroutine: for WEFT_DEBUG=throwstack=1.
//
// An exception that has come to the end of its coroutine has left its stack behind. But the unwinder asks the frames for a
// catch clause before it leaves any. So the body of a coroutine is called from a frame (weft_call_noting_throws) which is
// asked only if nobody in the coroutine catches this one, and which keeps the frames of the throw. What the program catches
// by itself costs nothing.
//
//     the unwinder, in its first phase    begins a note, as the coroutine's
//     the coroutine, in its last catch    names it by the exception object
//     reports                             find it by the exception object, however often that is thrown again since
//
// A named note keeps its exception alive, so no other object can come to the same address. The last 64 are kept; an exception
// that ended its coroutine before so many others is reported without.
#pragma once

#include "stack/unwind.hpp"

#include <exception>

namespace weft::detail {

/// The calling coroutine has ended by `e`, so the note that it began is of that object, unless an earlier one is: then it has
/// only thrown the object again. Returns an exception that is no longer kept, for the caller to drop.
[[nodiscard]] std::exception_ptr name_throw(const std::exception_ptr& e) noexcept;

/// The calling coroutine has ended by an exception that nobody reports: drops the note that it began.
void forget_throw() noexcept;

/// Copies the frames of the throw, those of the unwinder innermost. Returns false if they are not known.
bool find_throw(const std::exception_ptr& e, stack_ends& frames) noexcept;

/// Drops all notes, and with them exceptions of the program's. No coroutine is left.
void forget_throws() noexcept;

}  // namespace weft::detail
