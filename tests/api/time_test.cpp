// Timers, tickers and after.
#include "support/build.hpp"
#include "support/resident.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <malloc.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Time : public with_runtime {};
WEFT_TEST_PROCESSORS(Time);

// Virtual time shows to the nanosecond what real time only suggests.
template <class F>
void simulated(F&& f) {
    testing::explore(20, std::forward<F>(f));
}

TEST_P(Time, NothingComesEarly) {
    run([] {
        scope s;
        for (int i = 1; i != 20; ++i) {
            s.go([i] {
                const auto d = std::chrono::microseconds(300 * i);
                const auto start = clock::now();
                const auto at = after(d).recv();
                EXPECT_GE(clock::now() - start, d);
                EXPECT_GE(*at - start, d);
                timer t(d);
                EXPECT_GE(*t.channel().recv() - start, 2 * d);
            });
        }
        s.join();
    });
}

TEST_P(Time, StopBeforeFiring) {
    run([] {
        timer t(1h);
        EXPECT_TRUE(t.stop());
        EXPECT_FALSE(t.stop());
        EXPECT_EQ(t.channel().recv_for(1ms), std::nullopt);
        EXPECT_FALSE(t.reset(1ms));
        EXPECT_TRUE(t.channel().recv().has_value());
        EXPECT_FALSE(t.stop());
    });
}

TEST(TimeSimulated, NoStaleValueAfterStopOrReset) {
    simulated([] {
        timer t(5ms);
        sleep_for(6ms);
        EXPECT_EQ(t.channel().size(), 1u);
        EXPECT_TRUE(t.stop()) << "its value had not been received";
        EXPECT_EQ(t.channel().try_recv(), std::nullopt);
        t.reset(5ms);
        sleep_for(6ms);
        const auto start = clock::now();
        EXPECT_TRUE(t.reset(5ms));
        EXPECT_EQ(*t.channel().recv(), start + 5ms);
    });
}

TEST(TimeSimulated, FunctionsRunOnACoroutineOfTheirOwn) {
    simulated([] {
        const id here = get_id();
        std::vector<clock::time_point> calls;
        chan<void> done(4);
        const auto start = clock::now();
        timer t(3ms, [&] {
            EXPECT_TRUE(in_coroutine());
            EXPECT_NE(get_id(), here);
            calls.push_back(clock::now());
            done.send();
        });
        done.recv();
        EXPECT_FALSE(t.stop());
        EXPECT_FALSE(t.reset(2ms));
        done.recv();
        ASSERT_EQ(calls.size(), 2u);
        EXPECT_EQ(calls[0] - start, 3ms);
        EXPECT_EQ(calls[1] - calls[0], 2ms);
        t.reset(1ms);
        EXPECT_TRUE(t.stop());
        EXPECT_EQ(done.recv_for(1h), chan_status::timeout);
    });
}

TEST(TimeSimulated, ATickerDoesNotDriftAndDropsTicks) {
    simulated([] {
        const auto start = clock::now();
        ticker t(10ms);
        const auto ticks = t.channel();
        for (int i = 1; i != 4; ++i) {
            EXPECT_EQ(*ticks.recv(), start + i * 10ms);
            sleep_for(3ms);  // The reader takes its time.
        }
        sleep_until(start + 95ms);
        // One of the missed ticks waits; then they come at whole periods again.
        EXPECT_EQ(*ticks.recv(), start + 40ms);
        EXPECT_EQ(*ticks.recv(), start + 100ms);
        EXPECT_EQ(*ticks.recv(), start + 110ms);
        EXPECT_TRUE(t.stop());
        EXPECT_EQ(ticks.recv_for(1h), std::nullopt);
        EXPECT_FALSE(ticks.closed());
    });
}

TEST(TimeSimulated, AfterInASelect) {
    simulated([] {
        chan<int> never;
        const auto start = clock::now();
        for (int i = 0; i != 5; ++i) {
            EXPECT_EQ(select(on_recv(never), on_recv(after(1h)), on_recv(after(7ms))), 2u);
        }
        EXPECT_EQ(clock::now() - start, 35ms);
    });
}

// What nobody can receive any more holds nothing up: neither a deadlock's discovery nor memory.
TEST(TimeSimulated, AnAfterThatNobodyHoldsIsGone) {
    EXPECT_THROW(testing::simulate(1,
                                   [] {
                                       { const auto dropped = after(1h); }
                                       chan<int>().recv();
                                   }),
                 deadlock);
}

TEST_P(Time, ManyAftersInALoopKeepNothing) {
    run([] {
        chan<int> c(1);
        for (int i = 0; i != 20'000; ++i) {
            c.send(i);
            select(on_recv(c), on_recv(after(24h)));
            if (c.size() != 0) c.recv();
        }
        EXPECT_LT(stats().timers, 2000u);
    });
}

