// Where exceptions were thrown that end a coroutine: for WEFT_DEBUG=throwstack=1.
//
// An exception that has come to the end of its coroutine has left its stack behind. But the unwinder asks the frames for a
// catch clause before it leaves any. So the body of a coroutine is called from a frame (weft_call_noting_throws) which is
// asked only if nobody in the program catches this one, and which keeps the frames of the throw. What the program catches
// by itself costs nothing.
//
//     the unwinder, in its first phase    begins a note, as the coroutine's
//     the coroutine, in its last catch    names it by the exception object
//     reports                             find it by the exception object, however often that is thrown again since
//
// The last 64 are kept; an exception that ended its coroutine before so many others is reported without.
#pragma once

#include "stack/unwind.hpp"

#include <exception>

namespace weft::detail {

/// An exception as one object, which throwing it again does not change. Only to be compared.
[[nodiscard]] const void* object_of(const std::exception_ptr& e) noexcept;

/// The calling coroutine has ended by `e`, so the note that it began is of that object. One that was noted before was thrown
/// again by this coroutine and keeps its first note.
void name_throw(const std::exception_ptr& e) noexcept;

/// It has ended by one that nobody reports, so the note is of nothing.
void forget_throw() noexcept;

/// Copies the frames of the throw, those of the unwinder innermost. False: they are not known.
bool find_throw(const void* object, stack_ends& frames) noexcept;

}  // namespace weft::detail
