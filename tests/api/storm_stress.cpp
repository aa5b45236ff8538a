// Everything of the core at once, on real threads: random programs side by side, and storms of one kind each.
//   WEFT_STRESS_SEED=n    repeat a run's random choices
//   WEFT_STRESS_SCALE=n   n times as many rounds
#include "random_program.hpp"
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"
#include "support/stress.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Storm : public with_runtime {
protected:
    Storm() : seed(stress_seed()) { seconds_ *= static_cast<unsigned>(stress_rounds(slowdown)); }

    [[nodiscard]] std::minstd_rand random(std::uint64_t salt) const {
        return std::minstd_rand(static_cast<std::uint32_t>(seed * 31 + salt * 7919 + 1));
    }
    static int rounds(unsigned n) { return static_cast<int>(stress_rounds(n)); }

    const std::uint64_t seed;
};

INSTANTIATE_TEST_SUITE_P(Processors, Storm, ::testing::Values(2u, 8u),
                         ::testing::PrintToStringParamName());

TEST_P(Storm, RandomProgramsSideBySideHold) {
    for (int round = 0; round != rounds(300); ++round) {
        run([&] {
            scope s;
            for (std::uint64_t i = 0; i != 20; ++i) {
                s.go([&, i] {
                    const std::uint64_t mine = seed + static_cast<std::uint64_t>(round) * 20 + i;
                    random_program program(mine, 20us);
                    EXPECT_EQ(program.run(), "") << "program " << mine;
                });
            }
            s.join();
            wait_until(
                [] { return stats().coroutines == 1; });  // Those that were detached are ending.
        });
    }
}

