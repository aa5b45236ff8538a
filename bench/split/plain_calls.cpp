#include "plain_calls.hpp"

namespace bench {

int plain_leaf(int a, int b) noexcept { return a + b; }

}  // namespace bench
