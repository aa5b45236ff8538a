// Starting and stopping: as often as one likes, with nothing left, whatever was going on.
#include "support/child.hpp"
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Lifecycle : public with_runtime {};
WEFT_TEST_PROCESSORS(Lifecycle);

TEST_P(Lifecycle, RunStartsAndStopsHundredsOfTimes) {
    for (int i = 0; i != 300; ++i) {
        ASSERT_EQ(run([&] { return spawn([&] { return i; }).join(); }), i);
    }
}

TEST_P(Lifecycle, ARuntimeStartsAndStopsHundredsOfTimes) {
    for (int i = 0; i != 300; ++i) {
        runtime r(with_processors());
        ASSERT_EQ(r.submit([&] { return i; }).get(), i);
    }
}

TEST_P(Lifecycle, ARuntimeThatDidNothingStops) {
    for (int i = 0; i != 100; ++i) const runtime r(with_processors());
}

TEST_P(Lifecycle, EachStopLeavesNothing) {
    const footprint before = footprint::now();
    for (int i = 0; i != 20; ++i) {
        run([] {
            scope s;
            for (int k = 0; k != 20; ++k) s.go([] { sleep_for(100us); });
            s.go([] { blocking([] {}); });
            s.join();
        });
        ASSERT_EQ(left_since(before), "");
    }
}

TEST_P(Lifecycle, CoroutinesAliveWhenMainReturnsAreCancelledAndTheirDestructorsRun) {
    std::atomic<int> begun{0};
    std::atomic<int> destroyed{0};
    run([&] {
        for (int i = 0; i != 50; ++i) {
            go([&] {
                const tells_destroyed mine(destroyed);
                ++begun;
                wait_for_cancel();
            });
        }
        wait_until([&] { return begun == 50; });
    });
    EXPECT_EQ(destroyed, 50);
}

TEST_P(Lifecycle, CoroutinesThatHaveNotRunYetStillRunAndAreCancelledAtOnce) {
    std::atomic<int> destroyed{0};
    std::atomic<int> completed{0};
    run([&] {
        for (int i = 0; i != 50; ++i) {
            go([&, mine = tells_destroyed(destroyed)] {
                checkpoint();
                sleep_for(1h);
                ++completed;
            });
        }
    });
    EXPECT_EQ(destroyed, 50);
    EXPECT_EQ(completed, 0);
}

TEST_P(Lifecycle, CoroutinesSpawnedWhileStoppingAreCancelledToo) {
    std::atomic<int> destroyed{0};
    run([&] {
        go([&] {
            const tells_destroyed mine(destroyed);
            try {
                wait_for_cancel();
            } catch (const cancelled&) {
                go([&] {
                    const tells_destroyed late(destroyed);
                    wait_for_cancel();
                });
                throw;
            }
        });
        yield();
    });
    EXPECT_GE(destroyed, 1);
}

TEST_P(Lifecycle, CleanUpMayBlockUnderNoCancelWhileStopping) {
    std::atomic<bool> cleaned{false};
    run([&] {
        std::atomic<bool> begun{false};
        go([&] {
            begun = true;
            try {
                wait_for_cancel();
            } catch (const cancelled&) {
                const no_cancel block;
                sleep_for(1ms);
                spawn([] {}).join();
                cleaned = true;
            }
        });
        wait_until([&] { return begun.load(); });
    });
    EXPECT_TRUE(cleaned);
}

TEST_P(Lifecycle, TheOthersAreCancelledAlsoWhenMainThrows) {
    std::atomic<int> destroyed{0};
    EXPECT_THROW(run([&] {
                     std::atomic<bool> begun{false};
                     go([&] {
                         const tells_destroyed mine(destroyed);
                         begun = true;
                         wait_for_cancel();
                     });
                     wait_until([&] { return begun.load(); });
                     throw std::domain_error("main");
                 }),
                 std::domain_error);
    EXPECT_EQ(destroyed, 1);
}

TEST_P(Lifecycle, ABlockingCallThatEndsInTimeIsWaitedFor) {
    std::promise<void> release;
    std::atomic<bool> finished{false};
    std::thread helper;
    run([&] {
        std::atomic<bool> inside{false};
        go([&] {
            blocking([&] {
                inside = true;
                release.get_future().wait();
                finished = true;
            });
        });
        wait_until([&] { return inside.load(); });
        helper = std::thread([&] { release.set_value(); });
    });
    EXPECT_TRUE(finished);
    helper.join();
}

TEST_P(Lifecycle, ARuntimeCancelsWhatIsAliveWhenItStops) {
    std::atomic<int> destroyed{0};
    {
        runtime r(with_processors());
        std::vector<std::future<void>> begun;
        for (int i = 0; i != 20; ++i) {
            begun.push_back(r.submit(
                [&] { go([&, mine = tells_destroyed(destroyed)] { wait_for_cancel(); }); }));
        }
        for (auto& one : begun) one.get();
    }
    EXPECT_EQ(destroyed, 20);
}

TEST_P(Lifecycle, AFutureOfASubmissionThatWasCancelledSaysSo) {
    std::future<void> future;
    {
        runtime r(with_processors());
        std::atomic<bool> begun{false};
        future = r.submit([&] {
            begun = true;
            wait_for_cancel();
        });
        wait_until([&] { return begun.load(); });
    }
    EXPECT_THROW(future.get(), coroutine_cancelled);
}