TEST_P(Storm, CancellationMeetsEveryWait) {
    std::atomic<int> ended{0};
    const int n = rounds(60'000);
    run([&] {
        scope s({.limit = 50});
        for (int i = 0; i != n; ++i) {
            s.go([&, r = random(static_cast<std::uint64_t>(i))]() mutable {
                const auto kind = r() % 5;
                const auto wait = std::chrono::microseconds(r() % 50);
                auto victim = spawn([kind, wait, mine = tells_destroyed(ended)] {
                    switch (kind) {
                    case 0:
                        wait_for_cancel();
                        break;
                    case 1:
                        sleep_for(wait);
                        break;
                    case 2:
                        spawn([wait] { sleep_for(wait); }).join();
                        break;
                    case 3: {
                        scope inner({.limit = 1});
                        for (int k = 0; k != 3; ++k) inner.go([wait] { sleep_for(wait); });
                        inner.join();
                        break;
                    }
                    default:
                        for (int k = 0; k != 10; ++k) yield();
                    }
                });
                if (r() % 2 == 0) sleep_for(std::chrono::microseconds(r() % 50));
                victim.request_stop();
                try {
                    victim.join();
                } catch (const coroutine_cancelled&) {}
            });
        }
        s.join();
    });
    EXPECT_EQ(ended, n);
}

TEST_P(Storm, TimeoutsMeetTheEndOfWhatTheyBound) {
    const int n = rounds(100'000);
    std::atomic<int> in_time{0};
    std::atomic<int> too_late{0};
    run([&] {
        scope s({.limit = 100});
        for (int i = 0; i != n; ++i) {
            s.go([&, r = random(static_cast<std::uint64_t>(i))]() mutable {
                const auto bound = std::chrono::microseconds(r() % 100);
                const auto work = std::chrono::microseconds(r() % 100);
                const auto before = weft::clock::now();
                try {
                    with_timeout(1h, [&] { with_timeout(bound, [&] { sleep_for(work); }); });
                    ASSERT_GE(weft::clock::now() - before, work);
                    ++in_time;
                } catch (const timed_out&) {
                    ASSERT_GE(weft::clock::now() - before, bound);
                    ++too_late;
                }
                checkpoint();  // Nothing is left of either.
                sleep_for(1us);
            });
        }
        s.join();
    });
    EXPECT_EQ(in_time + too_late, n);
}

TEST_P(Storm, ScopesFailAndAreCancelledFromAllSides) {
    run([&] {
        for (int i = 0; i != rounds(2000); ++i) {
            auto r = random(static_cast<std::uint64_t>(i));
            std::atomic<int> alive{0};
            {
                scope s({.limit = r() % 4});
                const auto fails = r() % 3;
                for (unsigned k = 0; k != 10; ++k) {
                    try {
                        s.go([&, k, fails] {
                            const counted_in here(alive);
                            const std::stop_callback callback(get_stop_token(), [] {});
                            yield();
                            if (fails == 0 && k == 5) throw std::domain_error("storm");
                            if (fails == 1 && k == 5) s.cancel();
                            sleep_for(20us);
                        });
                    } catch (const cancelled&) {
                        ADD_FAILURE() << "main is not cancelled";
                    }
                }
                try {
                    s.join();
                } catch (const std::domain_error&) {
                    ASSERT_EQ(fails, 0u);
                }
                ASSERT_EQ(alive, 0);
            }
        }
    });
}

TEST_P(Storm, ForeignThreadsSpawnJoinAndCancel) {
    const runtime up(with_processors());
    const int n = rounds(15'000);
    std::vector<std::thread> threads;
    std::atomic<int> ended{0};
    for (std::uint64_t t = 0; t != 3; ++t) {
        threads.emplace_back([&, r = random(t)]() mutable {
            for (int i = 0; i != n; ++i) {
                auto handle = spawn([wait = std::chrono::microseconds(r() % 30),
                                     mine = tells_destroyed(ended)] { sleep_for(wait); });
                if (r() % 2 == 0) handle.request_stop();
                switch (r() % 3) {
                case 0:
                    handle.detach();
                    break;
                case 1:
                    try {
                        handle.join();
                    } catch (const coroutine_cancelled&) {}
                    break;
                default:
                    break;
                }
            }
        });
    }
    for (auto& thread : threads) thread.join();
    wait_until([&] { return ended == 3 * n; });
}

TEST_P(Storm, RuntimesStopInTheMiddleOfEverything) {
    std::atomic<int> ended{0};
    std::atomic<int> begun{0};
    for (int i = 0; i != rounds(500); ++i) {
        run([&, r = random(static_cast<std::uint64_t>(i))]() mutable {
            for (int k = 0; k != 20; ++k) {
                ++begun;
                go([&, wait = std::chrono::microseconds(r() % 200), mine = tells_destroyed(ended)] {
                    scope s;
                    s.go([wait] { sleep_for(wait); });
                    auto child = spawn([wait] {
                        try {
                            with_timeout(wait, [] { wait_for_cancel(); });
                        } catch (const timed_out&) {}
                    });
                    blocking([] {});
                    yield();
                    s.join();
                    try {
                        child.join();
                    } catch (const coroutine_cancelled&) {}
                });
            }
            sleep_for(std::chrono::microseconds(r() % 200));
        });
    }
    EXPECT_EQ(ended, begun);
}

TEST_P(Storm, ThreadLocksBlockingCallsAndHintsMixed) {
    run([&] {
        scope s({.limit = 40});
        for (int i = 0; i != rounds(5000); ++i) {
            s.go([r = random(static_cast<std::uint64_t>(i))]() mutable {
                set_affinity_hint(static_cast<unsigned>(r() % 9));
                yield();
                if (r() % 4 == 0) {
                    const thread_lock lock;
                    const auto here = this_thread();
                    for (int k = 0; k != 3; ++k) {
                        yield();
                        if (r() % 2 == 0) blocking([] { std::this_thread::yield(); });
                        sleep_for(std::chrono::microseconds(r() % 20));
                        ASSERT_EQ(this_thread(), here);
                    }
                } else {
                    blocking([] { std::this_thread::yield(); });
                    on_big_stack([] { yield(); });
                }
            });
        }
        s.join();
    });
}

// Main parks on a machine of its own, so its processor goes idle at each join, and for a moment nothing seems to
// be left that could end it.
TEST_P(Storm, MainUnderAThreadLockJoinsAndNobodyTakesItForADeadlock) {
    run([&] {
        const thread_lock stay;
        for (int i = 0; i != rounds(2000); ++i) spawn([] {}).join();
    });
}

}  // namespace
}  // namespace weft::test
