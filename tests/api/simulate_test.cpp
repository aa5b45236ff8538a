// simulate: a schedule out of a seed, and time that does not pass.
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using weft::testing::simulate;

class Simulate : public plain_runtime {
protected:
    // The order in which five coroutines take their steps.
    static std::string trace_of(std::uint64_t seed) {
        std::string trace;
        simulate(seed, [&] {
            scope s;
            for (char name = 'a'; name != 'f'; ++name) {
                s.go([&trace, name] {
                    for (int i = 0; i != 5; ++i) {
                        trace += name;
                        if (i % 2 == 0) yield();
                        checkpoint();
                    }
                });
            }
            s.join();
        });
        return trace;
    }
};

TEST_F(Simulate, TheSameSeedReplaysTheSameSchedule) {
    for (std::uint64_t seed = 0; seed != 20; ++seed)
        EXPECT_EQ(trace_of(seed), trace_of(seed)) << seed;
}

TEST_F(Simulate, DifferentSeedsGiveDifferentSchedules) {
    std::set<std::string> traces;
    for (std::uint64_t seed = 0; seed != 50; ++seed) traces.insert(trace_of(seed));
    EXPECT_GT(traces.size(), 45u);
}

TEST_F(Simulate, FindsALostUpdate) {
    int lost = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        int value = 0;
        simulate(seed, [&] {
            const auto increment = [&] {
                const int read = value;
                checkpoint();  // What a preemption could be.
                value = read + 1;
            };
            auto a = spawn(increment);
            auto b = spawn(increment);
            a.join();
            b.join();
        });
        lost += value != 2;
    }
    EXPECT_GT(lost, 10);
    EXPECT_LT(lost, 90) << "not every schedule loses it";
}

TEST_F(Simulate, FindsBothOrdersOfARace) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        std::string order;
        simulate(seed, [&] {
            auto a = spawn([&] { order += 'a'; });
            auto b = spawn([&] { order += 'b'; });
            a.join();
            b.join();
            order += '.';
        });
        orders.insert(order);
    }
    EXPECT_EQ(orders, (std::set<std::string>{"ab.", "ba."}));
}

TEST_F(Simulate, EveryOperationIsASchedulingPoint) {
    // What somebody else has done between two operations: sometimes nothing, sometimes something.
    const auto seen_across = [](auto operation) {
        std::set<bool> seen;
        for (std::uint64_t seed = 1; seed <= 60; ++seed) {
            simulate(seed, [&] {
                bool other_ran = false;
                auto ended = spawn([] {});
                scope s;
                auto other = spawn([&] { other_ran = true; });
                const bool before = other_ran;
                operation(s, ended);
                if (!before) seen.insert(other_ran);
                other.join();
            });
        }
        return seen.size() == 2;
    };
    EXPECT_TRUE(seen_across([](scope&, join_handle<void>&) { yield(); }));
    EXPECT_TRUE(seen_across([](scope&, join_handle<void>&) { checkpoint(); }));
    EXPECT_TRUE(seen_across([](scope&, join_handle<void>&) { go([] {}); }));
    EXPECT_TRUE(seen_across([](scope&, join_handle<void>& h) { h.request_stop(); }));
    EXPECT_TRUE(seen_across([](scope& s, join_handle<void>&) { s.join(); }));
    EXPECT_TRUE(seen_across([](scope& s, join_handle<void>&) { s.cancel(); }));
    EXPECT_TRUE(seen_across([](scope& s, join_handle<void>&) { s.go([] {}); }));
    EXPECT_TRUE(seen_across([](scope&, join_handle<void>&) { const scope ends_at_once; }));
    EXPECT_TRUE(seen_across([](scope&, join_handle<void>&) { with_timeout(1s, [] {}); }));
}

TEST_F(Simulate, WithTimeoutIsASchedulingPointOnTheWayInAndOnTheWayOut) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        std::string order;
        simulate(seed, [&] {
            auto other = spawn([&] { order += 'o'; });
            order += '(';
            with_timeout(1s, [&] { order += '.'; });
            order += ')';
            other.join();
        });
        orders.insert(order);
    }
    EXPECT_EQ(orders, (std::set<std::string>{"o(.)", "(o.)", "(.o)", "(.)o"}));
}

