// join_handle: the right to join, once.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

static_assert(std::is_nothrow_default_constructible_v<join_handle<int>>);
static_assert(std::is_nothrow_move_constructible_v<join_handle<int>>);
static_assert(std::is_move_assignable_v<join_handle<int>>);
static_assert(!std::is_copy_constructible_v<join_handle<int>>);
static_assert(!std::is_copy_assignable_v<join_handle<int>>);
static_assert(!std::is_base_of_v<std::exception, cancelled>);
static_assert(std::is_base_of_v<std::runtime_error, coroutine_cancelled>);

class JoinHandle : public with_runtime {};
WEFT_TEST_PROCESSORS(JoinHandle);

TEST_P(JoinHandle, ADefaultOneIsNotJoinable) {
    join_handle<int> none;
    EXPECT_FALSE(none.joinable());
    EXPECT_EQ(none.get_id(), id());
    EXPECT_THROW(none.join(), std::logic_error);
    none.detach();
    none.request_stop();
}

TEST_P(JoinHandle, JoiningTwiceIsALogicErrorThatSaysWhy) {
    run([] {
        auto handle = spawn([] { return 1; });
        handle.join();
        EXPECT_FALSE(handle.joinable());
        try {
            handle.join();
            ADD_FAILURE() << "no logic_error";
        } catch (const std::logic_error& e) {
            EXPECT_NE(std::string(e.what()).find("not joinable"), std::string::npos);
        }
    });
}

TEST_P(JoinHandle, JoiningADetachedOrMovedFromOneIsALogicError) {
    run([] {
        auto detached = spawn([] {});
        detached.detach();
        EXPECT_THROW(detached.join(), std::logic_error);
        auto from = spawn([] {});
        auto to = std::move(from);
        EXPECT_THROW(from.join(), std::logic_error);
        to.join();
    });
}

TEST_P(JoinHandle, JoiningAfterAnExceptionOnceMoreIsALogicError) {
    run([] {
        auto handle = spawn([] { throw std::domain_error("x"); });
        EXPECT_THROW(handle.join(), std::domain_error);
        EXPECT_FALSE(handle.joinable());
        EXPECT_THROW(handle.join(), std::logic_error);
    });
}

TEST_P(JoinHandle, ACoroutineCannotJoinItself) {
    run([] {
        std::atomic<bool> ready{false};
        join_handle<void> handle;
        handle = spawn([&] {
            wait_until([&] { return ready.load(); });
            EXPECT_THROW(handle.join(), std::logic_error);
        });
        ready = true;
        // Not before it has tried: a handle is not for two at once.
        wait_until([&, before = stats().coroutines] { return stats().coroutines < before; });
        handle.join();
    });
}

TEST_P(JoinHandle, JoinWaitsForTheEnd) {
    run([] {
        std::atomic<bool> ended{false};
        spawn([&] {
            for (int i = 0; i != 20; ++i) yield();
            sleep_for(1ms);
            ended = true;
        }).join();
        EXPECT_TRUE(ended);
    });
}

TEST_P(JoinHandle, JoinOfAnEndedOneReturnsAtOnce) {
    run([] {
        const std::uint64_t before = stats().coroutines;
        auto handle = spawn([] { return 5; });
        wait_until([&] { return stats().coroutines == before; });
        EXPECT_EQ(handle.join(), 5);
    });
}

TEST_P(JoinHandle, JoinsFromForeignThreads) {
    const runtime up(with_processors());
    EXPECT_EQ(spawn([] {
                  sleep_for(1ms);
                  return 5;
              }).join(),
              5);
    EXPECT_THROW(spawn([] { throw std::domain_error("x"); }).join(), std::domain_error);
}

TEST_P(JoinHandle, MayBeHandedToAnotherThreadOrCoroutine) {
    run([] {
        auto handle = spawn([] { return 6; });
        EXPECT_EQ(spawn([h = std::move(handle)]() mutable { return h.join(); }).join(), 6);
        std::optional<int> result;
        auto second = spawn([] { return 7; });
        std::thread joiner([&, h = std::move(second)]() mutable { result = h.join(); });
        blocking([&] { joiner.join(); });
        EXPECT_EQ(result, 7);
    });
}

