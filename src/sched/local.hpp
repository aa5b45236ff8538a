// What spawn does for coroutine-local variables that are inherited.
#pragma once

namespace weft::detail {

struct coroutine;

/// Gives `child`, which has not run yet, copies of the calling coroutine's (or thread's) inherited values.
/// What the copying throws leaves `child` with some of them.
void inherit_locals(coroutine& child);

}  // namespace weft::detail
