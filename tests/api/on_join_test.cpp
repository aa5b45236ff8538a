// on_join: a select that waits for the end of coroutines.
#include "support/build.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class OnJoin : public with_runtime {};
WEFT_TEST_PROCESSORS(OnJoin);

TEST_P(OnJoin, TheCaseOfTheOneThatHasEndedRuns) {
    run([] {
        chan<void> go_on;
        auto sleeper = spawn([] { sleep_for(1h); });
        auto worker = spawn([&go_on] {
            go_on.recv();
            return std::string("done");
        });
        EXPECT_EQ(select(on_join(sleeper), on_join(worker), otherwise()), 2u);
        int ran = 0;
        go_on.send();
        EXPECT_EQ(select(on_join(sleeper), on_join(worker, [&ran] { ++ran; })), 1u);
        EXPECT_EQ(ran, 1);
        EXPECT_EQ(worker.join(), "done");
    });
}

TEST_P(OnJoin, OfOneThatEndedLongAgoCanGoOnAtOnce) {
    run([] {
        std::atomic<bool> ended = false;
        auto quick = spawn([&ended] { ended = true; });
        while (!ended) yield();
        for (int i = 0; i != 3; ++i) EXPECT_EQ(select(on_join(quick)), 0u);
        quick.join();
        EXPECT_THROW(static_cast<void>(on_join(quick)), std::logic_error);
        EXPECT_THROW(static_cast<void>(on_join(join_handle<int>())), std::logic_error);
    });
}

TEST_P(OnJoin, HowItEndedIsFetchedByJoin) {
    run([] {
        auto thrower = spawn([]() -> int { throw std::runtime_error("lost"); });
        EXPECT_EQ(select(on_join(thrower), on_timeout(1h)), 0u);
        EXPECT_THROW(thrower.join(), std::runtime_error);
        auto sleeper = spawn([] { sleep_for(1h); });
        EXPECT_EQ(select(on_join(sleeper), on_timeout(1ms)), 1u);
        sleeper.request_stop();
        EXPECT_EQ(select(on_join(sleeper), on_timeout(1h)), 0u);
        EXPECT_THROW(sleeper.join(), coroutine_cancelled);
    });
}

TEST_P(OnJoin, ACaseThatWasNotChosenLeavesTheHandleAsItWas) {
    run([] {
        chan<int> c(1);
        chan<void> go_on;
        auto worker = spawn([&go_on] {
            go_on.recv();
            return 7;
        });
        for (int i = 0; i != 20; ++i) {
            c.send(i);
            EXPECT_EQ(select(on_join(worker), on_recv(c, [i](auto n) { EXPECT_EQ(n, i); })), 1u);
        }
        EXPECT_THROW(with_timeout(1ms, [&] { worker.join(); }), timed_out);
        EXPECT_THROW(with_timeout(1ms, [&] { select(on_join(worker)); }), timed_out);
        go_on.send();
        EXPECT_EQ(select(on_join(worker)), 0u);
        EXPECT_EQ(worker.join(), 7);
    });
}

TEST_P(OnJoin, ADetachedOneNeverCanGoOn) {
    run([] {
        chan<void> go_on;
        chan<void> ended;
        auto worker = spawn([&] {
            go_on.recv();
            ended.close();
        });
        select_set set;
        set.add(on_join(worker));
        worker.detach();
        go_on.send();
        ended.recv();
        EXPECT_EQ(set.try_wait(), std::nullopt);
    });
}

TEST_P(OnJoin, ASetWaitsForMany) {
    run([] {
        constexpr std::size_t workers = 50;
        std::vector<join_handle<std::size_t>> handles;
        select_set set;
        std::vector<std::size_t> which;  // By the index of the case.
        for (std::size_t i = 0; i != workers; ++i) {
            handles.push_back(spawn([i] {
                for (std::size_t k = 0; k != i % 5; ++k) yield();
                return i;
            }));
            const std::size_t index = set.add(on_join(handles.back()));
            which.resize(std::max(which.size(), index + 1));
            which[index] = i;
        }
        std::size_t sum = 0;
        while (!set.empty()) {
            const std::size_t index = set.wait();
            set.remove(index);
            sum += handles[which[index]].join();
        }
        EXPECT_EQ(sum, workers * (workers - 1) / 2);
    });
}

TEST_P(OnJoin, HandlesMayGoBeforeTheirCases) {
    run([] {
        select_set set;
        {
            auto gone = spawn([] { sleep_for(1h); });
            set.add(on_join(gone));
        }
        EXPECT_EQ(set.wait(), 0u);
    });
}

TEST_P(OnJoin, WorksOnForeignThreads) {
    runtime up(with_processors());
    chan<void> go_on;
    auto worker = spawn([&go_on] {
        go_on.recv();
        return 5;
    });
    EXPECT_EQ(select(on_join(worker), on_timeout(1ms)), 1u);
    go_on.send();
    EXPECT_EQ(select(on_join(worker), on_timeout(1h)), 0u);
    EXPECT_EQ(worker.join(), 5);
}

// The end meets each step of those who look at the handle.
TEST_P(OnJoin, EndsMeetWaitsInAnyOrder) {
    run([] {
        for (unsigned i = 0; i != 20'000 / slowdown; ++i) {
            auto worker = spawn([i] {
                if (i % 2 == 0) yield();
                return i;
            });
            for (unsigned k = 0; k != i % 3; ++k) yield();
            switch (i % 5) {
            case 0:
                select(on_join(worker));
                break;
            case 1:
                select(on_join(worker), otherwise());
                break;
            case 2:
                select(on_join(worker), on_join(worker), on_timeout(1us));
                break;
            case 3:
                select(on_join(worker), otherwise());
                worker.detach();
                continue;
            default:
                select(on_join(worker), otherwise());
                continue;  // The destructor joins.
            }
            EXPECT_EQ(worker.join(), i);
        }
    });
}

TEST(OnJoinExplored, NoEndIsMissed) {
    testing::explore(500, [] {
        auto a = spawn([] { yield(); });
        auto b = spawn([] {
            for (int i = 0; i != 3; ++i) yield();
            return 2;
        });
        auto c = spawn([] { sleep_for(1s); });
        int left = 3;
        while (left != 0) {
            select(on_join(a.joinable() ? a : c,
                           [&] {
                               (a.joinable() ? a : c).join();
                               --left;
                           }),
                   on_timeout(10s, [] { FAIL(); }));
            if (b.joinable() && left == 1) {
                EXPECT_EQ(select(on_join(b), on_timeout(10s)), 0u);
                EXPECT_EQ(b.join(), 2);
                --left;
            }
        }
    });
}

TEST(OnJoinExplored, ASimulationThatIsAbandonedLosesNothing) {
    EXPECT_THROW(testing::simulate(1,
                                   [] {
                                       chan<void> never;
                                       auto a = spawn([&never] { never.recv(); });
                                       auto b = spawn([&a] { select(on_join(a)); });
                                       select(on_join(b));
                                   }),
                 deadlock);
}

}  // namespace
}  // namespace weft::test
