// weft/extra.hpp, in virtual time: each promise under many schedules.
#include "support/runtime_fixture.hpp"

#include <weft/extra.hpp>
#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

// Counts its calls, and fails.
struct fails_always {
    int& calls;
    int operator()() const {
        ++calls;
        throw std::runtime_error("down");
    }
};

class Extra : public with_runtime {};
WEFT_TEST_PROCESSORS(Extra);

TEST_P(Extra, CallersOfOneKeyShareACall) {
    run([] {
        singleflight<std::string, int> pages;
        std::atomic<int> calls{0};
        chan<void> go_on;
        scope callers;
        std::atomic<int> begun{0};
        for (int i = 0; i != 50; ++i) {
            callers.go([&] {
                ++begun;
                EXPECT_EQ(pages.run("a",
                                    [&calls, go_on] {
                                        static_cast<void>(go_on.recv());
                                        return ++calls;
                                    }),
                          1);
            });
        }
        wait_until([&] { return begun == 50; });
        for (int i = 0; i != 100; ++i) yield();
        go_on.close();
        callers.join();
        // After it has landed the next one calls again.
        EXPECT_EQ(pages.run("a", [&calls] { return ++calls; }), 2);
        EXPECT_EQ(pages.run("b", [] { return 7; }), 7);
    });
}

TEST(ExtraPlain, EveryCallerGetsTheException) {
    testing::explore(100, [] {
        singleflight<int, int> flights;
        scope callers;
        int calls = 0;
        for (int i = 0; i != 4; ++i) {
            callers.go([&] {
                EXPECT_THROW(flights.run(1,
                                         [&calls]() -> int {
                                             ++calls;
                                             sleep_for(1ms);
                                             throw std::domain_error("no page");
                                         }),
                             std::domain_error);
            });
        }
        callers.join();
        EXPECT_GE(calls, 1);
    });
}

// The one whose function runs is cancelled: the others get their result all the same.
TEST(ExtraPlain, ACancelledCallerTakesNothingFromTheOthers) {
    testing::explore(300, [] {
        singleflight<int, int> flights;
        int calls = 0;
        const auto call = [&] {
            return flights.run(1, [&calls] {
                ++calls;
                sleep_for(10ms);
                return 7;
            });
        };
        auto first = spawn(call);
        sleep_for(1ms);
        auto second = spawn(call);
        auto third = spawn([&] { return with_timeout(5ms, call); });
        sleep_for(1ms);
        first.request_stop();
        EXPECT_THROW(first.join(), coroutine_cancelled);
        EXPECT_THROW(third.join(), timed_out);
        EXPECT_EQ(second.join(), 7);
        EXPECT_EQ(calls, 1);
    });
}

TEST(ExtraPlain, AFlightWithoutCallersIsStopped) {
    testing::explore(100, [] {
        singleflight<int, int> flights;
        bool stopped = false;
        chan<void> ended(1);
        const auto begun = clock::now();
        auto only = spawn([&] {
            return flights.run(1, [&stopped, ended] {
                try {
                    sleep_for(1h);
                } catch (const cancelled&) {
                    stopped = true;
                    const no_cancel last;
                    ended.send();
                    throw;
                }
                return 1;
            });
        });
        sleep_for(1ms);
        only.request_stop();
        EXPECT_THROW(only.join(), coroutine_cancelled);
        EXPECT_TRUE(ended.recv());
        EXPECT_TRUE(stopped);
        EXPECT_LT(clock::now() - begun, 1h);
        EXPECT_EQ(flights.run(1, [] { return 2; }), 2);
    });
}

TEST(ExtraPlain, AFlightThatCannotTakeOffLeavesNothingBehind) {
    singleflight<int, int> flights;
    EXPECT_THROW(flights.run(1, [] { return 1; }), std::logic_error);  // No runtime is up.
    testing::simulate(1, [&] { EXPECT_EQ(flights.run(1, [] { return 2; }), 2); });
}

