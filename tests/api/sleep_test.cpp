// Sleeping and the clock, in real time: nobody wakes early. How late is for the benchmarks.
#include "support/build.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <ratio>
#include <type_traits>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

static_assert(std::is_same_v<weft::clock::time_point, std::chrono::steady_clock::time_point>);
static_assert(weft::clock::is_steady);

class Sleep : public with_runtime {};
WEFT_TEST_PROCESSORS(Sleep);

TEST_P(Sleep, NobodyWakesEarly) {
    run([] {
        scope s;
        for (int i = 0; i != 200; ++i) {
            s.go([i] {
                std::minstd_rand random(static_cast<unsigned>(i + 1));
                for (int k = 0; k != 5; ++k) {
                    const auto wanted = std::chrono::nanoseconds(random() % 2'000'000);
                    const auto before = std::chrono::steady_clock::now();
                    sleep_for(wanted);
                    ASSERT_GE(std::chrono::steady_clock::now() - before, wanted);
                }
            });
        }
        s.join();
    });
}

TEST_P(Sleep, UntilAPointOfEitherClock) {
    run([] {
        const auto steady = std::chrono::steady_clock::now() + 2ms;
        sleep_until(steady);
        EXPECT_GE(std::chrono::steady_clock::now(), steady);
        const auto system = std::chrono::system_clock::now() + 2ms;
        sleep_until(system);
        EXPECT_GE(std::chrono::system_clock::now(), system);
        const auto own = weft::clock::now() + 2ms;
        sleep_until(own);
        EXPECT_GE(weft::clock::now(), own);
    });
}

TEST_P(Sleep, OfFractionsIsRoundedUp) {
    run([] {
        const auto before = std::chrono::steady_clock::now();
        sleep_for(std::chrono::duration<double, std::micro>(1500.25));
        EXPECT_GE(std::chrono::steady_clock::now() - before, 1500250ns);
    });
}

TEST_P(Sleep, OfNoTimeOrLessLetsOthersRun) {
    run([] {
        std::atomic<bool> ran{false};
        go([&] { ran = true; });
        while (!ran) sleep_for(0s);
        ran = false;
        go([&] { ran = true; });
        while (!ran) sleep_for(-1h);
        ran = false;
        go([&] { ran = true; });
        while (!ran) sleep_until(std::chrono::steady_clock::time_point::min());
    });
}

// A clock that is set by hand, and only ever read by one coroutine.
struct set_clock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::duration<rep, period>;
    using time_point = std::chrono::time_point<set_clock>;
    static inline time_point reading{};
    static time_point now() noexcept { return reading; }
};

template <class Clock>
using hours_of = std::chrono::time_point<Clock, std::chrono::hours>;

TEST_P(Sleep, UntilTheFirstMomentOfAnyClockIsOverAtOnceButACancellationPoint) {
    run([] {
        const auto all = [](auto sleep) {
            sleep(std::chrono::system_clock::time_point::min());
            sleep(std::chrono::steady_clock::time_point::min());
            sleep(hours_of<std::chrono::system_clock>::min());
            sleep(hours_of<std::chrono::steady_clock>::min());
            set_clock::reading = set_clock::time_point::max();
            sleep(set_clock::time_point::min());
            sleep(set_clock::time_point::max());
        };
        all([](auto when) { sleep_until(when); });
        auto stopped = spawn([&] {
            {
                const no_cancel until_asked;
                while (!get_stop_token().stop_requested()) yield();
            }
            all([](auto when) { EXPECT_THROW(sleep_until(when), cancelled); });
        });
        stopped.request_stop();
        stopped.join();
    });
}

