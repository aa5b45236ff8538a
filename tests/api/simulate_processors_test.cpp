// simulate with the real queues: who waits how long beside whom, to the microsecond, on any number of processors.
#include "random_program.hpp"
#include "support/pair.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weft::testing::compute;
using weft::testing::explore;
using weft::testing::simulate;
using weft::testing::simulate_options;

simulate_options on(unsigned processors) {
    return {.queues = weft::testing::real, .processors = processors};
}

// Coroutines of no end, until it is destroyed.
class hogs {
public:
    template <class Step>
    hogs(unsigned count, Step step) {
        for (unsigned i = 0; i != count; ++i) {
            all_.go([this, i, step] {
                while (!stop_) step(i);
            });
        }
    }
    explicit hogs(unsigned count) : hogs(count, [](unsigned) { compute(1ms); }) {}
    hogs(const hogs&) = delete;
    hogs& operator=(const hogs&) = delete;
    ~hogs() {
        stop_ = true;
        all_.join();
    }

private:
    bool stop_ = false;
    scope all_;
};

// How long after the first of `count` new ones the last of them runs.
nanoseconds last_start_of(int count) {
    const clock::time_point begin = clock::now();
    clock::time_point last = begin;
    scope s;
    for (int i = 0; i != count; ++i) s.go([&] { last = std::max(last, clock::now()); });
    s.join();
    return last - begin;
}

struct spread {
    nanoseconds median, most;
};
spread spread_of(std::vector<nanoseconds> all) {
    std::sort(all.begin(), all.end());
    return {all[all.size() / 2], all.back()};
}

class SimulateProcessors : public leak_checked<::testing::TestWithParam<unsigned>> {
protected:
    void SetUp() override {
        leak_checked::SetUp();
        if (GetParam() > 8 && slowdown != 1) GTEST_SKIP() << "64 take minutes here";
    }

    template <class F>
    static void run(F&& f, std::uint64_t seed = 1) {
        simulate(seed, f, on(GetParam()));
    }
};

// When each of a few that compute, hand over, sleep and call has taken each of its steps.
std::string times_of(std::uint64_t seed, unsigned processors) {
    std::string times;
    simulate(
        seed,
        [&] {
            scope s;
            chan<int> values(2);
            for (int i = 0; i != 5; ++i) {
                s.go([&, i] {
                    for (int n = 0; n != 4; ++n) {
                        compute(std::chrono::microseconds(300 * i));
                        values.send(i);
                        blocking([] { compute(70us); });
                        times += std::to_string(clock::now().time_since_epoch().count()) + ' ';
                    }
                });
            }
            for (int n = 0; n != 20; ++n) values.recv();
            s.join();
        },
        on(processors));
    return times;
}

TEST_P(SimulateProcessors, TheSameSeedReplaysEachMoment) {
    for (std::uint64_t seed = 1; seed != 20; ++seed) {
        const std::string times = times_of(seed, GetParam());
        ASSERT_EQ(times, times_of(seed, GetParam())) << seed;
        EXPECT_NE(times, times_of(seed + 1, GetParam())) << seed;
    }
}

TEST_P(SimulateProcessors, AllComputeAtOnce) {
    run([] {
        const unsigned n = GetParam();
        const clock::time_point begin = clock::now();
        scope s;
        for (unsigned i = 0; i != 2 * n; ++i) s.go([] { compute(30ms); });
        s.join();
        const nanoseconds took = clock::now() - begin;
        EXPECT_GE(took, 60ms);
        EXPECT_LE(took,
                  82ms);  // A processor may find that the last to do is another's, for two slices.
    });
}

TEST_P(SimulateProcessors, NewOnesBesideHogs) {
    run([] {
        const hogs beside(2 * GetParam());
        sleep_for(50ms);
        EXPECT_LE(last_start_of(1000), 110ms);
        EXPECT_LE(last_start_of(3), 60ms);
    });
}

TEST_P(SimulateProcessors, NewOnesBesideHogsThatYield) {
    run([] {
        const hogs beside(2 * GetParam(), [](unsigned) {
            compute(5ms);
            yield();
        });
        sleep_for(50ms);
        EXPECT_LE(last_start_of(1000), 60ms);
    });
}

