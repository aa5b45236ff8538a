#include "inline_copy.hpp"

namespace app {
int elsewhere(int n) { return in_both(n); }
}  // namespace app
