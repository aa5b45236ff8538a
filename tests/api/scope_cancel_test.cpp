// scope: how its children are stopped, and that it ends with them whatever happens.
#include "support/build.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <time.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class ScopeCancel : public with_runtime {};
WEFT_TEST_PROCESSORS(ScopeCancel);

TEST_P(ScopeCancel, ReachesChildrenThatStartLater) {
    run([] {
        std::atomic<int> began{0};
        scope s;
        s.cancel();
        for (int i = 0; i != 5; ++i) {
            s.go([&] {
                ++began;
                EXPECT_THROW(checkpoint(), cancelled);
            });
        }
        auto handle = s.spawn([] { wait_for_cancel(); });
        EXPECT_THROW(handle.join(), coroutine_cancelled);
        s.join();
        EXPECT_EQ(began, 5);
    });
}

TEST_P(ScopeCancel, AFailedScopeCancelsChildrenThatStartLater) {
    run([] {
        scope s;
        s.go([] { throw std::domain_error("first"); });
        EXPECT_THROW(s.join(), std::domain_error);
        auto late = s.spawn([] { wait_for_cancel(); });
        EXPECT_THROW(late.join(), coroutine_cancelled);
        s.join();
    });
}

TEST_P(ScopeCancel, ReachesGrandchildrenThroughTheScopesOfChildren) {
    run([] {
        std::atomic<int> destroyed{0};
        std::atomic<bool> deep{false};
        scope outer;
        outer.go([&] {
            scope inner;
            inner.go([&] {
                const tells_destroyed mine(destroyed);
                deep = true;
                wait_for_cancel();
            });
            inner.join();
        });
        wait_until([&] { return deep.load(); });
        outer.cancel();
        outer.join();
        EXPECT_EQ(destroyed, 1);
    });
}

TEST_P(ScopeCancel, TheDestructorCancelsAndJoins) {
    run([] {
        std::atomic<int> destroyed{0};
        std::atomic<int> began{0};
        {
            scope s;
            for (int i = 0; i != 5; ++i) {
                s.go([&] {
                    const tells_destroyed mine(destroyed);
                    ++began;
                    wait_for_cancel();
                });
            }
            wait_until([&] { return began == 5; });
        }
        EXPECT_EQ(destroyed, 5);
    });
}

TEST_P(ScopeCancel, TheDestructorDropsExceptionsAndWorksWhileUnwinding) {
    run([] {
        std::atomic<int> destroyed{0};
        EXPECT_THROW(
            {
                scope s;
                s.go([mine = tells_destroyed(destroyed)] { wait_for_cancel(); });
                s.go([mine = tells_destroyed(destroyed)] { throw std::domain_error("child"); });
                throw std::length_error("body");
            },
            std::length_error);
        EXPECT_EQ(destroyed, 2);
    });
}

TEST_P(ScopeCancel, TheDestructorJoinsAlsoInACancelledCoroutine) {
    run([] {
        std::atomic<int> destroyed{0};
        std::atomic<bool> began{false};
        auto handle = spawn([&] {
            scope s;
            s.go([&] {
                const tells_destroyed mine(destroyed);
                began = true;
                try {
                    wait_for_cancel();
                } catch (const cancelled&) {
                    const no_cancel slow;
                    sleep_for(1ms);
                }
            });
            wait_for_cancel();
        });
        wait_until([&] { return began.load(); });
        handle.request_stop();
        EXPECT_THROW(handle.join(), coroutine_cancelled);
        EXPECT_EQ(destroyed, 1);
    });
}

TEST_P(ScopeCancel, ACancelledJoinCancelsTheChildren) {
    run([] {
        std::atomic<int> destroyed{0};
        std::atomic<bool> began{false};
        auto handle = spawn([&] {
            scope s;
            s.go([&] {
                const tells_destroyed mine(destroyed);
                began = true;
                wait_for_cancel();
            });
            EXPECT_THROW(s.join(), cancelled);
            const no_cancel deaf;
            s.join();  // The child ends though nobody has called cancel().
            EXPECT_EQ(destroyed, 1);
        });
        wait_until([&] { return began.load(); });
        handle.request_stop();
        handle.join();
    });
}

