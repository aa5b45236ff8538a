// Functions that know nothing of split stacks: plain_calls.cpp is compiled without the flags.
#pragma once

namespace bench {

int plain_leaf(int a, int b) noexcept;

/// What a call of it takes from code like this, through a pointer as across libraries. In nanoseconds.
double plain_call_ns() noexcept;

}  // namespace bench
