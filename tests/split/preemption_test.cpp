// Code that only calls functions, and never the runtime, is preempted where it calls: nothing of the call is lost, and
// the others run.
#include "sched/preempt.hpp"
#include "split/segments.hpp"
#include "split/variadic.hpp"
#include "support/places.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <string>

#include <unistd.h>

#define FOREIGN_SHARED
#include "split/foreign.hpp"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

// Every register that carries an argument, and two that do not.
[[gnu::noinline]] std::uint64_t weigh(std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                      std::uint64_t d, std::uint64_t e, std::uint64_t f, double x0,
                                      double x1, double x2, double x3, double x4, double x5,
                                      double x6, double x7, std::uint64_t s0, std::uint64_t s1) {
    asm volatile("");
    return a * 3 + b * 5 + c * 7 + d * 11 + e * 13 + f * 17 +
           static_cast<std::uint64_t>(x0 + 2 * x1 + 3 * x2 + 4 * x3 + 5 * x4 + 6 * x5 + 7 * x6 +
                                      8 * x7) +
           s0 * 19 + s1 * 23;
}

[[gnu::noinline]] std::uint64_t recurse(int depth, std::uint64_t x) {
    volatile char frame[120];
    frame[0] = static_cast<char>(depth);
    if (depth == 0) return x;
    const std::uint64_t below = recurse(depth - 1, x * 3 + static_cast<unsigned>(depth));
    return below + static_cast<unsigned char>(frame[0]);
}

[[gnu::noinline]] double halve(double x) {
    asm volatile("");
    return x / 2;
}

// No loop and no call that the compiler would know.
std::uint64_t recurse_expected(int depth, std::uint64_t x) {
    std::uint64_t sum = 0;
    for (; depth != 0; --depth) {
        x = x * 3 + static_cast<unsigned>(depth);
        sum += static_cast<unsigned char>(depth);
    }
    return x + sum;
}

// How many of a round of calls went wrong.
[[gnu::noinline]] int one_round(std::uint64_t i) {
    int wrong = 0;
    const std::uint64_t a = i & 0xff;
    const auto x = static_cast<double>(a);
    const std::uint64_t weighed = weigh(a, a + 1, a + 2, a + 3, a + 4, a + 5, x, x + 1, x + 2,
                                        x + 3, x + 4, x + 5, x + 6, x + 7, i, i + 1);
    // 3 + 5 + 7 + 11 + 13 + 17 = 56 times a and 1 + ... + 8 = 36 times x, and what was added.
    wrong += weighed != 56 * a + (5 + 14 + 33 + 52 + 85) + 36 * a + 168 + 19 * i + 23 * (i + 1);
    wrong += sum_variadic(14, static_cast<int>(a), 1.0, 2, 3.0, 4, 5.0, 6, 7.0, 8, 9.0, 10, 11.0,
                          12, 13.0) != x + 91;
    wrong += halve(x + 0.5) != (x + 0.5) / 2;
    if (i % 64 == 0) wrong += recurse(40, i) != recurse_expected(40, i);
    return wrong;
}

class SplitPreemption : public ::testing::TestWithParam<unsigned> {
protected:
    template <class F>
    static void run(F&& main, std::chrono::nanoseconds preempt_after = 100us) {
        const watchdog dog(100);
        weft::run(main, {.processors = GetParam(), .preempt_after = preempt_after});
    }
};
INSTANTIATE_TEST_SUITE_P(Processors, SplitPreemption, ::testing::Values(1u, 2u),
                         ::testing::PrintToStringParamName());

TEST_P(SplitPreemption, EightThatOnlyCallKeepAllTheirArguments) {
    run([] {
        std::atomic<bool> stop{false};
        std::atomic<int> wrong{0};
        std::atomic<std::uint64_t> rounds{0};
        scope all;
        for (std::uint64_t k = 0; k != 8; ++k) {
            all.go([&, k] {
                std::uint64_t i = k * 77;
                for (; !stop.load(std::memory_order_relaxed); ++i) wrong += one_round(i);
                rounds += i;
            });
        }
        // A ninth one that waits gets on, a millisecond at a time.
        all.go([&] {
            for (int i = 0; i != 50; ++i) sleep_for(1ms);
            wait_until([] { return stats().preemptions + stats().cut_ins > 100; });
            stop = true;
        });
        all.join();
        EXPECT_EQ(wrong, 0);
        EXPECT_GT(rounds, 8u);
    });
}

