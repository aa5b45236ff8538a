// join_set: results in the order in which coroutines end.
#include "support/build.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class JoinSet : public with_runtime {};
WEFT_TEST_PROCESSORS(JoinSet);

TEST_P(JoinSet, TheFirstToEndComesFirst) {
    run([] {
        std::array<chan<void>, 5> go_on;
        join_set<int> all;
        for (int i = 0; i != 5; ++i) {
            all.spawn([&go_on, i] {
                go_on[static_cast<std::size_t>(i)].recv();
                return i;
            });
        }
        EXPECT_EQ(all.size(), 5u);
        for (const int which : {3, 0, 4, 1, 2}) {
            go_on[static_cast<std::size_t>(which)].send();
            EXPECT_EQ(all.next(), which);
        }
        EXPECT_EQ(all.size(), 0u);
        EXPECT_EQ(all.next(), std::nullopt);
    });
}

TEST_P(JoinSet, HandsOutEachResultOfManyOnce) {
    constexpr int members = static_cast<int>(10'000 / slowdown);
    run([] {
        join_set<std::unique_ptr<int>> all;
        for (int i = 0; i != members; ++i) {
            all.spawn([i] {
                if (i % 3 == 0) yield();
                return std::make_unique<int>(i);
            });
        }
        std::vector<int> seen(members);
        while (auto one = all.next()) ++seen[static_cast<std::size_t>(**one)];
        for (const int times : seen) EXPECT_EQ(times, 1);
    });
}

TEST_P(JoinSet, AnExceptionConcernsNobodyElse) {
    run([] {
        join_set<std::string> all;
        chan<void> failed;
        all.spawn([]() -> std::string { throw std::runtime_error("lost"); });
        all.spawn([&failed] {
            failed.recv();
            return std::string("whole");
        });
        EXPECT_THROW(static_cast<void>(all.next()), std::runtime_error);
        failed.close();
        EXPECT_EQ(all.next(), "whole");
        EXPECT_EQ(all.next(), std::nullopt);
    });
}

TEST_P(JoinSet, OfNothingSaysWhetherOneEnded) {
    run([] {
        std::atomic<int> ended = 0;
        join_set<void> all;
        for (int i = 0; i != 10; ++i) all.spawn({.name = "member"}, [&ended] { ++ended; });
        int times = 0;
        while (all.next()) ++times;
        EXPECT_EQ(times, 10);
        EXPECT_EQ(ended, 10);
    });
}

TEST_P(JoinSet, CancelReachesThoseThatAreThereAndThoseToCome) {
    run([] {
        join_set<int> all;
        const auto sleeper = [] {
            sleep_for(1h);
            return 1;
        };
        for (int i = 0; i != 4; ++i) all.spawn(sleeper);
        all.cancel();
        all.spawn(sleeper);
        for (int i = 0; i != 5; ++i) {
            EXPECT_THROW(static_cast<void>(all.next()), coroutine_cancelled);
        }
        EXPECT_EQ(all.next(), std::nullopt);
    });
}

TEST_P(JoinSet, NoMemberOutlivesIt) {
    std::atomic<int> alive = 0;
    run([&] {
        struct counted {
            explicit counted(std::atomic<int>& n) : n_(n) { ++n_; }
            ~counted() { --n_; }
            std::atomic<int>& n_;
        };
        {
            join_set<int> all;
            for (int i = 0; i != 20; ++i) {
                all.spawn([&alive, i]() -> int {
                    const counted me(alive);
                    if (i % 4 == 0) return i;                // Nobody fetches it.
                    if (i % 4 == 1) throw std::string("x");  // Nobody hears of it.
                    sleep_for(1h);
                    return i;
                });
            }
            try {
                EXPECT_TRUE(all.next().has_value());
            } catch (const std::string&) {
                // It was the first to end.
            }
        }
        EXPECT_EQ(alive, 0);
    });
}

TEST_P(JoinSet, ACancelledNextLosesNothing) {
    run([] {
        join_set<int> all;
        chan<void> go_on;
        all.spawn([&go_on] {
            go_on.recv();
            return 7;
        });
        EXPECT_THROW(with_timeout(1ms, [&] { static_cast<void>(all.next()); }), timed_out);
        EXPECT_EQ(all.size(), 1u);
        go_on.send();
        EXPECT_EQ(all.next(), 7);
    });
}

TEST_P(JoinSet, AMemberThatCouldNotBeMadeIsNotWaitedFor) {
    struct cannot_be_copied {
        cannot_be_copied() = default;
        cannot_be_copied(const cannot_be_copied&) { throw std::bad_alloc(); }
        int operator()() const { return 1; }
    };
    run([] {
        join_set<int> all;
        const cannot_be_copied f;
        EXPECT_THROW(all.spawn(f), std::bad_alloc);
        EXPECT_EQ(all.size(), 0u);
        EXPECT_EQ(all.next(), std::nullopt);
        join_set<int> one({.limit = 1});
        chan<void> go_on;
        one.spawn([&go_on] {
            go_on.recv();
            return 2;
        });
        EXPECT_THROW(with_timeout(1ms, [&] { one.spawn([] { return 3; }); }), timed_out);
        EXPECT_EQ(one.size(), 1u);
        go_on.send();
        EXPECT_EQ(one.next(), 2);
        EXPECT_EQ(one.next(), std::nullopt);
    });
}

// The coroutine is not over yet when all that it captured is.
TEST_P(JoinSet, ANextThatIsCancelledBeforeTheLastOfAMemberLosesNothing) {
    struct late {
        chan<void>* reached = nullptr;
        chan<void>* until = nullptr;
        late() = default;
        late(chan<void>& r, chan<void>& u) : reached(&r), until(&u) {}
        late(late&& other) noexcept
            : reached(other.reached), until(std::exchange(other.until, nullptr)) {}
        late& operator=(late&& other) noexcept {
            std::swap(reached, other.reached);
            std::swap(until, other.until);
            return *this;
        }
        ~late() {
            if (until == nullptr) return;
            reached->close();
            until->recv();
        }
    };
    static local<late> kept;
    run([] {
        chan<void> reached;
        chan<void> go_on;
        join_set<int> all;
        all.spawn([&] {
            kept.set(late(reached, go_on));
            return 8;
        });
        reached.recv();
        for (int i = 0; i != 3; ++i) {
            EXPECT_THROW(with_timeout(1ms, [&] { static_cast<void>(all.next()); }), timed_out);
        }
        EXPECT_EQ(all.size(), 1u);
        go_on.close();
        EXPECT_EQ(all.next(), 8);
    });
}

TEST_P(JoinSet, MembersSpawnMembers) {
    // As a crawler does: each of three levels has four times as many.
    run([] {
        join_set<int> all;
        struct crawler {
            join_set<int>& all;
            int visit(int depth) const {
                for (int i = 0; depth != 0 && i != 4; ++i) {
                    all.spawn([me = *this, depth] { return me.visit(depth - 1); });
                }
                return 1;
            }
        };
        all.spawn([me = crawler{all}] { return me.visit(4); });
        int visited = 0;
        while (const auto one = all.next()) visited += *one;
        EXPECT_EQ(visited, 1 + 4 + 16 + 64 + 256);
    });
}

TEST_P(JoinSet, HasNoMoreMembersAtOnceThanItsLimit) {
    run([] {
        std::atomic<int> at_once = 0;
        std::atomic<int> most = 0;
        join_set<void> all({.limit = 3});
        for (int i = 0; i != 50; ++i) {
            all.spawn([&] {
                const int now = ++at_once;
                int before = most;
                while (before < now && !most.compare_exchange_weak(before, now)) {}
                yield();
                --at_once;
            });
        }
        while (all.next()) {}
        EXPECT_LE(most, 3);
    });
}

TEST_P(JoinSet, WorksOnForeignThreads) {
    runtime up(with_processors());
    join_set<int> all;
    for (int i = 0; i != 8; ++i) all.spawn([i] { return i; });
    int sum = 0;
    while (const auto one = all.next()) sum += *one;
    EXPECT_EQ(sum, 28);
}

TEST(JoinSetExplored, LosesNoResultInAnyOrder) {
    testing::explore(300, [] {
        join_set<int> all;
        for (int i = 0; i != 4; ++i) {
            all.spawn([i] {
                for (int k = 0; k != i; ++k) yield();
                if (i == 2) throw i;
                return i;
            });
        }
        int sum = 0;
        int failures = 0;
        while (all.size() != 0) {
            try {
                sum += *all.next();
            } catch (int) {
                ++failures;
            }
        }
        EXPECT_EQ(sum, 0 + 1 + 3);
        EXPECT_EQ(failures, 1);
    });
}

}  // namespace
}  // namespace weft::test
