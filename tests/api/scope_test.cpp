// scope: children that do not outlive it.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<scope> && !std::is_move_constructible_v<scope>);

class Scope : public with_runtime {};
WEFT_TEST_PROCESSORS(Scope);

TEST_P(Scope, JoinWaitsForEveryChild) {
    run([] {
        std::atomic<int> ended{0};
        scope s;
        for (int i = 0; i != 100; ++i) {
            s.go([&] {
                yield();
                ++ended;
            });
        }
        s.join();
        EXPECT_EQ(ended, 100);
    });
}

TEST_P(Scope, AnEmptyOneJoinsAtOnceAndOften) {
    run([] {
        scope s;
        s.join();
        s.join();
        s.go([] {});
        s.join();
        s.join();
    });
}

TEST_P(Scope, SpawnReturnsResults) {
    run([] {
        scope s;
        auto a = s.spawn([] { return 1; });
        auto b = s.spawn({.name = "b"}, [] { return std::string("two"); });
        EXPECT_EQ(a.join(), 1);
        EXPECT_EQ(b.join(), "two");
        s.join();
    });
}

TEST_P(Scope, AHandleOfAChildMayBeIgnored) {
    run([] {
        std::atomic<int> ended{0};
        scope s;
        static_cast<void>(s.spawn([&] { ++ended; }));  // Its destructor joins.
        static_cast<void>(s.spawn({.name = "b"}, [&] { ++ended; }));
        EXPECT_EQ(ended, 2);
    });
}

TEST_P(Scope, AHandleMayBeJoinedAfterTheScopeIsGone) {
    run([] {
        join_handle<std::string> handle;
        {
            scope s;
            handle = s.spawn([] { return std::string("it lives on, in its handle, for a while"); });
            s.join();
        }
        EXPECT_EQ(handle.join(), "it lives on, in its handle, for a while");
    });
}

TEST_P(Scope, ChildrenMayStartChildrenWhileItIsJoined) {
    run([] {
        std::atomic<int> ended{0};
        scope s;
        const auto tree = [&](auto& self, int depth) -> void {
            if (depth != 0) {
                for (int i = 0; i != 2; ++i) s.go([&self, depth] { self(self, depth - 1); });
            }
            yield();
            ++ended;
        };
        s.go([&] { tree(tree, 6); });
        s.join();
        EXPECT_EQ(ended, 127);
    });
}

TEST_P(Scope, ScopesNest) {
    run([] {
        std::atomic<int> ended{0};
        scope outer;
        for (int i = 0; i != 5; ++i) {
            outer.go([&] {
                scope inner;
                for (int k = 0; k != 5; ++k) inner.go([&] { ++ended; });
                inner.join();
            });
        }
        outer.join();
        EXPECT_EQ(ended, 25);
    });
}

TEST_P(Scope, AtMostLimitChildrenAreThereAtOnce) {
    run([] {
        std::atomic<int> now{0};
        std::atomic<int> most{0};
        scope s({.limit = 3});
        for (int i = 0; i != 100; ++i) {
            s.go([&] {
                const int here = ++now;
                int seen = most;
                while (seen < here && !most.compare_exchange_weak(seen, here)) {}
                yield();
                --now;
            });
        }
        s.join();
        EXPECT_LE(most, 3);
        EXPECT_GE(most, 1);
    });
}

TEST_P(Scope, TheLimitHoldsForManyWhoAdd) {
    run([] {
        std::atomic<int> now{0};
        std::atomic<bool> over{false};
        std::atomic<int> ended{0};
        scope limited({.limit = 2});
        scope adders;
        for (int i = 0; i != 10; ++i) {
            adders.go([&] {
                for (int k = 0; k != 10; ++k) {
                    limited.go([&] {
                        if (++now > 2) over = true;
                        yield();
                        --now;
                        ++ended;
                    });
                }
            });
        }
        adders.join();
        limited.join();
        EXPECT_FALSE(over);
        EXPECT_EQ(ended, 100);
    });
}

TEST_P(Scope, JoinRethrowsTheExceptionOfAChild) {
    run([] {
        scope s;
        s.go([] { throw std::domain_error("child"); });
        try {
            s.join();
            ADD_FAILURE() << "nothing thrown";
        } catch (const std::domain_error& e) {
            EXPECT_STREQ(e.what(), "child");
        }
    });
}

TEST_P(Scope, TheFirstExceptionCancelsTheSiblings) {
    run([] {
        std::atomic<int> destroyed{0};
        std::atomic<int> waiting{0};
        scope s;
        for (int i = 0; i != 10; ++i) {
            s.go([&] {
                const tells_destroyed mine(destroyed);
                ++waiting;
                wait_for_cancel();
            });
        }
        wait_until([&] { return waiting == 10; });
        s.go([] { throw std::domain_error("first"); });
        EXPECT_THROW(s.join(), std::domain_error);
        EXPECT_EQ(destroyed, 10);
    });
}

TEST_P(Scope, OnlyOneOfManyExceptionsIsRethrownAndOnce) {
    run([] {
        scope s;
        for (int i = 0; i != 10; ++i) s.go([i] { throw std::runtime_error(std::to_string(i)); });
        EXPECT_THROW(s.join(), std::runtime_error);
        s.join();
    });
}

TEST_P(Scope, ChildrenThatWereCancelledAreNoException) {
    run([] {
        scope s;
        s.go([] { wait_for_cancel(); });
        s.go([] { throw cancelled(); });
        s.cancel();
        s.join();
    });
}

TEST_P(Scope, TheExceptionOfASpawnedChildReachesHandleAndScope) {
    run([] {
        scope s;
        auto handle = s.spawn([]() -> int { throw std::domain_error("both"); });
        EXPECT_THROW(handle.join(), std::domain_error);
        EXPECT_THROW(s.join(), std::domain_error);
    });
}

TEST_P(Scope, TheExceptionOfAnUnjoinedSpawnedChildIsTheScopesAlone) {
    run([] {
        scope s;
        {
            const auto dropped = s.spawn([] { throw std::domain_error("dropped"); });
        }
        s.spawn([] { throw std::domain_error("detached"); }).detach();
        EXPECT_THROW(s.join(), std::domain_error);
    });
}

TEST_P(Scope, WorksOnAForeignThread) {
    const runtime up(with_processors());
    std::atomic<int> ended{0};
    scope s({.limit = 2});
    for (int i = 0; i != 20; ++i) {
        s.go([&] {
            sleep_for(10us);
            ++ended;
        });
    }
    s.join();
    EXPECT_EQ(ended, 20);
    s.go([] { throw std::domain_error("x"); });
    EXPECT_THROW(s.join(), std::domain_error);
}

TEST_P(Scope, TheDestructorWorksOnAForeignThread) {
    const runtime up(with_processors());
    std::atomic<int> destroyed{0};
    {
        scope s;
        s.go([mine = tells_destroyed(destroyed)] { wait_for_cancel(); });
    }
    EXPECT_EQ(destroyed, 1);
}

TEST_P(Scope, MayBeJoinedByMany) {
    run([] {
        std::atomic<int> joined{0};
        std::atomic<bool> release{false};
        auto s = std::make_unique<scope>();
        s->go([&] { wait_until([&] { return release.load(); }); });
        scope joiners;
        for (int i = 0; i != 5; ++i) {
            joiners.go([&] {
                s->join();
                ++joined;
            });
        }
        for (int i = 0; i != 5; ++i) yield();
        EXPECT_EQ(joined, 0);
        release = true;
        joiners.join();
        EXPECT_EQ(joined, 5);
    });
}

}  // namespace
}  // namespace weft::test