TEST_F(Simulate, AnHourOfSleepIsImmediate) {
    simulate(1, [] {
        const auto before = weft::clock::now();
        sleep_for(1h);
        EXPECT_EQ(weft::clock::now() - before, 1h);
        sleep_for(24h * 365 * 100);
        EXPECT_EQ(weft::clock::now() - before, 1h + 24h * 365 * 100);
    });
}

TEST_F(Simulate, TimeStandsStillWhileAnythingCanRun) {
    simulate(1, [] {
        const auto before = weft::clock::now();
        for (int i = 0; i != 100; ++i) {
            spawn([] { yield(); }).join();
            yield();
        }
        EXPECT_EQ(weft::clock::now(), before);
    });
}

TEST_F(Simulate, SleepersWakeInTheOrderOfTheirDeadlines) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        std::vector<int> order;
        simulate(seed, [&] {
            scope s;
            for (const int ms : {50, 10, 40, 20, 30}) {
                s.go([&order, ms] {
                    const auto before = weft::clock::now();
                    sleep_for(std::chrono::milliseconds(ms));
                    EXPECT_EQ(weft::clock::now() - before, std::chrono::milliseconds(ms));
                    order.push_back(ms);
                });
            }
            s.join();
        });
        EXPECT_EQ(order, (std::vector<int>{10, 20, 30, 40, 50}));
    }
}

// More than a processor fires at a time; the first waits for the last.
TEST_F(Simulate, AllThatAreDueAtOneMomentWake) {
    simulate(7, [] {
        bool last_woke = false;
        scope s;
        for (int i = 0; i != 200; ++i) {
            s.go([&, i] {
                sleep_for(1s);
                if (i == 199) last_woke = true;
                while (!last_woke) yield();
            });
        }
        s.join();
    });
}

TEST_F(Simulate, EndlessSleepIsNoDeadlockButCanBeCancelled) {
    simulate(1, [] {
        auto sleeper = spawn([] { sleep_for(std::chrono::hours::max()); });
        sleep_for(1ms);
        sleeper.request_stop();
        EXPECT_THROW(sleeper.join(), coroutine_cancelled);
    });
}

TEST_F(Simulate, ADeadlockIsThrown) {
    try {
        simulate(1, [] {
            scope s;
            s.go({.name = "waits for itself"}, [&] { s.join(); });
            s.join();
        });
        ADD_FAILURE() << "no deadlock";
    } catch (const deadlock& d) {
        EXPECT_NE(std::string(d.what()).find("'waits for itself'"), std::string::npos) << d.what();
        EXPECT_NE(std::string(d.what()).find("simulate_test.cpp:"), std::string::npos) << d.what();
    }
}

TEST_F(Simulate, ADeadlockMayBeCaughtInside) {
    simulate(1, [] {
        scope s;
        s.go([&] { s.join(); });
        EXPECT_THROW(s.join(), deadlock);
    });
}

TEST_F(Simulate, ExceptionsLeaveIt) {
    EXPECT_THROW(simulate(1, [] { throw std::domain_error("x"); }), std::domain_error);
    EXPECT_THROW(simulate(1, [] { throw 5; }), int);
    EXPECT_THROW(simulate(1, [] { spawn([] { throw std::domain_error("child"); }).join(); }),
                 std::domain_error);
}

TEST_F(Simulate, LeftoversAreCancelledAndTheirDestructorsRun) {
    std::atomic<int> destroyed{0};
    simulate(1, [&] {
        for (int i = 0; i != 10; ++i) {
            go([mine = tells_destroyed(destroyed)] { wait_for_cancel(); });
        }
    });
    EXPECT_EQ(destroyed, 10);
    EXPECT_THROW(simulate(2,
                          [&] {
                              go([mine = tells_destroyed(destroyed)] { wait_for_cancel(); });
                              throw std::domain_error("x");
                          }),
                 std::domain_error);
    EXPECT_EQ(destroyed, 11);
}

// They wait where nothing can reach them, so they are dropped; what was theirs and lies outside must not know.
TEST_F(Simulate, HandlesOfDroppedCoroutinesSayThatTheyWereCancelled) {
    join_handle<void> a;
    join_handle<std::string> b;
    simulate(1, [&] {
        a = spawn({.name = "a"}, [&] {
            const no_cancel deaf;
            b.join();
        });
        b = spawn({.name = "b"}, [&] {
            const no_cancel deaf;
            a.join();
            return std::string("never");
        });
        yield();
    });
    EXPECT_TRUE(a.joinable());
    EXPECT_NE(b.get_id(), id());
    a.request_stop();
    EXPECT_THROW(a.join(), coroutine_cancelled);
    EXPECT_THROW(b.join(), coroutine_cancelled);
    {
        join_handle<void> c;
        join_handle<void> d;
        simulate(1, [&] {
            c = spawn([&] {
                const no_cancel deaf;
                d.join();
            });
            d = spawn([&] {
                const no_cancel deaf;
                c.join();
            });
            yield();
        });
        c.detach();  // And d by its destructor.
    }
    simulate(1, [] {});  // What the handles kept goes with the next stop.
}