// What the objects themselves hold is malloc's; the runtime has a node of each, and an entry in a heap.
TEST_P(Time, TheMemoryOfManyTimersComesBack) {
    if (thread_sanitizer || address_sanitizer)
        GTEST_SKIP() << "a sanitizer keeps memory of its own";
    run([] {
        constexpr std::size_t count = 200'000;
        std::vector<std::unique_ptr<timer>> timers;
        timers.reserve(count);
        std::function<void()> nothing = [] {};
        ::malloc_trim(0);  // What other tests have left would go, and make room in the comparison.
        const std::size_t before = resident_bytes();
        for (std::size_t i = 0; i != count; ++i) {
            timers.push_back(std::make_unique<timer>(1h + std::chrono::microseconds(i), nothing));
        }
        const std::size_t most = resident_bytes();
        timers.clear();
        ::malloc_trim(0);
        // Rounds of the monitor's give back what nothing names any more.
        while (resident_bytes() > before + (most - before) / 2) sleep_for(50ms);
        EXPECT_LT(stats().timers, 1000u);
    });
}

// Sleepers 10 ms apart, which may be 100 ms late: ten of them or so wake together.
TEST_P(Time, WithSlackTimersShareWakeUps) {
    constexpr std::size_t count = 100;
    std::vector<std::chrono::nanoseconds> woke(count);
    run(
        [&] {
            scope s;
            const auto start = clock::now();
            for (std::size_t i = 0; i != count; ++i) {
                s.go([&woke, start, i] {
                    const auto due = start + 20ms + 10ms * i;
                    sleep_until(due);
                    EXPECT_GE(clock::now(), due);
                    woke[i] = clock::now() - start;
                });
            }
            s.join();
        },
        {.timer_slack = 100ms});
    std::ranges::sort(woke);
    std::size_t wake_ups = 1;
    for (std::size_t i = 1; i != count; ++i) wake_ups += woke[i] - woke[i - 1] > 5ms ? 1 : 0;
    EXPECT_LE(wake_ups, 40u);
}

TEST_P(Time, ATimerGoesWithItsObject) {
    run([] {
        std::atomic<int> calls{0};
        const auto tells = std::make_shared<int>(1);
        {
            timer t(1ms, [&calls, tells] { ++calls; });
        }
        EXPECT_EQ(tells.use_count(), 1);
        sleep_for(3ms);
        EXPECT_EQ(calls, 0);
        timer a(1h);
        timer b(2h);
        a = std::move(b);
        EXPECT_THROW(b.stop(), std::logic_error);
        EXPECT_TRUE(a.stop());
    });
}

TEST_P(Time, Misuse) {
    EXPECT_THROW(static_cast<void>(timer(1ms)), std::logic_error) << "no runtime is up";
    EXPECT_THROW((void)after(1ms), std::logic_error);
    run([] {
        EXPECT_THROW(static_cast<void>(ticker(0ms)), std::invalid_argument);
        EXPECT_THROW(static_cast<void>(ticker(-1s)), std::invalid_argument);
        EXPECT_TRUE(after(-1h).recv().has_value());
        timer forever(std::chrono::hours::max());
        EXPECT_TRUE(forever.stop());
    });
}

TEST_P(Time, FromForeignThreads) {
    run([] {
        std::thread other([] {
            EXPECT_TRUE(after(1ms).recv().has_value());
            timer t(1h);
            EXPECT_TRUE(t.stop());
            EXPECT_FALSE(t.reset(1ms));
            EXPECT_TRUE(t.channel().recv().has_value());
            chan<void> done;
            timer f(1ms, [&] { done.send(); });
            EXPECT_TRUE(done.recv());
        });
        blocking([&] { other.join(); });
    });
}

TEST_P(Time, OutlivesTheRuntimeItWasMadeIn) {
    std::unique_ptr<timer> late;
    std::unique_ptr<ticker> ticks;
    run([&] {
        late = std::make_unique<timer>(1h);
        ticks = std::make_unique<ticker>(1h);
    });
    EXPECT_TRUE(late->stop());
    run([&] {
        EXPECT_FALSE(late->reset(1ms));
        EXPECT_TRUE(late->channel().recv().has_value());
        EXPECT_TRUE(ticks->stop());
    });
}

TEST_P(Time, StopAndResetAgainstFiring) {
    run([] {
        timer t(1us);
        std::atomic<bool> done{false};
        scope s;
        for (int k = 0; k != 3; ++k) {
            s.go([&, k] {
                for (int i = 0; i != 2000; ++i) {
                    if ((i + k) % 3 == 0) {
                        t.stop();
                    } else {
                        t.reset(std::chrono::microseconds(i % 5));
                    }
                    if (i % 8 == 0) yield();
                }
                done = true;
            });
        }
        const auto c = t.channel();
        while (!done) c.recv_for(10us);
        s.join();
        t.stop();
        EXPECT_EQ(c.try_recv(), std::nullopt);
        EXPECT_EQ(c.recv_for(1ms), std::nullopt);
    });
}

}  // namespace
}  // namespace weft::test