TEST_P(SimulateProcessors, TheResultOfABlockingCallComesAhead) {
    for (const unsigned each : {1u, 2u}) {
        std::vector<nanoseconds> took;
        run([&] {
            const hogs beside(each * GetParam());
            sleep_for(30ms);
            for (int i = 0; i != 100; ++i) {
                const clock::time_point begin = clock::now();
                blocking([] { compute(1ms); });
                took.push_back(clock::now() - begin);
                sleep_for(3ms);
            }
        });
        EXPECT_LE(spread_of(took).median, 1100us) << each;
        EXPECT_LE(spread_of(took).most, 2500us) << each;
    }
}

TEST_P(SimulateProcessors, TheResultOfABlockingCallComesAheadOfManyThatYield) {
    std::vector<nanoseconds> took;
    run([&] {
        const hogs beside(50 * GetParam(), [](unsigned) {
            compute(100us);
            yield();
        });
        sleep_for(30ms);
        for (int i = 0; i != 30; ++i) {
            const clock::time_point begin = clock::now();
            blocking([] { compute(1ms); });
            took.push_back(clock::now() - begin);
            sleep_for(3ms);
        }
    });
    EXPECT_LE(spread_of(took).most, 2500us);
}

TEST_P(SimulateProcessors, ASleeperBesideHogs) {
    std::vector<nanoseconds> late;
    run([&] {
        const hogs beside(2 * GetParam());
        for (int i = 0; i != 100; ++i) {
            const clock::time_point due = clock::now() + 2ms;
            sleep_until(due);
            late.push_back(clock::now() - due);
        }
    });
    EXPECT_LE(spread_of(late).median, 600us);
    EXPECT_LE(spread_of(late).most, 2500us);
}

TEST_P(SimulateProcessors, OthersBesidePairsThatHandOver) {
    run([] {
        const unsigned n = GetParam();
        bool stop = false;
        scope s;
        for (unsigned i = 0; i != n; ++i) start_pair(s, stop, 200us);
        sleep_for(50ms);
        EXPECT_LE(last_start_of(400), 50ms);
        stop = true;
        s.join();
    });
}

