// The keeper in the poller: no event, no timer and no call of another thread is lost while machines fall asleep and wake.
//
// Every wait here can be ended by one party only, so one lost wake-up leaves the whole waiting, and the watchdog ends that.
#include "base/random.hpp"
#include "base/stress.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

namespace weft::detail {
namespace {

using namespace std::chrono_literals;

void linger(std::uint32_t steps) {
    for (; steps != 0; --steps) std::atomic_signal_fence(std::memory_order_seq_cst);
}

class bell {
public:
    bell() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~bell() { ::close(fd_); }
    bell(const bell&) = delete;
    bell& operator=(const bell&) = delete;
    void ring() const { ASSERT_EQ(::eventfd_write(fd_, 1), 0); }
    void wait() const {
        ASSERT_TRUE(net::wait_readable(fd_));
        eventfd_t value = 0;
        ASSERT_EQ(::eventfd_read(fd_, &value), 0);
    }

private:
    int fd_;
};

class PollStress : public ::testing::TestWithParam<unsigned> {};

TEST_P(PollStress, AThreadWakesACoroutineThroughADescriptorWhileEverybodyIsFallingAsleep) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(30'000);
    const test::watchdog dog(stress_seconds());
    const bell there;
    std::atomic<std::uint64_t> answered{0};
    {
        runtime up({.processors = GetParam()});
        auto echo = up.submit([&] {
            for (std::uint64_t n = 0; n != rounds; ++n) {
                there.wait();
                answered.fetch_add(1);
                answered.notify_all();
            }
        });
        random_source random(seed);
        for (std::uint64_t n = 0; n != rounds; ++n) {
            linger(random.below(4) == 0 ? random.below(20'000) : random.below(200));
            there.ring();
            for (std::uint64_t seen = answered.load(); seen != n + 1; seen = answered.load())
                answered.wait(seen);
        }
        echo.get();
    }
}

// Timers that are earlier than what the keeper has planned, calls of threads, and events, all at once.
TEST_P(PollStress, TimersThreadsAndDescriptorsMeet) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(3'000);
    const test::watchdog dog(stress_seconds());
    {
        runtime up({.processors = GetParam()});
        std::vector<bell> bells(3);
        std::vector<std::thread> threads;
        for (std::uint64_t t = 0; t != bells.size(); ++t) {
            threads.emplace_back([&, t] {
                random_source random(seed + t);
                for (std::uint64_t n = 0; n != rounds; ++n) {
                    const std::uint32_t pause = random.below(3'000);
                    const std::uint32_t sleep_us = random.below(200);
                    auto done = up.submit([&, t, sleep_us] {
                        sleep_for(std::chrono::microseconds(sleep_us));
                        bells[t].wait();
                    });
                    linger(pause);
                    bells[t].ring();
                    done.get();
                }
            });
        }
        for (auto& thread : threads) thread.join();
    }
}

// Two that answer each other through descriptors, beside others that keep processors busy or let them sleep.
TEST_P(PollStress, CoroutinesThatWakeEachOtherThroughDescriptorsNeverStop) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(20'000);
    const test::watchdog dog(stress_seconds());
    run(
        [&] {
            std::vector<bell> bells(4);
            scope all;
            for (std::size_t i = 0; i != bells.size(); ++i) {
                all.go([&, i] {
                    random_source random(seed + i);
                    for (std::uint64_t n = 0; n != rounds; ++n) {
                        bells[i].wait();
                        if (random.below(32) == 0) linger(random.below(4'000));
                        if (random.below(256) == 0)
                            sleep_for(std::chrono::microseconds(random.below(100)));
                        if (random.below(64) == 0) go([] { yield(); });
                        bells[(i + 2) % 4].ring();
                    }
                });
            }
            bells[0].ring();
            bells[1].ring();
            all.join();
        },
        {.processors = GetParam()});
}

// Each runtime opens a poller of its own, perhaps while its machines go to sleep, and closes it.
TEST_P(PollStress, RuntimesComeAndGo) {
    const std::uint64_t rounds = stress_rounds(300);
    const test::watchdog dog(stress_seconds());
    for (std::uint64_t n = 0; n != rounds; ++n) {
        run(
            [&] {
                const bell there;
                auto waiter = spawn([&] { there.wait(); });
                if (n % 3 == 0) sleep_for(100us);
                if (n % 3 == 1) yield();
                there.ring();
                waiter.join();
                if (n % 2 == 0) go([] { net::wait_readable(0, clock::now() + 1h); });
            },
            {.processors = GetParam()});
    }
}

INSTANTIATE_TEST_SUITE_P(Processors, PollStress, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::detail