TEST(ExtraPlain, ALimiterMayBeOlderThanTheSimulation) {
    rate_limiter limit(100, 1);
    testing::simulate(1, [&] {
        const auto begun = clock::now();
        limit.acquire(1);
        limit.acquire(1);
        EXPECT_LE(clock::now() - begun, 11ms);
    });
}

TEST(ExtraPlain, AForgottenFlightIsNotJoined) {
    testing::simulate(1, [] {
        singleflight<int, int> flights;
        auto first = spawn([&] {
            return flights.run(1, [] {
                sleep_for(10ms);
                return 1;
            });
        });
        sleep_for(1ms);
        flights.forget(1);
        EXPECT_EQ(flights.run(1, [] { return 2; }), 2);
        EXPECT_EQ(first.join(), 1);
    });
}

TEST(ExtraPlain, TheRateIsKeptToTheNanosecond) {
    testing::explore(50, [] {
        rate_limiter limit(100, 5);  // One each 10 ms.
        const auto begun = clock::now();
        std::vector<std::chrono::nanoseconds> passed;
        scope callers;
        for (int i = 0; i != 25; ++i) {
            callers.go([&] {
                limit.acquire();
                passed.push_back(clock::now() - begun);
            });
        }
        callers.join();
        for (std::size_t i = 0; i != passed.size(); ++i) {
            const auto due = i < 5 ? 0ms : (static_cast<int>(i) - 4) * 10ms;
            EXPECT_GE(passed[i] + 1us, due);
            EXPECT_LE(passed[i], due + 1ms);
        }
    });
}

