// with_timeout: a block with a deadline. Virtual time, but for what needs real threads.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using weft::testing::explore;
using weft::testing::simulate;

static_assert(std::is_base_of_v<std::runtime_error, timed_out>);

class Timeout : public plain_runtime {};

TEST_F(Timeout, ThrowsTimedOutWhenItsTimeIsUp) {
    simulate(1, [] { EXPECT_THROW(with_timeout(10ms, [] { sleep_for(1h); }), timed_out); });
}

TEST_F(Timeout, EndsTheWaitExactlyAtItsDeadline) {
    simulate(1, [] {
        const auto before = weft::clock::now();
        EXPECT_THROW(with_timeout(10ms, [] { sleep_for(1h); }), timed_out);
        EXPECT_EQ(weft::clock::now() - before, 10ms);
    });
}

TEST_F(Timeout, ReturnsTheValueInTime) {
    simulate(1, [] {
        EXPECT_EQ(with_timeout(10ms,
                               [] {
                                   sleep_for(5ms);
                                   return std::string("value");
                               }),
                  "value");
    });
}

TEST_F(Timeout, TheValueWinsAlsoWhenTheTimeIsUp) {
    simulate(1, [] {
        EXPECT_EQ(with_timeout(10ms,
                               [] {
                                   const no_cancel deaf;
                                   sleep_for(1h);
                                   return 5;
                               }),
                  5);
    });
}

TEST_F(Timeout, ReturnsReferencesAndMoveOnlyValues) {
    simulate(1, [] {
        int target = 0;
        EXPECT_EQ(&with_timeout(1s, [&]() -> int& { return target; }), &target);
        EXPECT_EQ(*with_timeout(1s, [] { return std::make_unique<int>(4); }), 4);
    });
}

TEST_F(Timeout, OtherExceptionsPass) {
    simulate(1, [] {
        EXPECT_THROW(with_timeout(1s, [] { throw std::domain_error("mine"); }), std::domain_error);
        EXPECT_THROW(with_timeout(1ms,
                                  [] {
                                      try {
                                          sleep_for(1s);
                                      } catch (const cancelled&) {
                                          throw std::domain_error("mine");
                                      }
                                  }),
                     std::domain_error);
    });
}

TEST_F(Timeout, OfNoTimeThrowsAtTheFirstPoint) {
    simulate(1, [] {
        for (const auto d : {0ms, -5ms}) {
            bool reached = false;
            EXPECT_THROW(with_timeout(d,
                                      [&] {
                                          reached = true;
                                          yield();
                                      }),
                         timed_out);
            EXPECT_TRUE(reached);
        }
        EXPECT_EQ(with_timeout(0ms, [] { return 1; }), 1);
    });
}

TEST_F(Timeout, OfAllTheTimeThereIsNeverExpires) {
    simulate(1, [] {
        EXPECT_EQ(with_timeout(std::chrono::hours::max(),
                               [] {
                                   sleep_for(24h);
                                   return 3;
                               }),
                  3);
        EXPECT_EQ(with_timeout(std::chrono::duration<double>(1e300),
                               [] {
                                   sleep_for(24h);
                                   return 3;
                               }),
                  3);
    });
}

TEST_F(Timeout, EveryPointThrowsUntilTheBlockIsLeft) {
    simulate(1, [] {
        EXPECT_THROW(with_timeout(1ms,
                                  [] {
                                      for (int i = 0; i != 5; ++i) {
                                          EXPECT_THROW(sleep_for(1h), cancelled);
                                          EXPECT_THROW(yield(), cancelled);
                                          EXPECT_THROW(checkpoint(), cancelled);
                                          EXPECT_THROW(scope().join(), cancelled);
                                      }
                                      throw cancelled();
                                  }),
                     timed_out);
    });
}

TEST_F(Timeout, NothingIsStaleBehindTheBlock) {
    explore(50, [] {
        for (int i = 0; i != 5; ++i) {
            EXPECT_THROW(with_timeout(1ms, [] { sleep_for(1h); }), timed_out);
            checkpoint();
            yield();
            sleep_for(5ms);
            spawn([] { sleep_for(1ms); }).join();
            with_timeout(2ms, [] { sleep_for(1ms); });
            sleep_for(5ms);
            checkpoint();
        }
    });
}

