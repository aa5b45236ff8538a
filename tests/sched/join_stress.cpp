// Where a coroutine's end meets whoever waits for it: the join word, and the count of the living.
//
// Join word: children end while they are joined, detached, or joined by somebody who is cancelled meanwhile and
// then joins again or lets go. A lost hand-over leaves a joiner waiting, which the watchdog ends.
//
// note_finished(): a runtime stops while its last coroutines end on several processors at once. Stopping waits
// without a limit, so that an end that nobody notices is a hang.
#include "base/random.hpp"
#include "base/stress.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace weft::detail {
namespace {

void linger(std::uint32_t steps) {
    for (; steps != 0; --steps) std::atomic_signal_fence(std::memory_order_seq_cst);
}

class JoinStress : public ::testing::TestWithParam<unsigned> {
protected:
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog{stress_seconds()};
    std::atomic<std::uint64_t> ended{0};  // Counted by children that may outlive main.
    const options opts{.processors = GetParam(), .shutdown_grace = std::chrono::hours(1)};
};

// The result is larger than a word, and made on the child's side: it must be there whole.
struct result {
    std::array<std::uint64_t, 3> words;
};

TEST_P(JoinStress, AResultArrivesWhoeverComesFirst) {
    const std::uint64_t rounds = stress_rounds(60'000);
    run(
        [&] {
            scope joiners;
            for (std::uint64_t j = 0; j != 4; ++j) {
                joiners.go([&, j] {
                    random_source random(seed + j);
                    for (std::uint64_t n = 0; n != rounds; ++n) {
                        const std::uint32_t childs = random.below(300);
                        const std::uint32_t ours = random.below(300);
                        auto child = spawn([n, childs] {
                            linger(childs);
                            return result{{n, n + 1, n + 2}};
                        });
                        if (random.below(4) == 0) yield();
                        linger(ours);
                        const result r = child.join();
                        ASSERT_EQ(r.words, (std::array<std::uint64_t, 3>{n, n + 1, n + 2}));
                    }
                });
            }
            joiners.join();
        },
        opts);
}

TEST_P(JoinStress, AJoinerThatIsCancelledJoinsAgainOrLetsGo) {
    const std::uint64_t rounds = stress_rounds(20'000);
    run(
        [&] {
            random_source random(seed);
            for (std::uint64_t n = 0; n != rounds; ++n) {
                const std::uint32_t childs = random.below(400);
                const std::uint32_t choice = random.below(3);
                auto joiner = spawn([this, childs, choice] {
                    auto child = spawn([this, childs] {
                        linger(childs);
                        if (childs % 3 == 0) yield();
                        ended.fetch_add(1);
                    });
                    try {
                        child.join();
                    } catch (const cancelled&) {
                        const no_cancel finish;
                        if (choice == 0) child.join();
                        if (choice == 1) child.detach();
                        // Otherwise the handle's destructor joins.
                    } catch (const coroutine_cancelled&) {
                        ended.fetch_add(1);
                    }
                });
                linger(random.below(400));
                if (random.below(4) == 0) yield();
                joiner.request_stop();
                try {
                    joiner.join();
                } catch (const coroutine_cancelled&) {}
            }
        },
        opts);
}

TEST_P(JoinStress, ThreadsJoinCoroutines) {
    const std::uint64_t rounds = stress_rounds(4'000);
    runtime up(opts);
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t != 3; ++t) {
        threads.emplace_back([&, t] {
            random_source random(seed + t);
            for (std::uint64_t n = 0; n != rounds; ++n) {
                auto child = spawn([n, steps = random.below(2000)] {
                    linger(steps);
                    return n;
                });
                linger(random.below(2000));
                if (random.below(8) == 0) {
                    child.detach();
                } else {
                    ASSERT_EQ(child.join(), n);
                }
            }
        });
    }
    for (auto& thread : threads) thread.join();
}

// Handles that are used while the runtime stops, and threads that spawn while it starts.
TEST_P(JoinStress, ForeignThreadsMeetStartAndStop) {
    const std::uint64_t rounds = stress_rounds(600);
    std::atomic<bool> done{false};
    std::thread spawner([&] {
        while (!done) {
            try {
                auto child = spawn([this] { ended.fetch_add(1); });
                child.request_stop();
                linger(50);
                child.request_stop();
                child.detach();
            } catch (const std::logic_error&) {
                std::this_thread::yield();  // No runtime is up, or it is stopping.
            }
        }
    });
    for (std::uint64_t n = 0; n != rounds; ++n) {
        run([] { yield(); }, opts);
    }
    done = true;
    spawner.join();
}

TEST_P(JoinStress, StoppingSeesTheLastOfThoseThatEndTogether) {
    const std::uint64_t rounds = stress_rounds(1'000);
    random_source random(seed);
    for (std::uint64_t n = 0; n != rounds; ++n) {
        run(
            [&] {
                for (int i = 0; i != 4; ++i) {
                    go([steps = random.below(20'000)] {
                        linger(steps);
                        for (;;) yield();
                    });
                }
                linger(random.below(20'000));
                if (n % 2 == 0) yield();
            },
            opts);
    }
}

TEST_P(JoinStress, ARuntimeStopsWhileCoroutinesEndOrSleep) {
    const std::uint64_t rounds = stress_rounds(500);
    random_source random(seed);
    for (std::uint64_t n = 0; n != rounds; ++n) {
        runtime up(opts);
        for (int i = 0; i != 4; ++i) {
            go([steps = random.below(20'000), sleeps = i == 0] {
                linger(steps);
                if (sleeps) sleep_for(std::chrono::hours(1));
            });
        }
        linger(random.below(40'000));
    }
}

INSTANTIATE_TEST_SUITE_P(Processors, JoinStress, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::detail