TEST(ExtraPlain, AcquireOfSeveralAndOfTooMany) {
    testing::simulate(1, [] {
        rate_limiter limit(1'000, 10);
        EXPECT_TRUE(limit.try_acquire(10));
        EXPECT_FALSE(limit.try_acquire());
        const auto begun = clock::now();
        EXPECT_FALSE(limit.acquire_for(5ms, 10));  // Clear at once.
        EXPECT_LT(clock::now() - begun, 1ms);
        EXPECT_TRUE(limit.acquire_for(50ms, 10));
        EXPECT_GE(clock::now() - begun, 9ms);
        // A wait that is cancelled uses nothing up.
        EXPECT_THROW(with_timeout(5ms, [&] { limit.acquire(10); }), timed_out);
        sleep_for(5ms);
        EXPECT_TRUE(limit.try_acquire(9));
        EXPECT_THROW(limit.acquire(11), std::invalid_argument);
        EXPECT_THROW(rate_limiter(0), std::invalid_argument);
        EXPECT_THROW(rate_limiter(1, 0), std::invalid_argument);
    });
}

TEST(ExtraPlain, RetryPausesLongerEachTime) {
    testing::explore(50, [] {
        std::vector<std::chrono::nanoseconds> at;
        const auto begun = clock::now();
        const retry_options how{
            .attempts = 5, .first_pause = 100ms, .longest_pause = 300ms, .jitter = 0.5};
        EXPECT_EQ(retry(how,
                        [&] {
                            at.push_back(clock::now() - begun);
                            if (at.size() < 5) throw std::runtime_error("not yet");
                            return std::string("done");
                        }),
                  "done");
        ASSERT_EQ(at.size(), 5u);
        for (std::size_t i = 1; i != at.size(); ++i) {
            const auto whole = std::min<std::chrono::nanoseconds>(100ms * (1 << (i - 1)), 300ms);
            EXPECT_GE(at[i] - at[i - 1], whole / 2 - 1us);
            EXPECT_LE(at[i] - at[i - 1], whole + 1ms);
        }
    });
}

TEST(ExtraPlain, OneSeedGivesTheSamePausesAgain) {
    const auto pauses = [] {
        std::vector<clock::duration> at;
        testing::simulate(7, [&] {
            const auto begun = clock::now();
            EXPECT_THROW(retry([&]() -> int {
                             at.push_back(clock::now() - begun);
                             throw std::runtime_error("never");
                         }),
                         std::runtime_error);
        });
        return at;
    };
    EXPECT_EQ(pauses(), pauses());
}

TEST(ExtraPlain, PausesOfNothingAndOfTooMuch) {
    testing::simulate(1, [] {
        int calls = 0;
        const fails_always fails{calls};
        EXPECT_THROW(retry({.attempts = 2'000, .first_pause = 0ns}, fails), std::runtime_error);
        EXPECT_EQ(calls, 2'000);
        EXPECT_THROW(retry({.attempts = 3, .growth = 1e300, .jitter = 7}, fails),
                     std::runtime_error);
        rate_limiter never(1e-300);
        EXPECT_TRUE(never.try_acquire());
        EXPECT_FALSE(never.acquire_for(10ms));
    });
}

TEST(ExtraPlain, WhoeverWaitsForTheRateCanBeCancelledAndIsServedInOrder) {
    testing::explore(100, [] {
        rate_limiter limit(10, 1);
        limit.acquire();
        std::vector<int> served;
        scope callers;
        for (int i = 0; i != 5; ++i) {
            callers.go([&, i] {
                sleep_for(1ms * i);
                limit.acquire();
                served.push_back(i);
            });
        }
        const auto begun = clock::now();
        sleep_for(50ms);
        EXPECT_FALSE(limit.try_acquire());
        EXPECT_THROW(with_timeout(10ms, [&] { static_cast<void>(limit.acquire_for(1h)); }),
                     timed_out);
        EXPECT_LT(clock::now() - begun, 70ms);
        callers.join();
        EXPECT_EQ(served, (std::vector<int>{0, 1, 2, 3, 4}));
    });
}

// A refusal means that there was none, not that another one was asking at the same moment.
TEST_P(Extra, TryAcquireIsNotRefusedWhileThereIsEnough) {
    run([] {
        rate_limiter limit(1e9, 1'000'000'000);
        scope callers;
        for (int i = 0; i != 4; ++i) {
            callers.go([&] {
                for (int n = 0; n != 5'000; ++n) {
                    EXPECT_TRUE(limit.try_acquire());
                    if (n % 100 == 0) yield();
                }
            });
        }
        callers.join();
    });
}

TEST(ExtraPlain, AKeyMayChangeWhileItsCallIsUnderWay) {
    testing::simulate(1, [] {
        singleflight<std::string, int> flights;
        std::string key = "a";
        auto only = spawn([&] {
            return flights.run(key, [] {
                sleep_for(1h);
                return 1;
            });
        });
        sleep_for(1ms);
        key = "b";
        only.request_stop();
        EXPECT_THROW(only.join(), coroutine_cancelled);
        EXPECT_EQ(flights.run("a", [] { return 2; }), 2);
    });
}

TEST(ExtraPlain, RetryGivesUp) {
    testing::simulate(1, [] {
        int calls = 0;
        const fails_always fails{calls};
        EXPECT_THROW(retry({.attempts = 3}, fails), std::runtime_error);
        EXPECT_EQ(calls, 3);
        calls = 0;
        const retry_options fussy{
            .again = [](const std::exception& e) { return std::string(e.what()) != "down"; }};
        EXPECT_THROW(retry(fussy, fails), std::runtime_error);
        EXPECT_EQ(calls, 1);
        // A pause that would end behind the deadline is not begun.
        calls = 0;
        const auto begun = clock::now();
        EXPECT_THROW(with_timeout(30ms, [&] { return retry({.first_pause = 1s}, fails); }),
                     std::runtime_error);
        EXPECT_EQ(calls, 1);
        EXPECT_LT(clock::now() - begun, 30ms);
        // To be asked to stop is no failure.
        auto asked = spawn([&] { retry([&] { sleep_for(1h); }); });
        sleep_for(1ms);
        asked.request_stop();
        EXPECT_THROW(asked.join(), coroutine_cancelled);
    });
}

}  // namespace
}  // namespace weft::test