TEST_P(Sleep, UntilTheLastMomentOfAnyClockLastsUntilCancelled) {
    run([] {
        const auto is_endless = [](auto when) {
            std::atomic<bool> begun{false};
            auto sleeper = spawn([&] {
                begun = true;
                sleep_until(when);
            });
            wait_until([&] { return begun.load(); });
            for (int i = 0; i != 5; ++i) yield();
            sleeper.request_stop();
            EXPECT_THROW(sleeper.join(), coroutine_cancelled);
        };
        is_endless(std::chrono::system_clock::time_point::max());
        is_endless(std::chrono::steady_clock::time_point::max());
        is_endless(hours_of<std::chrono::system_clock>::max());
        is_endless(hours_of<std::chrono::steady_clock>::max());
        set_clock::reading = set_clock::time_point::min();
        is_endless(set_clock::time_point::max());
    });
}

TEST_P(Sleep, ForEverLastsUntilCancelled) {
    run([] {
        std::vector<join_handle<void>> sleepers;
        sleepers.push_back(spawn([] { sleep_for(std::chrono::hours::max()); }));
        sleepers.push_back(spawn([] { sleep_for(std::chrono::nanoseconds::max()); }));
        sleepers.push_back(spawn([] { sleep_for(std::chrono::duration<double>(1e300)); }));
        sleepers.push_back(
            spawn([] { sleep_until(std::chrono::steady_clock::time_point::max()); }));
        sleep_for(1ms);
        for (auto& sleeper : sleepers) {
            sleeper.request_stop();
            EXPECT_THROW(sleeper.join(), coroutine_cancelled);
        }
    });
}

TEST_P(Sleep, ManyTimersThatAreCancelledDoNotPileUp) {
    run([] {
        for (int i = 0; i != 2000; ++i) {
            auto sleeper = spawn([] { sleep_for(1h); });
            yield();
        }
        EXPECT_LT(stats().timers, 1000u);
    });
}

TEST_P(Sleep, ABusyProcessorDoesNotKeepSleepersFromWaking) {
    run([] {
        std::atomic<bool> woke{false};
        go([&] {
            sleep_for(1ms);
            woke = true;
        });
        while (!woke) yield();
    });
}

// A processor looks at its timers at least every 61 dispatches, and what they wake does not go to the end of the
// queue.
TEST_P(Sleep, WhoWakesDoesNotWaitBehindALongQueue) {
    constexpr int others = 20'000 / (thread_sanitizer ? 10 : 1);
    run([] {
        std::atomic<int> before{0};  // How many others had run when the sleeper woke.
        std::atomic<int> ran{0};
        std::atomic<bool> asleep{false};
        auto sleeper = spawn([&] {
            asleep = true;
            for (int i = 0; i != 5; ++i) sleep_for(1us);  // Each time there are others before it.
            before = ran.load();
        });
        wait_until([&] { return asleep.load(); });
        scope s;
        for (int i = 0; i != others; ++i) s.go([&] { ++ran; });
        s.join();
        sleeper.join();
        if (processors() == 1) {
            EXPECT_LT(before, others / 2);
        }
    });
}

TEST_P(Sleep, WhoWakesAgainAndAgainLeavesOthersTheirShare) {
    run([] {
        std::atomic<bool> done{false};
        scope s;
        for (int i = 0; i != 300; ++i) {
            s.go([&] {
                while (!done) sleep_for(1ns);
            });
        }
        for (int i = 0; i != 200; ++i) yield();
        done = true;
        s.join();
    });
}

TEST_P(Sleep, ManyDueAtOnceAllWake) {
    run([] {
        const auto when = weft::clock::now() + 5ms;
        std::atomic<int> woke{0};
        scope s;
        for (int i = 0; i != 1500; ++i) {
            s.go([&] {
                sleep_until(when);
                ++woke;
            });
        }
        s.join();
        EXPECT_EQ(woke, 1500);
    });
}

TEST_P(Sleep, TheClockNeverGoesBack) {
    run([] {
        auto last = weft::clock::now();
        for (int i = 0; i != 1000; ++i) {
            const auto now = weft::clock::now();
            ASSERT_GE(now, last);
            last = now;
            yield();
        }
    });
}

}  // namespace
}  // namespace weft::test
