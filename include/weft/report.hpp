// Looking into a program that runs.
#pragma once

#include <iosfwd>

namespace weft::report {

/// Writes every coroutine: id, name, state, what it waits for and for how long, its stack, and where it was created.
/// The text has the shape of Go's, a block for each, the caller's first:
///
///     coroutine 7 'parser' [join of coroutine 8, 3 s]:
///     parse(std::istream&)
///             parser.cpp:88 +0x45
///     created at main.cpp:12
///
/// From any thread, also in a coroutine; the others go on meanwhile, so each is shown as it was at some moment of the
/// call. Stacks of coroutines that run on other threads are not available. How long one has waited is known to
/// a second or so, and not below one. While no runtime is up one line says so.
///
/// Throws what `out` throws, and std::bad_alloc.
void dump(std::ostream& out);

}  // namespace weft::report