TEST_F(Timeout, WakesAJoinThatStaysJoinable) {
    simulate(1, [] {
        auto slow = spawn([] {
            sleep_for(1s);
            return 6;
        });
        EXPECT_THROW(with_timeout(1ms, [&] { return slow.join(); }), timed_out);
        EXPECT_TRUE(slow.joinable());
        EXPECT_EQ(slow.join(), 6);
    });
}

TEST_F(Timeout, CancelsAScopeInside) {
    simulate(1, [] {
        std::atomic<int> destroyed{0};
        EXPECT_THROW(with_timeout(1ms,
                                  [&] {
                                      scope s;
                                      s.go([mine = tells_destroyed(destroyed)] { sleep_for(1h); });
                                      s.join();
                                  }),
                     timed_out);
        EXPECT_EQ(destroyed, 1);
    });
}

TEST_F(Timeout, DoesNotReachCoroutinesStartedInside) {
    simulate(1, [] {
        join_handle<int> outlives;
        EXPECT_THROW(with_timeout(1ms,
                                  [&] {
                                      outlives = spawn([] {
                                          sleep_for(10ms);
                                          return 7;
                                      });
                                      sleep_for(1h);
                                  }),
                     timed_out);
        EXPECT_EQ(outlives.join(), 7);
    });
}

// --------------------------------------------------------------------------------------------- nesting

TEST_F(Timeout, AnInnerOneExpiresAlone) {
    simulate(1, [] {
        EXPECT_EQ(with_timeout(1s,
                               [] {
                                   EXPECT_THROW(with_timeout(1ms, [] { sleep_for(1h); }),
                                                timed_out);
                                   checkpoint();
                                   sleep_for(1ms);
                                   return 2;
                               }),
                  2);
    });
}

TEST_F(Timeout, AnOuterOnePassesThroughTheInnerAsCancelled) {
    simulate(1, [] {
        bool passed = false;
        EXPECT_THROW(with_timeout(1ms,
                                  [&] {
                                      try {
                                          with_timeout(1s, [] { sleep_for(1h); });
                                      } catch (const cancelled&) {
                                          passed = true;
                                          throw;
                                      }
                                  }),
                     timed_out);
        EXPECT_TRUE(passed);
    });
}

TEST_F(Timeout, AnOuterOneStillHoldsBehindTheInner) {
    simulate(1, [] {
        const auto before = weft::clock::now();
        EXPECT_THROW(with_timeout(10ms,
                                  [] {
                                      with_timeout(1s, [] { sleep_for(1ms); });
                                      EXPECT_THROW(with_timeout(1ms, [] { sleep_for(1h); }),
                                                   timed_out);
                                      sleep_for(1h);
                                  }),
                     timed_out);
        EXPECT_EQ(weft::clock::now() - before, 10ms);
    });
}

TEST_F(Timeout, OfManyLevelsTheOneThatExpiredThrows) {
    simulate(1, [] {
        for (int expires = 0; expires != 5; ++expires) {
            int caught_at = -1;
            const auto nest = [&](auto& self, int level) -> void {
                if (level == 5) {
                    sleep_for(1h);
                    return;
                }
                try {
                    with_timeout(level == expires ? 1ms : 1min + level * 1min,
                                 [&] { self(self, level + 1); });
                } catch (const timed_out&) {
                    caught_at = level;
                }
            };
            nest(nest, 0);
            EXPECT_EQ(caught_at, expires);
        }
    });
}

TEST_F(Timeout, ACancellationFromOutsidePassesAsCancelled) {
    explore(100, [] {
        bool timed = false;
        auto handle = spawn([&] {
            try {
                with_timeout(1h, [] { wait_for_cancel(); });
            } catch (const timed_out&) {
                timed = true;
            }
        });
        handle.request_stop();
        EXPECT_THROW(handle.join(), coroutine_cancelled);
        EXPECT_FALSE(timed);
    });
}

