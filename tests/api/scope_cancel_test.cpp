// scope: how its children are stopped, and that it ends with them whatever happens.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

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

}  // namespace
}  // namespace weft::test
