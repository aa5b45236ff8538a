// explore: many seeds, and the one that fails by name. Then the protocols of the core under it: whatever the
// schedule, these must hold.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <set>
#include <stdexcept>
#include <string>

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using weft::testing::explore;
using weft::testing::failure;
using weft::testing::simulate;

static_assert(std::is_base_of_v<std::runtime_error, failure>);

constexpr unsigned runs = 300 / slowdown;

class Explore : public plain_runtime {};

TEST_F(Explore, MakesExactlyAsManyCallsAsAsked) {
    for (const unsigned wanted : {0u, 1u, 17u}) {
        unsigned calls = 0;
        explore(wanted, [&] { ++calls; });
        EXPECT_EQ(calls, wanted);
    }
}

TEST_F(Explore, StopsAtTheFirstFailureNamesItsSeedAndNestsTheCause) {
    unsigned calls = 0;
    try {
        explore(100, [&] {
            if (++calls == 7) throw std::domain_error("the seventh");
        });
        ADD_FAILURE() << "no failure";
    } catch (const failure& f) {
        EXPECT_EQ(calls, 7u);
        EXPECT_NE(std::string(f.what()).find("seed " + std::to_string(f.seed())), std::string::npos)
            << f.what();
        EXPECT_NE(std::string(f.what()).find("the seventh"), std::string::npos) << f.what();
        EXPECT_THROW(std::rethrow_if_nested(f), std::domain_error);
    }
}

TEST_F(Explore, NestsWhatIsNoStdExceptionToo) {
    try {
        explore(5, [] { throw 5; });
        ADD_FAILURE() << "no failure";
    } catch (const failure& f) {
        EXPECT_THROW(std::rethrow_if_nested(f), int);
    }
}

// A check that misses one schedule: what explore() is for.
void planted_race() {
    bool ready = false;
    int value = 0;
    auto writer = spawn([&] {
        ready = true;
        checkpoint();
        value = 1;
    });
    while (!ready) yield();
    const int seen = value;
    writer.join();
    if (seen != 1) throw std::domain_error("read before it was written");
}

TEST_F(Explore, FindsAPlantedRaceAndItsSeedReplaysIt) {
    std::uint64_t seed = 0;
    try {
        explore(100, planted_race);
        ADD_FAILURE() << "not found";
    } catch (const failure& f) {
        seed = f.seed();
    }
    for (int i = 0; i != 5; ++i) EXPECT_THROW(simulate(seed, planted_race), std::domain_error);
}

TEST_F(Explore, NamesTheSeedOfADeadlock) {
    EXPECT_THROW(explore(100,
                         [] {
                             bool flag = false;
                             auto setter = spawn([&] { flag = true; });
                             setter.detach();
                             checkpoint();
                             if (flag) return;
                             scope s;
                             s.go([&] { s.join(); });
                             s.join();
                         }),
                 failure);
}

// ------------------------------------------------------------------------------ the protocols of the core

void require(bool condition, const char* what) {
    if (!condition) throw std::logic_error(what);
}

TEST_F(Explore, JoinSeesTheResultWhoeverComesFirst) {
    explore(runs, [] {
        int written = 0;
        auto handle = spawn([&] {
            yield();
            written = 1;
            return 2;
        });
        if (get_id().value() % 2 == 0) yield();
        require(handle.join() == 2, "the result");
        require(written == 1, "what was done before");
    });
}

TEST_F(Explore, AJoinThatIsCancelledHasHadNoEffect) {
    explore(runs, [] {
        auto worker = spawn([] {
            yield();
            yield();
            return 3;
        });
        auto joiner = spawn([&] { return worker.join(); });
        yield();
        joiner.request_stop();
        try {
            require(joiner.join() == 3, "a hand-over that has happened wins");
            require(!worker.joinable(), "joined");
        } catch (const coroutine_cancelled&) {
            require(worker.joinable(), "joinable as before");
            require(worker.join() == 3, "and its result is there");
        }
    });
}

TEST_F(Explore, DetachAndDestructorMeetTheEndAtAnyTime) {
    std::atomic<int> destroyed{0};
    explore(runs, [&] {
        destroyed = 0;
        {
            auto a = spawn([&] {
                yield();
                return tells_destroyed(destroyed);
            });
            auto b = spawn([&] {
                yield();
                return tells_destroyed(destroyed);
            });
            yield();
            a.detach();
        }
        // b is joined: it has returned or was cancelled, and either way nothing of it is left.
        sleep_for(1s);
        require(destroyed >= 1 && destroyed <= 2, "each result at most once, and a's for sure");
        require(stats().coroutines == 1, "nobody is left");
    });
}

TEST_F(Explore, RequestStopWakesTheSleeperHoweverTheyMeet) {
    explore(runs, [] {
        const auto before = weft::clock::now();
        auto sleeper = spawn([] { sleep_for(1h); });
        yield();
        sleeper.request_stop();
        try {
            sleeper.join();
            require(false, "it slept through");
        } catch (const coroutine_cancelled&) {}
        require(weft::clock::now() == before, "at once");
    });
}

TEST_F(Explore, ASignalAndATimeoutGiveOneWakeUp) {
    explore(runs, [] {
        auto worker = spawn([] {
            sleep_for(1ms);
            return 1;
        });
        int result = 0;
        try {
            result = with_timeout(1ms, [&] { return worker.join(); });
        } catch (const timed_out&) {
            result = worker.join();
        }
        require(result == 1, "never lost");
        checkpoint();
    });
}

TEST_F(Explore, TheLastChildAndTheJoinerOfAScopeMeet) {
    explore(runs, [] {
        int ended = 0;
        {
            scope s;
            for (int i = 0; i != 3; ++i) {
                s.go([&] {
                    yield();
                    ++ended;
                });
            }
            s.join();
        }
        require(ended == 3, "all have ended");
    });
}

TEST_F(Explore, APlaceThatIsHandedOverIsNeverLost) {
    explore(runs, [] {
        int ended = 0;
        scope s({.limit = 1});
        s.go([] { yield(); });
        auto waiter = spawn([&] { s.go([&] { ++ended; }); });
        yield();
        waiter.request_stop();
        bool placed = true;
        try {
            waiter.join();
        } catch (const coroutine_cancelled&) {
            placed = false;
        }
        s.go([&] { ++ended; });  // Deadlocks if the place is lost.
        s.join();
        require(ended == (placed ? 2 : 1), "a child for each place");
    });
}

TEST_F(Explore, AFailureMeetsACancelAndAJoin) {
    explore(runs, [] {
        int stopped = 0;
        scope s;
        s.go([&] {
            try {
                wait_for_cancel();
            } catch (const cancelled&) {
                ++stopped;
                throw;
            }
        });
        s.go([] {
            yield();
            throw std::domain_error("x");
        });
        s.go([&] { s.cancel(); });
        try {
            s.join();  // The second child may be cancelled before it throws.
        } catch (const std::domain_error&) {}
        require(stopped <= 1, "once");
    });
}

}  // namespace
}  // namespace weft::test
