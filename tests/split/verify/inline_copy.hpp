#pragma once

namespace app {
[[gnu::noinline]] inline int in_both(int n) {
    volatile int result = n * 2;
    return result;
}
int elsewhere(int n);
}  // namespace app