TEST_P(SplitPreemption, OfForeignCallsKeepsTheirArguments) {
    run([] {
        std::atomic<bool> stop{false};
        std::atomic<int> wrong{0};
        scope all;
        for (int k = 0; k != 4; ++k) {
            all.go([&, k] {
                while (!stop.load(std::memory_order_relaxed)) {
                    wrong += foreign_shared::weigh_twelve(k, 2, 3, 4, 5, 6, 7, 8, 9, 10.0, 11,
                                                          12.0L) != 649 + k;
                    wrong += foreign_shared::half_more(k) != k + 0.5L;
                }
            });
        }
        wait_until([] { return stats().preemptions + stats().cut_ins > 100; });
        stop = true;
        all.join();
        EXPECT_EQ(wrong, 0);
    });
}

TEST_P(SplitPreemption, IsCounted) {
    run([] {
        spawn([] {
            const auto before = stats().preemptions + stats().cut_ins;
            go([] {
                for (;;) sleep_for(1ms);
            });
            for (std::uint64_t i = 0; stats().preemptions + stats().cut_ins < before + 3; ++i) {
                for (int n = 0; n != 1'000; ++n) one_round(i);
            }
        }).join();
    });
}

TEST_P(SplitPreemption, LeavesErrnoAlone) {
    run([] {
        std::atomic<bool> stop{false};
        scope all;
        for (int k = 1; k != 5; ++k) {
            all.go([&, k] {
                set_errno(k);
                for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
                    one_round(i);
                    if (errno_now() != k) {
                        ADD_FAILURE() << errno_now() << " instead of " << k;
                        break;
                    }
                }
            });
        }
        wait_until([] { return stats().preemptions + stats().cut_ins > 50; });
        stop = true;
        all.join();
    });
}