TEST_P(JoinHandle, RequestStopCancels) {
    run([] {
        auto handle = spawn([] { wait_for_cancel(); });
        handle.request_stop();
        EXPECT_TRUE(handle.joinable());
        EXPECT_THROW(handle.join(), coroutine_cancelled);
    });
}

TEST_P(JoinHandle, RequestStopTwiceOrAfterTheEndDoesNothing) {
    run([] {
        const std::uint64_t before = stats().coroutines;
        auto handle = spawn([] { return 3; });
        wait_until([&] { return stats().coroutines == before; });
        handle.request_stop();
        handle.request_stop();
        EXPECT_EQ(handle.join(), 3);
    });
}

TEST_P(JoinHandle, ACoroutineThatIsStoppedButReturnsGivesItsValue) {
    run([] {
        auto handle = spawn([] {
            try {
                wait_for_cancel();
            } catch (const cancelled&) {}
            return 8;
        });
        handle.request_stop();
        EXPECT_EQ(handle.join(), 8);
    });
}

TEST_P(JoinHandle, DetachBeforeTheEndLetsItGoOn) {
    run([] {
        std::atomic<bool> release{false};
        std::atomic<bool> ended{false};
        auto handle = spawn([&] {
            wait_until([&] { return release.load(); });
            checkpoint();  // Nobody has asked it to stop.
            ended = true;
            return std::string("a result that nobody will take, on the heap");
        });
        handle.detach();
        EXPECT_FALSE(handle.joinable());
        release = true;
        wait_until([&] { return ended.load(); });
    });
}

TEST_P(JoinHandle, DetachAfterTheEndDropsTheResult) {
    std::atomic<int> destroyed{0};
    run([&] {
        const std::uint64_t before = stats().coroutines;
        auto handle = spawn([&] { return tells_destroyed(destroyed); });
        wait_until([&] { return stats().coroutines == before; });
        handle.detach();
        EXPECT_EQ(destroyed, 1);
    });
}

TEST_P(JoinHandle, TheDestructorRequestsStopAndJoins) {
    run([] {
        std::atomic<int> destroyed{0};
        std::atomic<bool> begun{false};
        {
            auto handle = spawn([&] {
                const tells_destroyed mine(destroyed);
                begun = true;
                wait_for_cancel();
            });
            wait_until([&] { return begun.load(); });
        }
        EXPECT_EQ(destroyed, 1);
    });
}

TEST_P(JoinHandle, TheDestructorJoinsUncancellably) {
    run([] {
        std::atomic<int> destroyed{0};
        std::atomic<bool> begun{false};
        auto outer = spawn([&] {
            auto inner = spawn([&] {
                const tells_destroyed mine(destroyed);
                begun = true;
                try {
                    wait_for_cancel();
                } catch (const cancelled&) {
                    const no_cancel slow;
                    sleep_for(1ms);
                }
            });
            wait_for_cancel();
        });
        wait_until([&] { return begun.load(); });
        outer.request_stop();
        EXPECT_THROW(outer.join(), coroutine_cancelled);
        EXPECT_EQ(destroyed, 1);
    });
}

TEST_P(JoinHandle, MoveAssignmentOverAJoinableOneStopsAndJoinsIt) {
    run([] {
        std::atomic<int> destroyed{0};
        std::atomic<bool> begun{false};
        auto handle = spawn([&] {
            const tells_destroyed mine(destroyed);
            begun = true;
            wait_for_cancel();
        });
        wait_until([&] { return begun.load(); });
        handle = spawn([] {});
        EXPECT_EQ(destroyed, 1);
        EXPECT_TRUE(handle.joinable());
        handle.join();
    });
}

TEST_P(JoinHandle, MoveAssignmentToItselfChangesNothing) {
    run([] {
        auto handle = spawn([] { return 4; });
        auto& same = handle;
        handle = std::move(same);
        EXPECT_EQ(handle.join(), 4);
    });
}