TEST_F(Timeout, ACancellationStaysWhenTheBlockIsLeft) {
    simulate(1, [] {
        auto handle = spawn([] {
            try {
                with_timeout(1s, [] { wait_for_cancel(); });
            } catch (const cancelled&) {}
            EXPECT_THROW(checkpoint(), cancelled);
            return 1;
        });
        sleep_for(1ms);
        handle.request_stop();
        EXPECT_EQ(handle.join(), 1);
    });
}

TEST_F(Timeout, WhenBothHappenItIsEitherButNeverLost) {
    explore(200, [] {
        auto handle = spawn([] { with_timeout(1ms, [] { sleep_for(1h); }); });
        sleep_for(1ms);
        handle.request_stop();
        try {
            handle.join();
            ADD_FAILURE() << "neither";
        } catch (const timed_out&) {
        } catch (const coroutine_cancelled&) {}
    });
}

// ---------------------------------------------------------------------------------------- on real threads

class TimeoutOnThreads : public with_runtime {};
WEFT_TEST_PROCESSORS(TimeoutOnThreads);

TEST_P(TimeoutOnThreads, StopsALoopThatOnlyChecks) {
    run([] {
        EXPECT_THROW(with_timeout(1ms,
                                  [] {
                                      for (;;) checkpoint();
                                  }),
                     timed_out);
    });
}

TEST_P(TimeoutOnThreads, ManyAtOnceEachThrowForThemselves) {
    run([] {
        std::atomic<int> expired{0};
        std::atomic<int> in_time{0};
        scope s;
        for (int i = 0; i != 100; ++i) {
            s.go([&, expires = i % 2 == 0] {
                try {
                    with_timeout(expires ? std::chrono::microseconds(500) : 1h, [&] {
                        if (expires) wait_for_cancel();
                        sleep_for(1ms);
                    });
                    ++in_time;
                } catch (const timed_out&) {
                    ++expired;
                }
            });
        }
        s.join();
        EXPECT_EQ(expired, 50);
        EXPECT_EQ(in_time, 50);
    });
}

TEST_P(TimeoutOnThreads, CutsAnAwaitShort) {
    run([] {
        std::promise<int> late;
        EXPECT_THROW(with_timeout(1ms, [&] { return await(late.get_future()); }), timed_out);
        late.set_value(1);
    });
}

TEST_P(TimeoutOnThreads, NeverExpiresEarly) {
    run([] {
        for (int i = 0; i != 10; ++i) {
            const auto before = std::chrono::steady_clock::now();
            EXPECT_THROW(with_timeout(1ms, [] { wait_for_cancel(); }), timed_out);
            EXPECT_GE(std::chrono::steady_clock::now() - before, 1ms);
        }
    });
}

TEST_P(TimeoutOnThreads, TheDeadlineCanBeAskedFor) {
    run([] {
        EXPECT_FALSE(deadline().has_value());
        EXPECT_FALSE(time_left().has_value());
        const auto begin = clock::now();
        with_timeout(1h, [&] {
            const auto outer = deadline();
            ASSERT_TRUE(outer.has_value());
            EXPECT_GE(*outer, begin + 1h);
            EXPECT_LE(*outer, clock::now() + 1h);
            EXPECT_GT(time_left(), 30min);
            EXPECT_LE(time_left(), 1h);
            // The earliest of those around counts.
            with_timeout(2h, [&] { EXPECT_EQ(deadline(), outer); });
            with_timeout(1min, [&] { EXPECT_LT(deadline(), outer); });
            EXPECT_EQ(deadline(), outer);
            // It is the coroutine's own, not its children's.
            EXPECT_FALSE(spawn([] { return deadline().has_value(); }).join());
            with_timeout(std::chrono::nanoseconds::max(), [&] { EXPECT_EQ(deadline(), outer); });
        });
        EXPECT_FALSE(deadline().has_value());
        EXPECT_EQ(with_timeout(-1s, [] { return *time_left(); }), 0ns);
        EXPECT_EQ(with_timeout(std::chrono::nanoseconds::min(), [] { return *time_left(); }), 0ns);
    });
    EXPECT_FALSE(deadline().has_value());
}

}  // namespace
}  // namespace weft::test