// Addresses of thread_locals, and locks that are held, are the thread's.
TEST_P(SplitPreemption, LeavesACoroutineOnItsThread) {
    run([] {
        std::atomic<bool> stop{false};
        std::atomic<int> moved{0};
        scope all;
        for (int k = 0; k != 6; ++k) {
            all.go([&] {
                while (!stop) {
                    const pid_t thread = ::gettid();
                    for (std::uint64_t i = 0; i != 20'000 && !stop; ++i) one_round(i);
                    moved += ::gettid() != thread;
                    yield();
                }
            });
        }
        wait_until([] { return stats().preemptions + stats().cut_ins > 50; });
        stop = true;
        all.join();
        // But for those that a thread which did not respond was holding up.
        EXPECT_LE(moved, static_cast<int>(stats().unstuck));
    });
}

// With one processor the others stand still for as long as this one is not preempted.
class SplitPreemptionOfOne : public plain_runtime {
protected:
    // Another coroutine counts. Returns how far it got while `f` was running. (No processor is added for a thread that
    // does not respond for long, as happens here.)
    template <class F>
    static std::uint64_t counted_during(const F& f) {
        std::uint64_t during = 0;
        weft::run(
            [&] {
                std::atomic<std::uint64_t> count{0};
                std::atomic<bool> stop{false};
                scope all;
                all.go([&] {
                    while (!stop) {
                        ++count;
                        yield();
                    }
                });
                all.go([&] {
                    for (std::uint64_t i = 0; count < 3; ++i) one_round(i);
                    during = f(count);
                    stop = true;
                });
                all.join();
            },
            {.processors = 1, .preempt_after = 100us, .max_compensation = 0});
        return during;
    }

    // It is asked to yield, and calls, again and again.
    static void call_while_asked() {
        detail::machine& m = *detail::this_machine();
        for (std::uint64_t i = 0; i != 100; ++i) {
            detail::request_preemption(m, detail::preempt_slice);
            for (int n = 0; n != 3; ++n) one_round(i);
        }
    }
};

TEST_F(SplitPreemptionOfOne, OthersRunMeanwhile) {
    EXPECT_GT(counted_during([](std::atomic<std::uint64_t>& count) {
                  const std::uint64_t before = count;
                  for (std::uint64_t i = 0; count == before; ++i) one_round(i);
                  return count - before;
              }),
              0u);
}

TEST_F(SplitPreemptionOfOne, NotWhereItIsForbidden) {
    EXPECT_EQ(counted_during([](std::atomic<std::uint64_t>& count) {
                  const no_preempt stay;
                  const std::uint64_t before = count;
                  call_while_asked();
                  return count - before;
              }),
              0u);
}

std::atomic<std::uint64_t>* counter_to_watch = nullptr;
std::uint64_t counted_in_comparator = 0;

// Whoever calls back may hold a lock, or be in the middle of something of its thread's.
TEST_F(SplitPreemptionOfOne, NotInACallbackOfTheCLibrary) {
    EXPECT_EQ(counted_during([](std::atomic<std::uint64_t>& count) {
                  struct calls {
                      static int order(const void* a, const void* b) {
                          const std::uint64_t before = *counter_to_watch;
                          call_while_asked();
                          counted_in_comparator += *counter_to_watch - before;
                          return *static_cast<const int*>(a) - *static_cast<const int*>(b);
                      }
                  };
                  counter_to_watch = &count;
                  int numbers[] = {3, 1, 2};
                  std::qsort(numbers, 3, sizeof(int), &calls::order);
                  EXPECT_EQ(numbers[0], 1);
                  return counted_in_comparator;
              }),
              0u);
}

TEST_F(SplitPreemptionOfOne, NotInACallbackOfALibrary) {
    EXPECT_EQ(counted_during([](std::atomic<std::uint64_t>& count) {
                  std::uint64_t during = 0;
                  foreign_shared::call_function([&] {
                      const std::uint64_t before = count;  // On the way here others may run.
                      call_while_asked();
                      during = count - before;
                  });
                  return during;
              }),
              0u);
}

// Others of the thread would block on it, and with them the thread.
TEST_F(SplitPreemptionOfOne, NotWhileItHoldsALockOfTheThreadLibrary) {
    EXPECT_EQ(counted_during([](std::atomic<std::uint64_t>& count) {
                  std::mutex one;
                  std::shared_mutex another;
                  std::uint64_t during = 0;
                  {
                      const std::lock_guard hold(one);
                      const std::uint64_t before = count;
                      call_while_asked();
                      during += count - before;
                  }
                  {
                      const std::shared_lock hold(another);
                      const std::unique_lock tried(one, std::try_to_lock);
                      const std::uint64_t before = count;
                      call_while_asked();
                      during += count - before;
                  }
                  return during;
              }),
              0u);
}

TEST_F(SplitPreemptionOfOne, AgainWhenTheLockIsGivenBack) {
    EXPECT_GT(counted_during([](std::atomic<std::uint64_t>& count) {
                  std::mutex one;
                  { const std::lock_guard hold(one); }
                  const std::uint64_t before = count;
                  for (std::uint64_t i = 0; count == before; ++i) one_round(i);
                  return count - before;
              }),
              0u);
}

TEST_F(SplitPreemptionOfOne, NotWhileItInitialisesAStatic) {
    EXPECT_EQ(counted_during([](std::atomic<std::uint64_t>& count) {
                  const std::uint64_t before = count;
                  static const std::uint64_t during = [&] {
                      call_while_asked();
                      return count - before;
                  }();
                  return during;
              }),
              0u);
}

TEST_F(SplitPreemptionOfOne, NotWhileAnExceptionIsOnItsWay) {
    EXPECT_EQ(counted_during([](std::atomic<std::uint64_t>& count) {
                  std::uint64_t during = 0;
                  struct guard {
                      std::atomic<std::uint64_t>& count;
                      std::uint64_t& during;
                      ~guard() {
                          const std::uint64_t before = count;
                          call_while_asked();
                          during = count - before;
                      }
                  };
                  try {
                      const guard g{count, during};
                      throw 1;
                  } catch (int) {}
                  return during;
              }),
              0u);
}

}  // namespace
}  // namespace weft::test
