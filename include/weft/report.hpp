// Looking into a program that runs.
#pragma once

#include <weft/version.hpp>

#include <iosfwd>

namespace weft::report {

/// Writes every coroutine: id, name, state, what it waits for and for how long, its stack, and where it was created.
/// The text has the shape of Go's, the caller's block first. Coroutines that are alike have one block together, unless the
/// program runs under WEFT_DEBUG=dump=full:
///
///     coroutine 7 'parser' [join of coroutine 8, 3 s]:
///     parse(std::istream&)
///             parser.cpp:88 +0x45
///     created at main.cpp:12
///
///     2500 coroutines [mutex 0x5581, held by coroutine 1 'main', up to 3 s]: 9 'w1', 10, 11, 12, 13, ...
///     update(table&)
///             table.cpp:17 +0x2e
///     created at main.cpp:20
///
/// Above the blocks stand coroutines that wait for each other in a ring, and those that ended by an exception that nobody
/// has taken, a line each.
///
/// From any thread, also in a coroutine; the others go on meanwhile, so each is shown as it was at some moment of the
/// call. Stacks of coroutines that run on other threads are not available. How long one has waited is known to
/// a second or so, and not below one. While no runtime is up one line says so.
///
/// Throws what `out` throws, and std::bad_alloc.
void dump(std::ostream& out);

}  // namespace weft::report
