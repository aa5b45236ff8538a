// Requests to preempt, as fast as they can be made, against code that grows, shrinks, parks, throws and borrows: no
// limit gets lost and none stays, whoever of the two comes first.
#include "sched/preempt.hpp"
#include "split/segments.hpp"
#include "split/variadic.hpp"
#include "support/stress.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#define FOREIGN_SHARED
#include "split/foreign.hpp"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

[[gnu::noinline]] long weigh(long a, long b, long c, long d, long e, long f, long g, double x,
                             double y) {
    asm volatile("");
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + static_cast<long>(8 * x + 9 * y);
}

[[gnu::noinline]] int recurse(int depth) {
    volatile char frame[120];
    frame[0] = 1;
    if (depth == 0) return 0;
    return recurse(depth - 1) + frame[0];
}

[[gnu::noinline]] int throw_below(int depth) {
    volatile char frame[120];
    frame[0] = 1;
    if (depth == 0) throw 42;
    return throw_below(depth - 1) + frame[0];
}

// How many things were not as they should be.
int one_round(int k) {
    int wrong = 0;
    wrong += weigh(k, 2, 3, 4, 5, 6, 7, 8, 9) != 284 + k;
    wrong += sum_variadic(4, k, 2.0, 3, 4.0) != k + 9;
    wrong += recurse(60) != 60;
    wrong += foreign_shared::deep(k) != k + 1;
    wrong += foreign_shared::weigh_twelve(k, 2, 3, 4, 5, 6, 7, 8, 9, 10.0, 11, 12.0L) != 649 + k;
    try {
        throw_below(20);
        ++wrong;
    } catch (int) {}
    if (k % 31 == 0) yield();
    if (k % 101 == 0) sleep_for(1us);
    return wrong;
}

class PoisonStress : public with_runtime {};
WEFT_TEST_PROCESSORS(PoisonStress);

TEST_P(PoisonStress, ManyRequestsDisturbNothing) {
    const auto rounds = static_cast<int>(stress_rounds(5'000));
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    run([&] {
        // Not one of the runtime's, as the monitor.
        std::thread asks([&] {
            while (!stop) {
                for (detail::processor* const p : detail::sched.all_processors()) {
                    if (p == nullptr) continue;
                    detail::machine* const m = p->holder.load(std::memory_order_acquire);
                    if (m != nullptr) detail::request_preemption(*m, detail::preempt_slice);
                }
            }
        });
        scope all;
        for (int n = 0; n != 10; ++n) {
            all.go([&, n] {
                for (int k = n; k != rounds + n; ++k) wrong += one_round(k);
            });
        }
        all.join();
        stop = true;
        asks.join();
        EXPECT_EQ(wrong, 0);
        EXPECT_GT(stats().preemptions, 0u);
        wait_for_segments();
    });
}

}  // namespace
}  // namespace weft::test