// Its frame must stay until it has been joined, or dropped.
TEST_P(Lifecycle, AHandleMayOutliveTheRuntime) {
    join_handle<std::string> ended;
    join_handle<void> stopped;
    run([&] {
        std::atomic<bool> done{false};
        ended = spawn([&] {
            done = true;
            return std::string("a result that does not fit into a small string");
        });
        stopped = spawn([] { wait_for_cancel(); });
        wait_until([&] { return done.load(); });
    });
    EXPECT_EQ(ended.join(), "a result that does not fit into a small string");
    EXPECT_THROW(stopped.join(), coroutine_cancelled);
    run([] {});  // What the handles kept goes with the next stop.
}

TEST_P(Lifecycle, SubmitReturnsValuesAndExceptions) {
    runtime r(with_processors());
    EXPECT_EQ(r.submit([] { return std::string("value"); }).get(), "value");
    r.submit([] {}).get();
    EXPECT_THROW(r.submit([] { throw std::domain_error("submitted"); }).get(), std::domain_error);
    EXPECT_EQ(*r.submit([] { return std::make_unique<int>(8); }).get(), 8);
    int target = 0;
    EXPECT_EQ(&r.submit([&]() -> int& { return target; }).get(), &target);
}

TEST_P(Lifecycle, TheFutureOfASubmissionMayBeIgnored) {
    std::atomic<bool> ran{false};
    runtime r = with_processors();
    r.submit([&] { ran = true; });
    wait_until([&] { return ran.load(); });
}

TEST_P(Lifecycle, SubmitWorksFromManyThreadsAtOnce) {
    runtime r(with_processors());
    std::atomic<int> sum{0};
    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i != 200; ++i) sum += r.submit([] { return 1; }).get();
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(sum, 800);
}

class Grace : public plain_runtime {
protected:
    static constexpr options short_grace() {
        options o;
        o.processors = 2;
        o.shutdown_grace = 20ms;
        return o;
    }
};

TEST_F(Grace, WhoDoesNotEndInTimeIsReportedAndTheProcessEndsWithTheValueOfMain) {
    constexpr int first = __LINE__;
    const child_result child = run_child([&] {
        const int value = weft::run(
            [&] {
                std::atomic<bool> begun{false};
                go({.name = "stubborn"}, [&] {
                    const no_cancel deaf;
                    begun = true;
                    for (;;) sleep_for(1h);
                });
                wait_until([&] { return begun.load(); });
                return 37;
            },
            short_grace());
        return value + 1;  // Never reached.
    });
    EXPECT_EQ(child.exit_status, 37) << child.err;
    ASSERT_EQ(child.lines_with("'stubborn'").size(), 1u) << child.err;
    EXPECT_TRUE((line_range{"lifecycle_test.cpp", first, __LINE__}.named_in(
        child.lines_with("'stubborn'")[0])))
        << child.err;
    EXPECT_EQ(child.lines_with("no_cancel").size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with("'main'").size(), 0u) << child.err;
}

TEST_F(Grace, ABlockingCallThatDoesNotEndIsReportedAsOne) {
    const child_result child = run_child([&] {
        return weft::run(
            [&] {
                std::atomic<bool> inside{false};
                go({.name = "in the kernel"}, [&] {
                    blocking([&] {
                        inside = true;
                        for (;;) std::this_thread::sleep_for(1h);
                    });
                });
                wait_until([&] { return inside.load(); });
                return 3;
            },
            short_grace());
    });
    EXPECT_EQ(child.exit_status, 3) << child.err;
    EXPECT_EQ(child.lines_with("'in the kernel'").size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with("blocking call can't be interrupted").size(), 1u) << child.err;
}

TEST_F(Grace, WhoSwallowsCancelledIsReportedAsSuch) {
    const child_result child = run_child([&] {
        return weft::run(
            [&] {
                std::atomic<bool> begun{false};
                go({.name = "glutton"}, [&] {
                    begun = true;
                    for (;;) {
                        try {
                            sleep_for(1h);
                        } catch (const cancelled&) {
                            std::this_thread::yield();
                        }
                    }
                });
                wait_until([&] { return begun.load(); });
                return 4;
            },
            short_grace());
    });
    EXPECT_EQ(child.exit_status, 4) << child.err;
    EXPECT_GE(child.lines_with("'glutton'").size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with("swallows weft::cancelled").size(), 1u) << child.err;
}

TEST_F(Grace, WhoEndsInTimeIsNotReported) {
    const child_result child = run_child([&] {
        return weft::run(
            [] {
                go([] { wait_for_cancel(); });
                yield();
                return 5;
            },
            {.processors = 2});
    });
    EXPECT_EQ(child.exit_status, 5);
    EXPECT_EQ(child.err, "");
}

TEST_F(Grace, ARuntimeReportsWhoIsLeftAndWaitsOn) {
    const child_result child = run_child([&] {
        std::promise<void> release;
        std::atomic<bool> finished{false};
        {
            runtime r(short_grace());
            std::atomic<bool> inside{false};
            go({.name = "late"}, [&] {
                blocking([&] {
                    inside = true;
                    std::this_thread::sleep_for(200ms);  // Longer than the grace.
                    finished = true;
                });
            });
            wait_until([&] { return inside.load(); });
        }
        return finished ? 6 : 1;
    });
    EXPECT_EQ(child.exit_status, 6) << child.err;
    EXPECT_EQ(child.lines_with("'late'").size(), 1u) << child.err;
}

}  // namespace
}  // namespace weft::test