TEST_P(ScopeCancel, CancelFromAChildAndFromAnotherThread) {
    run([] {
        scope s;
        s.go([] { wait_for_cancel(); });
        s.go([&] { s.cancel(); });
        s.join();
        scope other;
        other.go([] { wait_for_cancel(); });
        std::thread([&] { other.cancel(); }).join();
        other.join();
    });
}

// Calls a function when it is destroyed.
template <class F>
class tells {
public:
    explicit tells(F f) : f_(std::move(f)) {}
    tells(const tells&) = delete;
    tells& operator=(const tells&) = delete;
    ~tells() { f_(); }

private:
    F f_;
};

// A scope that stands before what its children use, as one writes it without thinking. `leave`
// cancels the join.
template <class F>
void with_data_behind_the_scope(int children, F&& leave) {
    std::atomic<int> ended{0};
    std::atomic<int> ready{0};
    std::atomic<bool> destroyed{false};
    const auto body = [&] {
        scope s;
        const tells when_destroyed([&] {
            EXPECT_EQ(ended, children);
            destroyed = true;
        });
        for (int i = 0; i != children; ++i) {
            s.go([&, i] {
                ++ready;
                try {
                    wait_for_cancel();
                } catch (const cancelled&) {
                    const no_cancel slow;
                    for (int n = 0; n != i % 5; ++n) sleep_for(100us);
                    EXPECT_FALSE(destroyed);
                    ++ended;
                    throw;
                }
            });
        }
        s.join();
    };
    leave(body, [&] { return ready == children; });
    EXPECT_TRUE(destroyed);
}

TEST_P(ScopeCancel, AJoinThatThrowsLeavesNoChildBehind) {
    run([] {
        for (const int children : {1, 7, 100}) {
            with_data_behind_the_scope(children, [](auto& body, auto all_wait) {
                auto parent = spawn(body);
                wait_until(all_wait);
                parent.request_stop();
                EXPECT_THROW(parent.join(), coroutine_cancelled);
            });
            with_data_behind_the_scope(children, [](auto& body, auto) {
                EXPECT_THROW(with_timeout(2ms, body), timed_out);
            });
            // It is cancelled before it joins.
            with_data_behind_the_scope(children, [](auto& body, auto) {
                EXPECT_THROW(with_timeout(0ms, body), timed_out);
            });
        }
    });
}

TEST(ScopeCancelPlain, AJoinThatEndsByADeadlockLeavesNoChildBehind) {
    std::atomic<int> ended{0};
    const auto main = [&] {
        const chan<int> never;
        scope s;
        const tells when_destroyed([&] { EXPECT_EQ(ended, 3); });
        for (int i = 0; i != 3; ++i) {
            s.go([&] {
                const tells at_end([&] { ++ended; });
                static_cast<void>(never.recv());
            });
        }
        EXPECT_THROW(s.join(), deadlock);
    };
    weft::run(main, {.processors = 1, .on_deadlock = deadlock_action::throw_in_main});
    EXPECT_EQ(ended, 3);
    ended = 0;
    testing::simulate(3, main);
    EXPECT_EQ(ended, 3);
}

// Nothing wakes a child that waits for a mutex of main's, so the deadlock is thrown all the same.
TEST(ScopeCancelPlain, AJoinThatEndsByADeadlockThrowsThoughAChildCannotEnd) {
    const auto main = [] {
        mutex held;
        std::unique_lock hold(held);
        scope s;
        s.go([&held] { const std::lock_guard too(held); });
        EXPECT_THROW(s.join(), deadlock);
        hold.unlock();
        s.join();
    };
    weft::run(main, {.processors = 1, .on_deadlock = deadlock_action::throw_in_main});
    weft::run(main, {.processors = 2, .on_deadlock = deadlock_action::throw_in_main});
    testing::simulate(3, main);
}

TEST(ScopeCancelPlain, AJoinThatThrowsLeavesNoChildBehindInAnyOrder) {
    testing::explore(200, [] {
        with_data_behind_the_scope(
            5, [](auto& body, auto) { EXPECT_THROW(with_timeout(1ms, body), timed_out); });
    });
}

