#include "plain_calls.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace bench {

int plain_leaf(int a, int b) noexcept { return a + b; }

double plain_call_ns() noexcept {
    constexpr int calls = 2'000'000;
    int (*const volatile leaf)(int, int) noexcept = &plain_leaf;
    volatile int sink = 0;
    double least = std::numeric_limits<double>::max();
    for (int round = 0; round != 5; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i != calls; ++i) sink = leaf(i & 15, 2);
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - start;
        least = std::min(least, took.count() / calls);
    }
    static_cast<void>(sink);
    return least;
}

}  // namespace bench
