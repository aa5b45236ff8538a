// Compiled for split stacks. Its copy of in_both() loses to that of inline_copy_plain.cpp if that is linked first.
#include "inline_copy.hpp"

namespace app {
[[gnu::noinline]] int caller(int n) { return in_both(n) + 1; }
}  // namespace app

int main(int argc, char**) { return app::caller(argc) + app::elsewhere(argc); }