TEST_P(SimulateProcessors, EqualHogsHaveEqualShares) {
    const unsigned n = GetParam();
    for (const unsigned count : {n + 1, 2 * n + 1}) {
        std::vector<int> ran(count);
        run([&] {
            const hogs beside(count, [&ran](unsigned i) {
                compute(100us);
                ++ran[i];
            });
            sleep_for(2s);
        });
        double sum = 0;
        for (const int one : ran) sum += one;
        const double fair = sum / count;
        EXPECT_NEAR(sum / 10'000, 2 * n, 0.1) << "seconds of CPU that they had";
        const auto [least, most] = std::minmax_element(ran.begin(), ran.end());
        EXPECT_GE(*least / fair, 0.93) << count;
        EXPECT_LE(*most / fair, 1.07) << count;
    }
}

TEST_P(SimulateProcessors, EachOfACrowdOfHogsHasItsPart) {
    const unsigned n = GetParam();
    const unsigned count = 300 * n;
    if (slowdown != 1 || n > 8) GTEST_SKIP() << "takes minutes";
    std::vector<int> ran(count);
    unsigned begun = 0;
    clock::time_point last;
    run([&] {
        const clock::time_point begin = clock::now();
        const hogs beside(count, [&](unsigned i) {
            compute(1ms);
            if (ran[i]++ == 0 && ++begun == count) last = clock::now();
        });
        sleep_for(15s);
        EXPECT_LE(last - begin, 5s) << "300 slices are three";
    });
    const auto [least, most] = std::minmax_element(ran.begin(), ran.end());
    EXPECT_LE(*most, 3 * *least);
}

// By how many later ones a request of a burst is overtaken at most. One in `helped` starts another coroutine. The generator
// yields in between, as one does that waits for time to pass.
long overtaken_in_a_burst(unsigned processors, long helped) {
    const unsigned n = processors;
    std::vector<long> order;
    const auto burst = [&] {
        wait_group all;
        long made = 0;
        const auto request = [&] {
            all.add(1);
            go([&, number = made++] {
                if (number % helped == helped / 2) go([] { compute(1us); });
                compute(20us);
                order.push_back(number);
                all.done();
            });
        };
        while (made != 20'000) request();
        const clock::time_point begin = clock::now();
        while (clock::now() - begin < 500ms) {
            const long due = 20'000 + (clock::now() - begin) / (40us / n);
            while (made < due) request();
            yield();
        }
        all.wait();
    };
    simulate(1, burst, on(processors));
    long overtaken = 0;
    for (std::size_t i = 0; i != order.size(); ++i)
        overtaken = std::max(overtaken, static_cast<long>(i) - order[i]);
    return overtaken;
}

TEST_P(SimulateProcessors, ABurstIsServedNearlyInOrder) {
    const unsigned n = GetParam();
    if (n > 2) GTEST_SKIP() << "one generator keeps no more of them busy";
    if (slowdown != 1) GTEST_SKIP() << "so many take minutes here";
    for (const long helped : {1'000'000L, 1000L, 10L}) {
        const long overtaken = overtaken_in_a_burst(n, helped);
        EXPECT_LE(overtaken, 2'500L * n) << "one in " << helped;
        RecordProperty("overtaken_one_in_" + std::to_string(helped), std::to_string(overtaken));
    }
}

struct tree {
    int alive = 0;
    int most = 0;

    // Ten children each; a node waits for all of them.
    void grow(int depth) {
        most = std::max(most, ++alive);
        compute(1us);
        if (depth != 0) {
            scope children;
            for (int i = 0; i != 10; ++i) children.go([this, depth] { grow(depth - 1); });
            children.join();
        }
        --alive;
    }
};

// It takes longer than those who start no others are left to wait.
TEST_P(SimulateProcessors, ATreeIsWalkedInDepth) {
    run([] {
        tree one;
        one.grow(5);
        EXPECT_LE(one.most, GetParam() <= 2 ? 2000 : 3500);
    });
}

TEST_P(SimulateProcessors, WhoIsMadeReadyRunsOnAnIdleProcessor) {
    if (GetParam() == 1) GTEST_SKIP() << "none is idle";
    for (const nanoseconds pause : {nanoseconds(0), nanoseconds(2ms), nanoseconds(50ms)}) {
        std::vector<nanoseconds> waited;
        run([&] {
            scope s;
            for (int i = 0; i != 50; ++i) {
                sleep_for(pause);
                const clock::time_point ready = clock::now();
                s.go([&waited, ready] { waited.push_back(clock::now() - ready); });
                compute(5ms);
            }
            s.join();
        });
        EXPECT_LE(waited.front(), 1ms) << pause.count();
        EXPECT_LE(spread_of(waited).median, 150us) << pause.count();
    }
}

TEST_P(SimulateProcessors, ABlockingCallTakesNoProcessor) {
    run([] {
        const unsigned n = 4 * GetParam();
        const clock::time_point begin = clock::now();
        unsigned calling = 0;
        scope s;
        for (unsigned i = 0; i != n; ++i) {
            s.go([&calling] {
                ++calling;
                blocking([] { compute(10ms); });
            });
        }
        while (calling != n) yield();
        compute(10ms);
        s.join();
        EXPECT_LE(clock::now() - begin, 11ms);
    });
}

TEST_P(SimulateProcessors, FindsADeadlock) {
    EXPECT_THROW(run([] {
                     chan<int> nobody_sends;
                     scope s;
                     for (unsigned i = 0; i != GetParam(); ++i) s.go([] { compute(3ms); });
                     nobody_sends.recv();
                 }),
                 deadlock);
}

TEST_P(SimulateProcessors, SleepsForDaysInNoTime) {
    run([] {
        const clock::time_point begin = clock::now();
        sleep_for(std::chrono::hours(100));
        EXPECT_LT(clock::now() - begin, std::chrono::hours(100) + 1ms);
    });
}

TEST_P(SimulateProcessors, RandomProgramsHold) {
    for (std::uint64_t seed = 1; seed != 150 / slowdown + 2; ++seed) {
        random_program program(seed, 10us);
        run([&] { EXPECT_EQ(program.run(), "") << "program and schedule of seed " << seed; }, seed);
    }
}

INSTANTIATE_TEST_SUITE_P(Processors, SimulateProcessors, ::testing::Values(1u, 2u, 8u, 64u),
                         ::testing::PrintToStringParamName());

class Compute : public plain_runtime {};

TEST_F(Compute, IsPreemptedButInsideNoPreempt) {
    simulate(
        1,
        [] {
            clock::time_point other;
            scope s;
            s.go([&] {
                compute(1ms);
                other = clock::now();
            });
            const clock::time_point begin = clock::now();
            compute(30ms);
            EXPECT_GE(other - begin, 10ms);
            EXPECT_LT(other - begin, 13ms);

            s.go([&] {
                compute(1ms);
                other = clock::now();
            });
            const clock::time_point again = clock::now();
            {
                const no_preempt undisturbed;
                compute(30ms);
            }
            s.join();
            EXPECT_GE(other - again, 30ms);
            EXPECT_LT(other - again, 33ms);
        },
        on(1));
}

// The same where chance decides and with real queues.
template <class F>
void in_both(F f) {
    simulate(1, f);
    simulate(1, f, on(2));
}

TEST_F(Compute, EndsWhenItIsCancelled) {
    in_both([] {
        const clock::time_point begin = clock::now();
        scope s;
        bool went_on = false;
        s.go([&] {
            compute(50ms);
            went_on = true;
        });
        s.go([] {
            const no_cancel deaf;
            compute(20ms);
        });
        sleep_for(5ms);
        s.cancel();
        s.join();
        EXPECT_FALSE(went_on);
        EXPECT_GE(clock::now() - begin, 20ms);
        EXPECT_LT(clock::now() - begin, 60ms);  // 70 if it went on.
    });
}

TEST_F(Compute, EndsWhenItsTimeIsUp) {
    in_both([] {
        const clock::time_point begin = clock::now();
        EXPECT_THROW(with_timeout(1ms, [] { compute(1s); }), timed_out);
        EXPECT_GE(clock::now() - begin, 1ms);
        EXPECT_LT(clock::now() - begin, 1100us);
    });
}

TEST_F(Compute, IsNotInterruptedInABlockingCall) {
    in_both([] {
        bool ended = false;
        scope s;
        s.go([&] {
            blocking([&] {
                compute(3ms);
                yield();
                compute(3ms);
                ended = true;
            });
        });
        sleep_for(1ms);
        s.cancel();
        s.join();
        EXPECT_TRUE(ended);
    });
}

TEST_F(Compute, LetsOthersRunAlsoWhenItTakesNoTime) {
    in_both([] {
        bool stop = false;
        scope s;
        s.go([&] { stop = true; });
        while (!stop) compute(0ns);
        s.go([] {
            for (;;) compute(-1ms);
        });
        yield();
        s.cancel();
        s.join();
    });
}

TEST_F(Compute, LastsForEver) {
    in_both([] {
        scope s;
        s.go([] { compute(std::chrono::hours::max()); });
        s.go([] { compute(nanoseconds::max()); });
        sleep_for(2ms);
        s.cancel();
        s.join();
    });
}

TEST_F(Compute, MovesTimeOnAlsoWhereChanceDecides) {
    simulate(3, [] {
        scope s;
        clock::time_point fired;
        const clock::time_point begin = clock::now();
        s.go([&] {
            sleep_for(5ms);
            fired = clock::now();
        });
        while (clock::now() - begin < 20ms) compute(1ms);
        s.join();
        EXPECT_GE(fired - begin, 5ms);
        EXPECT_LT(fired - begin, 20ms);
    });
}

TEST_F(Compute, TakesRealTimeElsewhere) {
    const auto begin = std::chrono::steady_clock::now();
    compute(2ms);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 2ms);
    run([] {
        const clock::time_point start = clock::now();
        compute(2.5ms);
        EXPECT_GE(clock::now() - start, 2500us);
    });
}

TEST_F(Compute, WhatLeavesASimulationIsTheCaller) {
    EXPECT_THROW(simulate(
                     1,
                     [] {
                         compute(1ms);
                         throw std::out_of_range("beyond");
                     },
                     on(4)),
                 std::out_of_range);
    EXPECT_THROW(explore(
                     5,
                     [] {
                         scope s;
                         s.go([] { throw std::out_of_range("beyond"); });
                         s.join();
                     },
                     on(3)),
                 weft::testing::failure);
}

TEST_F(Compute, RefusesProcessorsThatCantBe) {
    EXPECT_THROW(simulate(
                     1, [] {}, on(0)),
                 std::invalid_argument);
    EXPECT_THROW(simulate(
                     1, [] {}, on(1025)),
                 std::invalid_argument);
    EXPECT_THROW(simulate(1, [] {}, {.processors = 2}), std::invalid_argument);
    EXPECT_THROW(explore(
                     1, [] {}, on(0)),
                 std::invalid_argument);
    simulate(1, [] {}, {});
}

}  // namespace
}  // namespace weft::test
