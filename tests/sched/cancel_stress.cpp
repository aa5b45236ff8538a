// Edge *cancel*, and the ticket: whatever comes together to end a wait, exactly one reason does, everybody else
// fails harmlessly, and nobody sleeps on.
//
// Round by round one coroutine waits, while a thread fires its ticket, another asks it to stop, or its time
// runs out: each of these alone or several at once.
#include "base/random.hpp"
#include "base/stress.hpp"
#include "os/clock.hpp"
#include "sched/cancel.hpp"
#include "sched/machine.hpp"
#include "sched/wait.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

enum parties : unsigned { by_signal = 1, by_cancel = 2, by_timeout = 4 };

void linger(std::uint32_t steps) {
    for (; steps != 0; --steps) std::atomic_signal_fence(std::memory_order_seq_cst);
}

class CancelStress : public ::testing::TestWithParam<unsigned> {
protected:
    static bool has(parties p) { return (GetParam() & p) != 0; }

    // Waits for the coroutine to begin round n.
    void await_round(std::uint64_t n) const {
        for (unsigned spin = 0; round.load() < n; ++spin) {
            if (spin > 1000) std::this_thread::yield();
        }
    }

    void signal(std::uint64_t seed) {
        random_source random(seed);
        for (std::uint64_t n = 1; n <= rounds; ++n) {
            await_round(n);
            linger(random.below(300));
            const ticket t{who.load(), word.load()};
            if (fire(t, wake_reason::signalled)) signals.fetch_add(1, std::memory_order_relaxed);
            parties_done.fetch_add(1);
        }
    }

    void cancel(std::uint64_t seed) {
        random_source random(seed);
        for (std::uint64_t n = 1; n <= rounds; ++n) {
            while (starting.load() < n) std::this_thread::yield();
            linger(random.below(300));
            request_cancel(*static_cast<coroutine*>(who.load()), attention_cancel);
            parties_done.fetch_add(1);
        }
    }

    void wait_once(coroutine& self, std::uint64_t n, random_source& random) {
        const std::int64_t deadline =
            has(by_timeout) ? monotonic_ns() + random.below(20'000) : never;
        wake_reason why = wake_reason::none;
        starting.store(n);
        linger(random.below(300));
        try {
            waiting wait(cancellation::honoured, wait_kind::other);
            word.store(wait.ticket().word);
            round.store(n);
            why = wait.finish(deadline);
        } catch (const cancelled&) {
            round.store(n);  // Asked before it had begun to wait.
            why = wake_reason::cancelled;
        }
        ++reasons[static_cast<unsigned>(why)];
        if (why == wake_reason::timeout) {
            EXPECT_GE(monotonic_ns(), deadline);
        }
        // The others may still be about it; only then may the next wait begin.
        while (parties_done.load() != others) std::this_thread::yield();
        parties_done.store(0);
        self.attention.fetch_and(~static_cast<std::uint32_t>(attention_cancel));
    }

    const std::uint64_t rounds = stress_rounds(30'000);
    const unsigned others = (has(by_signal) ? 1u : 0u) + (has(by_cancel) ? 1u : 0u);
    std::atomic<sleeper*> who{nullptr};
    std::atomic<std::uint64_t> word{0};
    std::atomic<std::uint64_t> starting{0};
    std::atomic<std::uint64_t> round{0};
    std::atomic<unsigned> parties_done{0};
    std::atomic<std::uint64_t> signals{0};
    std::uint64_t reasons[8] = {};
};

TEST_P(CancelStress, ExactlyOneEndsTheWait) {
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog(stress_seconds());
    std::vector<std::thread> threads;
    {
        runtime up({.processors = 2});
        auto sleeper_done = up.submit([&] {
            random_source random(seed);
            coroutine& self = *this_coroutine();
            who.store(&self);
            for (std::uint64_t n = 1; n <= rounds; ++n) wait_once(self, n, random);
        });
        if (has(by_signal)) threads.emplace_back([&] { signal(seed + 1); });
        if (has(by_cancel)) threads.emplace_back([&] { cancel(seed + 2); });
        for (auto& thread : threads) thread.join();
        sleeper_done.get();
    }
    const auto count = [&](wake_reason why) { return reasons[static_cast<unsigned>(why)]; };
    EXPECT_EQ(count(wake_reason::signalled), signals.load())
        << "a fire that won must be the reason";
    EXPECT_EQ(count(wake_reason::signalled) + count(wake_reason::cancelled) +
                  count(wake_reason::timeout),
              rounds);
    if (!has(by_cancel)) {
        EXPECT_EQ(count(wake_reason::cancelled), 0u);
    }
    if (!has(by_timeout)) {
        EXPECT_EQ(count(wake_reason::timeout), 0u);
    }
}

INSTANTIATE_TEST_SUITE_P(Parties, CancelStress, ::testing::Range(1u, 8u), [](const auto& one) {
    std::string name;
    if ((one.param & by_signal) != 0) name += "Signal";
    if ((one.param & by_cancel) != 0) name += "Cancel";
    if ((one.param & by_timeout) != 0) name += "Timeout";
    return name;
});

}  // namespace
}  // namespace weft::detail