TEST_P(ScopeCancel, WithScopeJoinsAndReturns) {
    run([] {
        std::atomic<int> ended{0};
        EXPECT_EQ(with_scope([&](scope& s) {
                      for (int i = 0; i != 10; ++i) s.go([&] { ++ended; });
                      return std::vector<int>{1, 2};
                  }),
                  (std::vector<int>{1, 2}));
        EXPECT_EQ(ended, 10);
        static_assert(
            std::is_same_v<decltype(with_scope([&](scope&) -> std::atomic<int>& { return ended; })),
                           std::atomic<int>&>);
        int most = 0;
        int now = 0;
        mutex lock;
        with_scope({.limit = 2}, [&](scope& s) {
            for (int i = 0; i != 20; ++i) {
                s.go([&] {
                    {
                        const std::lock_guard hold(lock);
                        most = std::max(most, ++now);
                    }
                    yield();
                    const std::lock_guard hold(lock);
                    --now;
                });
            }
        });
        EXPECT_EQ(now, 0);
        EXPECT_LE(most, 2);
        // What f throws cancels the children, and leaves when they have ended.
        ended = 0;
        EXPECT_THROW(with_scope([&](scope& s) {
                         s.go([&] {
                             const tells at_end([&] { ++ended; });
                             wait_for_cancel();
                         });
                         throw std::length_error("body");
                     }),
                     std::length_error);
        EXPECT_THROW(with_scope([&](scope& s) {
                         s.go([] { throw std::domain_error("child"); });
                         return 1;
                     }),
                     std::domain_error);
    });
}

// CPU time of this thread: what others do on a busy machine does not count.
std::int64_t cpu_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// What it takes to cancel `n` children, of which every `every`-th has asked for its stop token. The least of some tries.
std::int64_t time_to_cancel(int n, int every) {
    std::int64_t least = INT64_MAX;
    for (int tries = 0; tries != 3; ++tries) {
        weft::run(
            [&] {
                wait_group ready;
                const chan<int> never(0);
                scope s;
                for (int i = 0; i != n; ++i) {
                    ready.add();
                    s.go([&ready, &never, wants = i % every == 0] {
                        const std::stop_token mine = wants ? get_stop_token() : std::stop_token();
                        ready.done();
                        static_cast<void>(never.recv());
                    });
                }
                ready.wait();
                const no_preempt stay;  // The children would run in between.
                const std::int64_t began = cpu_ns();
                s.cancel();
                least = std::min(least, cpu_ns() - began);
            },
            {.processors = 1});
    }
    return least;
}

// Once it was quadratic, because the walk began again after each stop token: a factor of 16.
TEST(ScopeCancelOfMany, TakesTimeInProportionToTheirNumber) {
    if (thread_sanitizer) {
        GTEST_SKIP() << "each of ThreadSanitizer's steps takes time in proportion to the stacks";
    }
    for (const int every : {1, 7, 1'000'000}) {
        const std::int64_t few = time_to_cancel(800, every);
        const std::int64_t many = time_to_cancel(3'200, every);
        EXPECT_LT(many, 8 * few) << "every " << every;
    }
}

// Children end, and others come, while callbacks run without the lock.
TEST_P(ScopeCancel, ReachesEveryChildThoughOthersEndOnTheWay) {
    constexpr int count = 300;
    std::atomic<int> asked{0};
    run([&] {
        scope s;
        std::vector<join_handle<void>> children;
        std::atomic<int> ready{0};
        for (int i = 0; i != count; ++i) {
            children.push_back(s.spawn([&, i] {
                // Some have a callback that ends another child, or starts one.
                const std::stop_callback told(get_stop_token(), [&, i] {
                    ++asked;
                    if (i % 3 == 0)
                        children[static_cast<std::size_t>((i * 7) % count)].request_stop();
                    if (i % 50 == 0) s.go([] { EXPECT_THROW(checkpoint(), cancelled); });
                });
                ++ready;
                wait_for_cancel();
            }));
        }
        while (ready != count) yield();
        auto second = spawn([&] { s.cancel(); });
        s.cancel();
        second.join();
        for (auto& child : children) EXPECT_THROW(child.join(), coroutine_cancelled);
    });
    EXPECT_EQ(asked, count);
}

}  // namespace
}  // namespace weft::test
