// Channel operations until a moment of a clock: of weft's, which is virtual in a simulation though its moments are the
// steady clock's by their type.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <optional>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class ChannelMoments : public plain_runtime {
protected:
    // How much virtual time `f` takes.
    template <class F>
    static std::chrono::nanoseconds taken(F&& f) {
        std::chrono::nanoseconds result{};
        weft::testing::simulate(1, [&] {
            const auto before = weft::clock::now();
            f(before);
            result = weft::clock::now() - before;
        });
        return result;
    }
};

TEST_F(ChannelMoments, ReceivingWaitsUntilThen) {
    EXPECT_EQ(taken([](weft::clock::time_point now) {
                  EXPECT_FALSE(chan<int>().recv_until(now + 1h));
                  int into = 0;
                  EXPECT_EQ(chan<int>().recv_until(into, now + 2h), chan_status::timeout);
                  EXPECT_EQ(chan<void>().recv_until(now + 3h), chan_status::timeout);
              }),
              3h);
}

TEST_F(ChannelMoments, SendingWaitsUntilThen) {
    EXPECT_EQ(taken([](weft::clock::time_point now) {
                  EXPECT_FALSE(chan<int>().send_until(1, now + 1h));
                  EXPECT_FALSE(chan<void>().send_until(now + 2h));
              }),
              2h);
}

TEST_F(ChannelMoments, SelectWaitsUntilThen) {
    EXPECT_EQ(taken([](weft::clock::time_point now) {
                  chan<int> c;
                  EXPECT_EQ(select(on_recv(c), on_timeout(now + 1h)), 1u);
              }),
              1h);
}

TEST_F(ChannelMoments, OneOfASelectSetStaysWhereItIs) {
    EXPECT_EQ(taken([](weft::clock::time_point now) {
                  chan<int> c(1);
                  select_set set;
                  set.add(on_recv(c));
                  set.add(on_timeout(now + 1h));
                  sleep_for(40min);
                  c.send(1);
                  EXPECT_EQ(set.wait(), 0u);
                  EXPECT_EQ(set.wait(), 1u);
              }),
              1h);
}

// Other clocks do not go on with virtual time: how far off their moment is counts once.
TEST_F(ChannelMoments, OfAnotherClockAreAsFarOffAsTheyWereAtFirst) {
    using std::chrono::system_clock;
    const auto time = taken([](weft::clock::time_point) {
        EXPECT_FALSE(chan<int>().recv_until(system_clock::now() + 1h));
        EXPECT_FALSE(chan<int>().send_until(1, system_clock::now() + 1h));
        sleep_until(system_clock::now() + 1h);
        timed_mutex m;
        const std::lock_guard hold(m);
        spawn([&] { EXPECT_FALSE(m.try_lock_until(system_clock::now() + 1h)); }).join();
        mutex other;
        condition_variable never;
        std::unique_lock lock(other);
        EXPECT_FALSE(never.wait_until(lock, system_clock::now() + 1h, [] { return false; }));
    });
    EXPECT_GT(time, 5 * 59min);
    EXPECT_LE(time, 5h);
}

TEST_F(ChannelMoments, OneThatHasPassedIsATry) {
    EXPECT_EQ(taken([](weft::clock::time_point now) {
                  sleep_for(1h);
                  chan<int> c(1);
                  EXPECT_TRUE(c.send_until(1, now));
                  EXPECT_FALSE(c.send_until(2, now));
                  EXPECT_EQ(c.recv_until(now), std::optional(1));
                  EXPECT_FALSE(c.recv_until(now));
              }),
              1h);
}

}  // namespace
}  // namespace weft::test
