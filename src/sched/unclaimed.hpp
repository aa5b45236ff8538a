// Exceptions that ended a coroutine and that nobody has taken yet.
//
// A coroutine that ends by an exception while its join_handle lives keeps the exception until somebody joins. If nobody
// does, the program waits for work that will never come, and nothing says why. So such an end leaves a note, which dumps
// and the deadlock report show, and which is said on stderr a second later. The note has its text from the moment of the
// end: whoever reads it touches neither the exception, which the joiner may take meanwhile, nor the descriptor.
//
//     the coroutine, in its last catch    writes the note, puts it on the list, sets the timer if none is set
//     drop_extras(), when it is joined    takes the note off the list
//     the timer                           says those that are a second old, and is set for the next
//
// One timer at a time serves all notes. While no note is left to be said the timer's word is 0, so it counts for nothing:
// a deadlock is found as if there were no timer. A coroutine that ends by a value pays nothing; one whose extras are
// dropped pays the look at a pointer in them.
//
// Locking: one spin lock over list and timer; it is held for a few instructions, and for a copy.
#pragma once

#include <weft/detail/call_site.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <typeinfo>
#include <vector>

namespace weft::detail {

struct coroutine;
struct coroutine_extras;

struct unclaimed_end {
    std::uint64_t id = 0;
    call_site created_at;
    const std::type_info* type = nullptr;  // Null when the compiler's runtime does not know.
    std::int64_t ended_at = 0;
    bool said = false;
    std::array<char, 64> name{};   // Ends with a 0, and so does:
    std::array<char, 192> what{};  // Empty unless it is a std::exception.
};

/// A note, in the extras of its coroutine and on the list.
struct unclaimed_note : unclaimed_end {
    unclaimed_note* next = nullptr;
    unclaimed_note* prev = nullptr;
};

/// Notes the exception that is being handled; `e` is null when that is no std::exception. The coroutine itself, which has
/// a handle. Does nothing when memory ends.
void note_unclaimed(coroutine& c, const std::exception* e) noexcept;
/// Somebody has taken it, or the handle is gone.
void forget_unclaimed(coroutine_extras& extras) noexcept;

/// Copies up to `most` of them, the oldest first. Any thread. Throws std::bad_alloc. `more`: how many are left out.
[[nodiscard]] std::vector<unclaimed_end> unclaimed_ends(std::size_t most, std::size_t& more);
/// Calls f for each, unless the list is being changed: for a process that is stopped in a debugger. Waits for nothing.
void peek_unclaimed(void (*f)(const unclaimed_end&)) noexcept;

/// A runtime starts: its timers know nothing of earlier notes, which are not said any more.
void reset_unclaimed() noexcept;

}  // namespace weft::detail