TEST_P(JoinHandle, FinishedHandlesInAContainerAreJoinedByItsDestructor) {
    run([] {
        std::atomic<int> ended{0};
        {
            std::vector<join_handle<void>> all;
            for (int i = 0; i != 100; ++i) all.push_back(spawn([&] { ++ended; }));
        }
        EXPECT_EQ(ended, 100);
    });
}

TEST_P(JoinHandle, GetIdIsTheOneTheCoroutineSees) {
    run([] {
        auto handle = spawn([] { return get_id(); });
        const id seen = handle.get_id();
        EXPECT_NE(seen, id());
        EXPECT_EQ(handle.join(), seen);
        EXPECT_EQ(handle.get_id(), id());
    });
}

// Requests beside a join, and beyond its end: none of them may reach the coroutine that gets the
// descriptor next.
TEST_P(JoinHandle, RequestStopBesideAJoinReachesThatCoroutineOrNone) {
    constexpr int rounds = thread_sanitizer ? 100 : 500;
    run([] {
        for (int round = 0; round != rounds; ++round) {
            std::atomic<bool> joined{false};
            std::atomic<int> asked{0};
            auto handle = spawn([&, round] {
                // Some have callbacks, some end at once, some wait for the request.
                std::optional<std::stop_callback<std::function<void()>>> told;
                if (round % 3 == 0) told.emplace(get_stop_token(), [&asked] { ++asked; });
                if (round % 2 == 0) wait_for_cancel();
                return round;
            });
            const auto ask = [&] {
                do {
                    handle.request_stop();
                    yield();
                } while (!joined);
            };
            auto one = spawn(ask);
            auto another = spawn(ask);
            try {
                EXPECT_EQ(handle.join(), round);
            } catch (const coroutine_cancelled&) {}
            joined = true;
            // It has the descriptor now, likely.
            EXPECT_NO_THROW(spawn([] { yield(); }).join());
            EXPECT_FALSE(handle.joinable());
            EXPECT_NO_THROW(one.join());
            EXPECT_NO_THROW(another.join());
        }
    });
}

TEST_P(JoinHandle, RequestStopMayComeFromAThreadWhileAnotherJoins) {
    run([] {
        for (int round = 0; round != 50; ++round) {
            auto handle = spawn([] { wait_for_cancel(); });
            std::thread asks([&] { handle.request_stop(); });
            EXPECT_THROW(handle.join(), coroutine_cancelled);
            blocking([&] { asks.join(); });
        }
    });
}

// Joins a coroutine that a stop callback ends. The thread that asked for the stop is in that
// callback until meanwhile(), which is called after the join, has returned: a join that waited for
// the request would hang.
template <class F>
void join_while_a_callback_runs(join_handle<void>& handle, F&& meanwhile) {
    std::stop_token token;
    std::atomic<bool> has_token{false};
    std::atomic<bool> called{false};
    std::atomic<bool> over{false};
    handle = spawn([&] {
        token = get_stop_token();
        has_token = true;
        while (!called) yield();
    });
    wait_until([&] { return has_token.load(); });
    std::stop_callback waits(token, [&] {
        called = true;
        while (!over) std::this_thread::yield();
    });
    std::thread asks([&] { handle.request_stop(); });
    try {
        handle.join();
    } catch (const coroutine_cancelled&) {}
    meanwhile();
    over = true;
    blocking([&] { asks.join(); });
}

TEST_P(JoinHandle, AStopCallbackMayWaitForTheJoiner) {
    run([] {
        join_handle<void> handle;
        join_while_a_callback_runs(handle, [] {});
        EXPECT_FALSE(handle.joinable());
    });
}

TEST_P(JoinHandle, ARequestDoesNotReachTheNextCoroutineOfTheHandle) {
    run([] {
        chan<void> go_on;
        join_handle<void> handle;
        join_while_a_callback_runs(
            handle, [&] { handle = spawn([go_on] { static_cast<void>(go_on.recv()); }); });
        go_on.close();
        EXPECT_NO_THROW(handle.join());
    });
}

}  // namespace
}  // namespace weft::test