TEST_F(Simulate, AScopeOutsideIsLeftByTheChildrenThatAreDropped) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        scope s({.limit = 2});
        EXPECT_THROW(simulate(seed,
                              [&] {
                                  const no_cancel deaf;
                                  for (int i = 0; i != 3; ++i) {
                                      s.go([&] {
                                          const no_cancel deaf_too;
                                          s.join();
                                      });
                                  }
                              }),
                     deadlock);
        s.join();
    }
}

TEST_F(Simulate, BlockingRunsInPlace) {
    simulate(1, [] {
        const id me = get_id();
        EXPECT_EQ(blocking([&] { return get_id(); }), me);
        EXPECT_THROW(blocking([] { throw std::domain_error("x"); }), std::domain_error);
    });
}

TEST_F(Simulate, OnBigStackAndLocalsWork) {
    static local<int> mine;
    simulate(1, [] {
        mine.set(1);
        EXPECT_EQ(on_big_stack([] {
                      yield();
                      return *mine;
                  }),
                  1);
        spawn([] { EXPECT_EQ(*mine, 0); }).join();
    });
}

TEST_F(Simulate, ForeignThreadsMayNotSpawn) {
    simulate(1, [] {
        std::thread([] {
            EXPECT_THROW(go([] {}), std::logic_error);
            EXPECT_THROW(static_cast<void>(spawn([] {})), std::logic_error);
        }).join();
    });
}

TEST_F(Simulate, ForeignThreadsMayNotTouchAScope) {
    simulate(1, [] {
        int ran = 0;
        scope s;
        s.go([&] {
            sleep_for(1s);
            ++ran;
        });
        yield();
        std::thread([&] {
            EXPECT_THROW(s.go([] {}), std::logic_error);
            EXPECT_THROW(static_cast<void>(s.spawn([] {})), std::logic_error);
            EXPECT_THROW(s.join(), std::logic_error);
            s.cancel();
        }).join();
        s.join();
        EXPECT_EQ(ran, 1) << "nobody was cancelled";
    });
}

TEST_F(Simulate, ForeignThreadsKeepTheirOwnTime) {
    simulate(1, [] {
        const auto inside = weft::clock::now();
        std::thread([&] {
            const auto before = std::chrono::steady_clock::now();
            const auto outside = weft::clock::now();
            EXPECT_LE(before, outside);
            EXPECT_LE(outside, std::chrono::steady_clock::now());
        }).join();
        EXPECT_EQ(weft::clock::now(), inside);
    });
}

TEST_F(Simulate, AwaitPolls) {
    simulate(1, [] {
        std::promise<int> promise;
        auto waiter = spawn([&] { return await(promise.get_future()); });
        yield();
        promise.set_value(4);
        EXPECT_EQ(waiter.join(), 4);
        EXPECT_EQ(await(std::async(std::launch::async, [] { return 5; })), 5);
    });
}

TEST_F(Simulate, ThereIsOneProcessorAndOneThread) {
    const auto caller = this_thread();
    simulate(1, [&] {
        EXPECT_EQ(processors(), 1u);
        EXPECT_TRUE(in_coroutine());
        EXPECT_EQ(this_thread(), caller);
        for (int i = 0; i != 10; ++i) {
            spawn([&] { EXPECT_EQ(this_thread(), caller); }).join();
        }
    });
}

TEST_F(Simulate, TakesFunctionsAndIgnoresResults) {
    struct local {
        static void body() { EXPECT_TRUE(in_coroutine()); }
        static int value() { return 1; }
    };
    simulate(1, local::body);
    simulate(1, &local::value);
}

TEST_F(Simulate, RunsHundredsOfTimes) {
    for (std::uint64_t seed = 0; seed != 300; ++seed) simulate(seed, [] { spawn([] {}).join(); });
}

}  // namespace
}  // namespace weft::test
