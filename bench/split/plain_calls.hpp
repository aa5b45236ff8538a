// Functions that know nothing of split stacks: plain_calls.cpp is compiled without the flags.
#pragma once

namespace bench {

int plain_leaf(int a, int b) noexcept;

}  // namespace bench
