#pragma once

#include <weft/chan.hpp>

namespace mixed {

/// Receives `count` numbers, in a coroutine of its own.
long reserved_sum(weft::chan<long>& from, int count);
/// Calls f, from code that knows nothing of split stacks.
void call_back(void (*f)(void*), void* argument);

}  // namespace mixed
