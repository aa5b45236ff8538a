// Cancellation: a level that every cancellation point looks at.
#include "support/child.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Cancellation : public with_runtime {
protected:
    // Runs `f` in a coroutine that has been asked to stop before f begins.
    static void in_cancelled(std::function<void()> f) {
        std::atomic<bool> asked{false};
        auto handle = spawn([&] {
            wait_until_without_throwing(asked);
            f();
        });
        handle.request_stop();
        asked = true;
        handle.join();
    }
    // Runs `f` in a coroutine that is asked to stop at some time, most likely while f waits.
    template <class F>
    static void cancel_during(F f) {
        std::atomic<bool> begun{false};
        auto handle = spawn([&] {
            begun = true;
            f();
        });
        wait_until([&] { return begun.load(); });
        for (int i = 0; i != 5; ++i) yield();
        handle.request_stop();
        EXPECT_THROW(handle.join(), coroutine_cancelled);
    }

private:
    static void wait_until_without_throwing(const std::atomic<bool>& flag) {
        const no_cancel deaf;
        wait_until([&] { return flag.load(); });
    }
};
WEFT_TEST_PROCESSORS(Cancellation);

TEST_P(Cancellation, EveryPointThrowsOnceItIsRequested) {
    run([] {
        auto ended = spawn([] {});
        auto endless = spawn([] { wait_for_cancel(); });
        std::promise<int> never;
        std::future<int> future = never.get_future();
        std::promise<int> filled;
        filled.set_value(1);
        in_cancelled([&] {
            EXPECT_THROW(yield(), cancelled);
            EXPECT_THROW(checkpoint(), cancelled);
            EXPECT_THROW(sleep_for(1h), cancelled);
            EXPECT_THROW(sleep_for(0s), cancelled);
            EXPECT_THROW(sleep_for(-1s), cancelled);
            EXPECT_THROW(sleep_until(weft::clock::now() - 1s), cancelled);
            EXPECT_THROW(sleep_until(std::chrono::system_clock::now() + 1h), cancelled);
            EXPECT_THROW(endless.join(), cancelled);
            EXPECT_THROW(ended.join(), cancelled);
            EXPECT_THROW(await(std::move(future)), cancelled);
            EXPECT_THROW(await(filled.get_future()), cancelled);
            scope empty;
            EXPECT_THROW(empty.join(), cancelled);
            scope full({.limit = 1});
            full.go([] { wait_for_cancel(); });
            EXPECT_THROW(full.go([] {}), cancelled);
            EXPECT_THROW(static_cast<void>(full.spawn([] {})), cancelled);
            EXPECT_THROW(full.join(), cancelled);
        });
        EXPECT_TRUE(endless.joinable());
        ended.join();
    });
}

TEST_P(Cancellation, WhatIsNoPointDoesNotThrow) {
    run([] {
        in_cancelled([] {
            go([] {});
            auto handle = spawn([] { wait_for_cancel(); });
            handle.request_stop();
            handle.detach();
            scope s;
            s.go([] {});
            s.cancel();
            EXPECT_EQ(blocking([] { return 1; }), 1);
            EXPECT_EQ(on_big_stack([] { return 2; }), 2);
            set_name("still here");
            EXPECT_TRUE(get_stop_token().stop_requested());
        });
    });
}

TEST_P(Cancellation, WakesASleeper) {
    run([] { cancel_during([] { sleep_for(1h); }); });
}

TEST_P(Cancellation, WakesAYielder) {
    run([] {
        cancel_during([] {
            for (;;) yield();
        });
    });
}

TEST_P(Cancellation, StopsALoopThatOnlyChecks) {
    run([] {
        std::atomic<bool> begun{false};
        scope s;
        s.go([&] {
            begun = true;
            for (;;) checkpoint();
        });
        // From outside, for with one processor nobody else may run.
        std::thread canceller([&] {
            wait_until([&] { return begun.load(); });
            s.cancel();
        });
        s.join();
        canceller.join();
    });
}

TEST_P(Cancellation, WakesAJoiner) {
    run([] {
        auto endless = spawn([] { wait_for_cancel(); });
        cancel_during([&] { endless.join(); });
        EXPECT_TRUE(endless.joinable());
        endless.request_stop();
        EXPECT_THROW(endless.join(), coroutine_cancelled);
    });
}

TEST_P(Cancellation, WakesTheJoinerOfAScope) {
    run([] {
        std::atomic<int> destroyed{0};
        cancel_during([&] {
            scope s;
            for (int i = 0; i != 3; ++i) {
                s.go([mine = tells_destroyed(destroyed)] { wait_for_cancel(); });
            }
            s.join();
        });
        EXPECT_EQ(destroyed, 3);
    });
}

TEST_P(Cancellation, WakesWhoWaitsForAPlaceInAScopeAndTheScopeIsUnhurt) {
    run([] {
        std::atomic<bool> release{false};
        std::atomic<int> ran{0};
        scope s({.limit = 1});
        s.go([&] { wait_until([&] { return release.load(); }); });
        cancel_during([&] { s.go([&] { ran += 100; }); });
        release = true;
        s.go([&] { ++ran; });
        s.join();
        EXPECT_EQ(ran, 1);
    });
}

TEST_P(Cancellation, WakesWhoAwaitsAFuture) {
    run([] {
        auto promise = std::make_shared<std::promise<int>>();
        cancel_during([&] { await(promise->get_future()); });
        promise->set_value(1);  // The thread that waited for it may go.
    });
}

TEST_P(Cancellation, ThrowsAgainAndAgain) {
    run([] {
        in_cancelled([] {
            for (int i = 0; i != 50; ++i) EXPECT_THROW(yield(), cancelled);
        });
    });
}

