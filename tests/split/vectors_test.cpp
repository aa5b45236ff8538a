// Wide vector registers carry arguments too, on CPUs that have them.
#include "split/segments.hpp"

#include <atomic>
#include <chrono>

#include <immintrin.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

// Defines, for vectors V: a function of eight of them, one that fills these and checks what comes back, and one that is the
// identity, for results.
#define WEFT_VECTOR_FUNCTIONS(name, V, isa)                                                        \
    [[gnu::noinline, gnu::target(isa)]] V name##_weigh(V a, V b, V c, V d, V e, V f, V g, V h) {   \
        asm volatile("");                                                                          \
        return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;                          \
    }                                                                                              \
    [[gnu::noinline, gnu::target(isa)]] bool name##_right(double x) {                              \
        V v;                                                                                       \
        constexpr int lanes = sizeof(V) / sizeof(double);                                          \
        for (int i = 0; i != lanes; ++i) v[i] = x + i;                                             \
        const V r = name##_weigh(v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7);              \
        for (int i = 0; i != lanes; ++i) {                                                         \
            if (r[i] != 36 * (x + i) + 168) return false;                                          \
        }                                                                                          \
        return true;                                                                               \
    }

using four = double __attribute__((vector_size(32)));
using eight = double __attribute__((vector_size(64)));
WEFT_VECTOR_FUNCTIONS(ymm, four, "avx2")
WEFT_VECTOR_FUNCTIONS(zmm, eight, "avx512f")

#pragma GCC diagnostic pop

class Vectors : public plain_runtime {
protected:
    static void kept_across_growth(bool (*right)(double)) {
        in_coroutine([=] { at_every_room([=] { EXPECT_TRUE(right(3)); }); });
    }
    static void kept_across_preemption(bool (*right)(double)) {
        weft::run(
            [=] {
                std::atomic<bool> stop{false};
                std::atomic<int> wrong{0};
                scope all;
                for (int k = 0; k != 4; ++k) {
                    all.go([&, k] {
                        for (double x = k; !stop.load(std::memory_order_relaxed); x += 1) {
                            wrong += !right(x);
                            if (x > 1e6) x = k;
                        }
                    });
                }
                wait_until([] { return stats().preemptions + stats().cut_ins > 100; });
                stop = true;
                all.join();
                EXPECT_EQ(wrong, 0);
            },
            {.processors = 2, .preempt_after = 100us});
    }
};

TEST_F(Vectors, Of32BytesAreKeptAcrossGrowth) {
    if (!__builtin_cpu_supports("avx2")) GTEST_SKIP();
    kept_across_growth(&ymm_right);
}
TEST_F(Vectors, Of32BytesAreKeptAcrossPreemption) {
    if (!__builtin_cpu_supports("avx2")) GTEST_SKIP();
    kept_across_preemption(&ymm_right);
}
TEST_F(Vectors, Of64BytesAreKeptAcrossGrowth) {
    if (!__builtin_cpu_supports("avx512f")) GTEST_SKIP();
    kept_across_growth(&zmm_right);
}
TEST_F(Vectors, Of64BytesAreKeptAcrossPreemption) {
    if (!__builtin_cpu_supports("avx512f")) GTEST_SKIP();
    kept_across_preemption(&zmm_right);
}

}  // namespace
}  // namespace weft::test
