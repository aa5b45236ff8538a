// Stop tokens: cancellation for those who know std::stop_token.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class StopToken : public with_runtime {};
WEFT_TEST_PROCESSORS(StopToken);

TEST_P(StopToken, SaysThatACoroutineWasAskedToStop) {
    run([] {
        std::atomic<bool> begun{false};
        auto handle = spawn([&] {
            const std::stop_token token = get_stop_token();
            EXPECT_TRUE(token.stop_possible());
            EXPECT_FALSE(token.stop_requested());
            begun = true;
            const no_cancel deaf;
            wait_until([&] { return token.stop_requested(); });
        });
        wait_until([&] { return begun.load(); });
        handle.request_stop();
        handle.join();
    });
}

TEST_P(StopToken, TakenAfterTheRequestIsStopped) {
    run([] {
        std::atomic<bool> asked{false};
        auto handle = spawn([&] {
            const no_cancel deaf;
            wait_until([&] { return asked.load(); });
            EXPECT_TRUE(get_stop_token().stop_requested());
        });
        handle.request_stop();
        asked = true;
        handle.join();
    });
}

TEST_P(StopToken, OfACoroutineIsAlwaysTheSame) {
    run([] {
        EXPECT_EQ(get_stop_token(), get_stop_token());
        const std::stop_token mine = get_stop_token();
        spawn([&] { EXPECT_NE(get_stop_token(), mine); }).join();
    });
}

TEST_P(StopToken, RunsItsCallbacks) {
    run([] {
        for (int i = 0; i != 50; ++i) {
            std::atomic<int> called{0};
            std::atomic<bool> begun{false};
            auto handle = spawn([&] {
                const std::stop_callback callback(get_stop_token(), [&] { ++called; });
                begun = true;
                for (;;) yield();  // Sees the request at any time.
            });
            wait_until([&] { return begun.load(); });
            handle.request_stop();
            EXPECT_THROW(handle.join(), coroutine_cancelled);
            ASSERT_EQ(called, 1);
        }
    });
}

// The destructor of a callback compares threads; coroutines share them.
TEST_P(StopToken, CallbacksMayWait) {
    run([] {
        for (int i = 0; i != 20; ++i) {
            std::atomic<bool> begun{false};
            std::atomic<bool> inside{false};
            std::atomic<bool> alive{true};
            std::atomic<bool> seen_alive{false};
            auto owner = spawn([&] {
                const no_cancel deaf;
                {
                    const std::stop_callback callback(get_stop_token(), [&] {
                        inside = true;
                        for (int turn = 0; turn != 20; ++turn) yield();
                        sleep_for(100us);
                        seen_alive = alive.load();
                    });
                    begun = true;
                    wait_until([&] { return inside.load(); });
                }
                alive = false;
            });
            wait_until([&] { return begun.load(); });
            owner.request_stop();
            owner.join();
            ASSERT_TRUE(seen_alive);
        }
    });
}

TEST_P(StopToken, MadeAtAnyTimeIsNeverForgotten) {
    run([] {
        for (int i = 0; i != 50; ++i) {
            std::atomic<bool> begun{false};
            auto handle = spawn([&] {
                const no_cancel deaf;
                begun = true;
                const std::stop_token token = get_stop_token();
                wait_until([&] { return token.stop_requested(); });
            });
            wait_until([&] { return begun.load(); });
            handle.request_stop();
            handle.join();
            scope s;
            s.go([&] {
                const no_cancel deaf;
                begun = false;
                const std::stop_token token = get_stop_token();
                wait_until([&] { return token.stop_requested(); });
            });
            wait_until([&] { return !begun.load(); });
            s.cancel();
            s.join();
        }
    });
}

TEST_P(StopToken, MayOutliveItsCoroutine) {
    run([] {
        const std::stop_token token = spawn([] { return get_stop_token(); }).join();
        EXPECT_FALSE(token.stop_requested());
        spawn([] {}).join();
        EXPECT_FALSE(token.stop_requested());
    });
}

TEST_P(StopToken, OfAChildIsStoppedByTheScope) {
    run([] {
        for (int round = 0; round != 20; ++round) {
            std::atomic<int> waiting{0};
            std::atomic<int> called{0};
            scope s;
            for (int i = 0; i != 4; ++i) {
                s.go([&] {
                    const std::stop_callback callback(get_stop_token(), [&] { ++called; });
                    ++waiting;
                    wait_for_cancel();
                });
            }
            wait_until([&] { return waiting == 4; });
            s.cancel();
            s.join();
            ASSERT_EQ(called, 4);
        }
    });
}

TEST_P(StopToken, StopsAtTheDeadlineAround) {
    run([] {
        std::atomic<bool> told = false;
        EXPECT_THROW(with_timeout(5ms,
                                  [&] {
                                      const std::stop_token token = get_stop_token();
                                      EXPECT_FALSE(token.stop_requested());
                                      EXPECT_EQ(token, get_stop_token());
                                      // The coroutine itself is not there to look at its deadline.
                                      blocking([&] {
                                          while (!token.stop_requested()) std::this_thread::yield();
                                          told = true;
                                      });
                                      checkpoint();
                                  }),
                     timed_out);
        EXPECT_TRUE(told);
        EXPECT_FALSE(get_stop_token().stop_requested());
    });
}

TEST_P(StopToken, OfAnInnerSectionHearsOfTheOuterDeadline) {
    run([] {
        with_timeout(1h, [] {
            const std::stop_token outer = get_stop_token();
            try {
                with_timeout(1ms, [&] {
                    with_timeout(2h, [&] {
                        const no_cancel deaf;
                        const std::stop_token inner = get_stop_token();
                        wait_until([&] { return inner.stop_requested(); });
                        EXPECT_FALSE(outer.stop_requested());
                    });
                });
            } catch (const timed_out&) {
            } catch (const cancelled&) {
                ADD_FAILURE() << "the deadline is that of the section";
            }
            EXPECT_FALSE(outer.stop_requested());
        });
    });
}

TEST_P(StopToken, InsideATimeoutStopsWithTheCoroutine) {
    run([] {
        chan<void> begun;
        std::atomic<bool> called = false;
        auto handle = spawn([&] {
            with_timeout(1h, [&] {
                const no_cancel deaf;
                const std::stop_token token = get_stop_token();
                const std::stop_callback tell(token, [&called] { called = true; });
                begun.send();
                wait_until([&] { return token.stop_requested(); });
            });
        });
        begun.recv();
        handle.request_stop();
        handle.join();
        EXPECT_TRUE(called);
    });
}

TEST_P(StopToken, InsideATimeoutThatHasPassedIsStopped) {
    run([] {
        with_timeout(-1s, [] { EXPECT_TRUE(get_stop_token().stop_requested()); });
        with_timeout(std::chrono::nanoseconds::max(),
                     [] { EXPECT_FALSE(get_stop_token().stop_requested()); });
    });
}

}  // namespace
}  // namespace weft::test