TEST_P(Cancellation, DoesNotThrowInNoCancelAndThrowsBehindIt) {
    run([] {
        in_cancelled([] {
            {
                const no_cancel outer;
                {
                    const no_cancel inner;
                    yield();
                }
                yield();
                checkpoint();
                sleep_for(1us);
                spawn([] {}).join();
                scope s({.limit = 1});
                s.go([] {});
                s.go([] {});
                s.join();
                std::promise<int> filled;
                filled.set_value(1);
                EXPECT_EQ(await(filled.get_future()), 1);
            }
            EXPECT_THROW(yield(), cancelled);
        });
    });
}

TEST_P(Cancellation, DoesNotThrowInNoCancelHoweverDeep) {
    run([] {
        in_cancelled([] {
            std::vector<std::unique_ptr<no_cancel>> deaf;
            for (int i = 0; i != 700; ++i) {
                deaf.push_back(std::make_unique<no_cancel>());
                yield();
            }
            while (!deaf.empty()) {
                yield();
                deaf.pop_back();
            }
            EXPECT_THROW(yield(), cancelled);
            // Again, in the order in which they were made, and through the point at which counting moves on.
            for (int i = 0; i != 300; ++i) deaf.push_back(std::make_unique<no_cancel>());
            for (std::unique_ptr<no_cancel>& first : deaf) {
                yield();
                first.reset();
                const no_cancel inner;
                yield();
            }
            EXPECT_THROW(yield(), cancelled);
        });
    });
}

TEST_P(Cancellation, ASleepInNoCancelIsNotCutShort) {
    run([] {
        in_cancelled([] {
            const no_cancel deaf;
            const auto before = weft::clock::now();
            sleep_for(2ms);
            EXPECT_GE(weft::clock::now() - before, 2ms);
        });
    });
}

TEST_P(Cancellation, DoesNotThrowWhileAnExceptionUnwinds) {
    struct blocks_in_destructor {
        bool* done;
        ~blocks_in_destructor() {
            yield();
            checkpoint();
            sleep_for(1us);
            spawn([] {}).join();
            *done = true;
        }
    };
    run([] {
        in_cancelled([] {
            bool done = false;
            try {
                const blocks_in_destructor here{&done};
                throw std::domain_error("unwinding");
            } catch (const std::domain_error&) {}
            EXPECT_TRUE(done);
            EXPECT_THROW(yield(), cancelled);
        });
    });
}

TEST_P(Cancellation, ThrowsInsideACatchBlockForNothingUnwindsThere) {
    run([] {
        in_cancelled([] {
            try {
                throw std::domain_error("caught");
            } catch (const std::domain_error&) {
                EXPECT_THROW(yield(), cancelled);
            }
        });
    });
}

TEST_P(Cancellation, AHandlerForStdExceptionsDoesNotSwallowIt) {
    run([] {
        bool swallowed = false;
        auto handle = spawn([&] {
            try {
                wait_for_cancel();
            } catch (const std::exception&) {
                swallowed = true;
            }
        });
        handle.request_stop();
        EXPECT_THROW(handle.join(), coroutine_cancelled);
        EXPECT_FALSE(swallowed);
    });
}

TEST_P(Cancellation, OfACoroutineThatHasNotRunYetLetsItRunToItsFirstPoint) {
    run([] {
        int reached = 0;
        auto handle = spawn([&] {
            reached = 1;
            const no_cancel deaf;  // It may run before it is asked to stop.
            yield();
            reached = 2;
        });
        handle.request_stop();
        handle.join();
        EXPECT_EQ(reached, 2);
    });
}

TEST_P(Cancellation, OfMainEndsIt) {
    EXPECT_EQ(run([]() -> int { throw cancelled(); }), 0);
}

TEST_P(Cancellation, DoesNotReachChildren) {
    run([] {
        std::atomic<bool> release{false};
        std::atomic<bool> ended{false};
        auto parent = spawn([&] {
            go([&] {
                wait_until([&] { return release.load(); });
                ended = true;
            });
            wait_for_cancel();
        });
        parent.request_stop();
        EXPECT_THROW(parent.join(), coroutine_cancelled);
        release = true;
        wait_until([&] { return ended.load(); });
    });
}

// ------------------------------------------------------------------------------------- what is reported

// A request that comes as the sleeper lies down wakes it. Without the fence between its word and its look at the requests
// one of some hundreds does not, and the test never ends.
TEST_P(Cancellation, RacesWithTheBeginningOfASleep) {
    run([] {
        for (int i = 0; i != 3000; ++i) {
            std::atomic<bool> here{false};
            auto h = spawn([&, i] {
                here = true;
                if (i % 2 == 0) {
                    sleep_for(1h);
                } else {
                    select(on_timeout(1h));
                }
            });
            while (!here) yield();
            h.request_stop();
            EXPECT_THROW(h.join(), coroutine_cancelled);
        }
    });
}

TEST_P(Cancellation, AHundredSwallowedOnesAreReported) {
    const child_result child = run_child([] {
        return run([] {
            auto handle = spawn({.name = "glutton"}, [] {
                for (int i = 0; i != 150; ++i) {
                    try {
                        sleep_for(1h);
                    } catch (const cancelled&) {}
                }
            });
            handle.request_stop();
            handle.join();
        });
    });
    EXPECT_EQ(child.exit_status, 0) << child.err;
    const auto lines = child.lines_with("swallowed 100");
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_NE(lines[0].find("'glutton'"), std::string::npos) << lines[0];
    EXPECT_NE(lines[0].find("cancellation_test.cpp:"), std::string::npos) << lines[0];
}

}  // namespace
}  // namespace weft::test
