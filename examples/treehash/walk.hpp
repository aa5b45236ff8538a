// The two ways to walk a tree. They find the same, to the last digit; one of them has no use for weft.
#pragma once

#include "tally.hpp"
#include "visitor.hpp"

namespace treehash {

/// One thing after the other, in the calling thread.
tally walk_sequential(int top, progress& shown);

/// With coroutines; called in one. At most `open_max` files and directories are open at once, `top`
/// aside; 1 counts as 2, a directory and a file in it.
tally walk_concurrent(int top, unsigned open_max, progress& shown);

}  // namespace treehash
