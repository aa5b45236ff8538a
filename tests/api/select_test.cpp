// Select, as a user sees it.
#include "support/payloads.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Select : public with_runtime {};
WEFT_TEST_PROCESSORS(Select);

TEST_P(Select, TakesTheCaseThatIsReady) {
    run([] {
        chan<int> a(1);
        chan<std::string> b(1);
        b.send("x");
        std::string got;
        const std::size_t which =
            select(on_recv(a, [](std::optional<int>) { FAIL(); }),
                   on_recv(b, [&](std::optional<std::string> v) { got = *v; }));
        EXPECT_EQ(which, 1u);
        EXPECT_EQ(got, "x");
        EXPECT_EQ(a.size(), 0u);
    });
}

TEST_P(Select, WaitsForTheFirst) {
    run([] {
        chan<int> a;
        chan<int> b;
        auto h = spawn([&] { b.send(3); });
        int got = 0;
        EXPECT_EQ(select(on_recv(a), on_recv(b, [&](std::optional<int> v) { got = *v; })), 1u);
        EXPECT_EQ(got, 3);
        h.join();
        // The loser has left no trace.
        EXPECT_FALSE(a.try_send(1));
        EXPECT_FALSE(b.try_send(1));
    });
}

TEST_P(Select, SendsAndReceivesOnOneChannel) {
    run([] {
        chan<int> c;
        auto peer = spawn([&] {
            int mine = 1;
            return select(on_recv(c), on_send(c, mine));
        });
        int mine = 2;
        const std::size_t here = select(on_recv(c), on_send(c, mine));
        // They met each other, never themselves.
        EXPECT_EQ(peer.join() + here, 1u);
    });
}

TEST_P(Select, OtherwiseAndTimeout) {
    run([] {
        chan<int> c;
        bool called = false;
        EXPECT_EQ(select(on_recv(c), otherwise([&] { called = true; })), 1u);
        EXPECT_TRUE(called);
        const auto start = std::chrono::steady_clock::now();
        EXPECT_EQ(select(on_timeout(1h), on_recv(c), on_timeout(2ms)), 2u);
        EXPECT_GE(std::chrono::steady_clock::now() - start, 2ms);
        EXPECT_EQ(select(on_recv(c), on_timeout(0ms)), 1u);
        EXPECT_EQ(select(on_timeout(std::chrono::steady_clock::now() + 1ms)), 0u);
        c.close();
        EXPECT_EQ(select(otherwise(), on_recv(c, [](std::optional<int> v) { EXPECT_FALSE(v); })),
                  1u);
    });
}

TEST_P(Select, AMovedFromChannelIsNeverReady) {
    run([] {
        chan<int> gone;
        const chan<int> taken = std::move(gone);
        EXPECT_EQ(select(on_recv(gone), on_send(gone, 1), otherwise()), 2u);
        EXPECT_EQ(select(on_recv(gone), on_timeout(1ms)), 1u);
        EXPECT_THROW(with_timeout(1ms, [&] { select(on_recv(gone)); }), timed_out);
    });
}

TEST_P(Select, OfAClosedChannel) {
    run([] {
        chan<std::string> c;
        c.close();
        std::string v(30, 'v');
        EXPECT_THROW(select(on_send(c, v)), channel_closed);
        EXPECT_EQ(v, std::string(30, 'v'));
        bool value = true;
        EXPECT_EQ(select(on_recv(c, [&](auto got) { value = got.has_value(); })), 0u);
        EXPECT_FALSE(value);

        chan<int> later;
        auto h = spawn([&] { EXPECT_THROW(select(on_send(later, 1)), channel_closed); });
        for (int i = 0; i != 20; ++i) yield();
        later.close();
        h.join();
    });
}

TEST_P(Select, MovesOnlyWhatItSends) {
    run([] {
        chan<std::unique_ptr<int>> a(1);
        chan<std::string> b(1);
        b.send("full");
        auto p = std::make_unique<int>(1);
        std::string s(40, 's');
        EXPECT_EQ(select(on_send(b, s), on_send(a, p)), 1u);
        EXPECT_EQ(p, nullptr);
        EXPECT_EQ(s, std::string(40, 's'));
        auto q = std::make_unique<int>(2);
        EXPECT_EQ(select(on_send(a, q), on_timeout(1ms)), 1u);
        EXPECT_EQ(*q, 2);
        EXPECT_EQ(select(on_send(a, std::make_unique<int>(3)), otherwise()), 1u);
        EXPECT_EQ(**a.recv(), 1);
        const std::string constant(40, 'c');
        b.recv();
        EXPECT_EQ(select(on_send(b, constant)), 0u);
        EXPECT_EQ(b.recv(), constant);
    });
}

TEST_P(Select, OneValueToWhoeverIsFree) {
    run([] {
        chan<std::string> a;
        chan<std::string> b;
        chan<std::unique_ptr<int>> c;
        chan<std::unique_ptr<int>> d;
        for (int i = 0; i != 20; ++i) {
            std::string s(40, 's');
            auto h = spawn([&] { return (i % 2 == 0 ? a : b).recv(); });
            EXPECT_EQ(select(on_send(a, s), on_send(b, s)), i % 2 == 0 ? 0u : 1u);
            EXPECT_EQ(h.join(), std::string(40, 's'));
            auto p = std::make_unique<int>(i);
            auto g = spawn([&] { return **(i % 2 == 0 ? c : d).recv(); });
            EXPECT_EQ(select(on_send(c, p), on_send(d, p)), i % 2 == 0 ? 0u : 1u);
            EXPECT_EQ(g.join(), i);
            EXPECT_EQ(p, nullptr);
        }
    });
}

TEST_P(Select, AMoveIntoItsFunctionThatThrowsLeavesTheValue) {
    run([] {
        chan<explosive> c(2);
        c.send(explosive(1));
        c.send(explosive(2));
        explosive::fuse = 1;
        EXPECT_THROW(select(on_recv(c, [](std::optional<explosive>) { FAIL(); })), move_failed);
        explosive::fuse = 0;
        EXPECT_EQ(c.recv()->value, 1);
        EXPECT_EQ(c.recv()->value, 2);
    });
    EXPECT_EQ(explosive::alive, 0);
}

TEST_P(Select, IsFairAmongReadyCases) {
    run([] {
        std::array<chan<int>, 4> all{chan<int>(1), chan<int>(1), chan<int>(1), chan<int>(1)};
        std::array<int, 4> chosen{};
        constexpr int rounds = 4000;
        for (int i = 0; i != rounds; ++i) {
            // The last two are ready less often, side by side.
            all[0].try_send(1);
            all[1].try_send(1);
            if (i % 2 == 0) {
                all[2].try_send(1);
                all[3].try_send(1);
            }
            ++chosen[select(on_recv(all[0]), on_recv(all[1]), on_recv(all[2]), on_recv(all[3]))];
        }
        EXPECT_NEAR(chosen[0], chosen[1], rounds / 10);
        EXPECT_NEAR(chosen[2], chosen[3], rounds / 10);
        for (const int n : chosen) EXPECT_GT(n, rounds / 8);
    });
}

TEST_P(Select, TheSameChannelInSeveralCases) {
    run([] {
        chan<int> c;
        std::array<int, 3> chosen{};
        auto h = spawn([&] {
            for (int i = 0; i != 300; ++i) c.send(i);
            c.close();
        });
        for (int i = 0; i != 300; ++i) {
            ++chosen[select(on_recv(c, [&](auto v) { EXPECT_EQ(v, i); }), on_recv(c), on_recv(c))];
        }
        EXPECT_EQ(chosen[0] + chosen[1] + chosen[2], 300);
        h.join();
    });
}

TEST_P(Select, CancellationHasNoEffect) {
    run([] {
        chan<int> a;
        chan<int> b;
        auto h = spawn([&] { select(on_recv(a), on_send(b, 1)); });
        for (int i = 0; i != 20; ++i) yield();
        h.request_stop();
        EXPECT_THROW(h.join(), coroutine_cancelled);
        EXPECT_FALSE(a.try_send(1));
        EXPECT_EQ(b.try_recv(), std::nullopt);
    });
}

TEST_P(Select, ItsFunctionMayThrowAndUseTheChannels) {
    run([] {
        chan<int> c(2);
        c.send(1);
        EXPECT_THROW(select(on_recv(c, [](auto) { throw 7; })), int);
        c.send(2);
        select(on_recv(c, [&](auto) {
            c.send(3);
            select(on_recv(c, [](auto v) { EXPECT_EQ(v, 3); }));
        }));
    });
}

TEST_P(Select, OnForeignThreads) {
    run([] {
        chan<int> a;
        chan<int> b;
        std::thread other([&] {
            for (int i = 0; i != 200; ++i) {
                int v = i;
                select(on_send(a, v), on_send(b, v));
            }
        });
        int got = 0;
        for (int i = 0; i != 200; ++i) {
            const auto f = [&](std::optional<int> v) { got += *v; };
            select(on_recv(a, f), on_recv(b, f));
        }
        EXPECT_EQ(got, 199 * 200 / 2);
        blocking([&] { other.join(); });
    });
}

TEST_P(Select, ThrowingMovesHaveNoEffect) {
    run([] {
        chan<explosive> c(1);
        explosive e(1);
        explosive::fuse = 1;
        EXPECT_THROW(select(on_send(c, e)), move_failed);
        EXPECT_EQ(e.value, 1);
        EXPECT_EQ(c.size(), 0u);
        EXPECT_EQ(select(on_send(c, e)), 0u);
        explosive::fuse = 1;
        EXPECT_THROW(select(on_recv(c, [](auto) { FAIL(); })), move_failed);
        int got = 0;
        select(on_recv(c, [&](std::optional<explosive> v) { got = v->value; }));
        EXPECT_EQ(got, 1);

        // Both wait: one in a select that sends, one that receives.
        chan<explosive> meet;
        auto h = spawn([&] {
            explosive mine(9);
            EXPECT_EQ(select(on_send(meet, mine), on_timeout(1h)), 0u);
        });
        select(on_recv(meet, [&](std::optional<explosive> v) { got = v->value; }), on_timeout(1h));
        EXPECT_EQ(got, 9);
        h.join();
    });
    EXPECT_EQ(explosive::alive, 0);
    explosive::fuse = 0;
}

TEST_P(Select, SetOfCasesKnownAtRunTime) {
    run([] {
        std::vector<chan<int>> all(20);
        select_set set;
        std::vector<int> got(all.size(), -1);
        for (std::size_t i = 0; i != all.size(); ++i) {
            EXPECT_EQ(set.add(on_recv(all[i], [&got, i](std::optional<int> v) { got[i] = *v; })),
                      i);
        }
        EXPECT_EQ(set.size(), 20u);
        EXPECT_EQ(set.try_wait(), std::nullopt);
        scope s;
        for (std::size_t i = 0; i != all.size(); ++i) {
            s.go([&, i] { all[i].send(static_cast<int>(i)); });
        }
        std::vector<bool> seen(all.size());
        for (std::size_t i = 0; i != all.size(); ++i) seen[set.wait()] = true;
        for (std::size_t i = 0; i != all.size(); ++i) {
            EXPECT_TRUE(seen[i]);
            EXPECT_EQ(got[i], static_cast<int>(i));
        }
        s.join();
        set.remove(3);
        EXPECT_THROW(set.remove(3), std::out_of_range);
        EXPECT_EQ(set.add(otherwise()), 3u);
        EXPECT_EQ(set.wait(), 3u);
        set.remove(3);
        EXPECT_EQ(set.add(on_timeout(1ms)), 3u);
        EXPECT_EQ(set.wait(), 3u);
    });
}

TEST_P(Select, WithoutACaseWaitsUntilItIsCancelled) {
    run([] {
        EXPECT_THROW(with_timeout(1ms, [] { weft::select(); }), timed_out);
        EXPECT_THROW(with_timeout(1ms, [] { select_set().wait(); }), timed_out);
    });
}

TEST_P(Select, ASetThatWasMovedFromIsEmpty) {
    run([] {
        const chan<int> c(1);
        select_set from;
        from.add(on_recv(c));
        from.add(on_timeout(1h));
        select_set to(std::move(from));
        EXPECT_TRUE(from.empty());
        EXPECT_EQ(from.try_wait(), std::nullopt);
        EXPECT_EQ(from.add(otherwise()), 0u);
        EXPECT_EQ(to.size(), 2u);
        from = std::move(to);
        EXPECT_TRUE(to.empty());
        c.send(1);
        EXPECT_EQ(from.wait(), 0u);
        EXPECT_THROW(from.remove(2), std::out_of_range);
    });
}

// The set remembers an order of its channels from wait to wait, and indexes of cases that were removed.
TEST_P(Select, ALargeSetWhoseCasesComeAndGoTellsThemApart) {
    run([] {
        constexpr std::size_t count = 100;
        std::vector<chan<std::size_t>> all(count, chan<std::size_t>(1));
        for (auto& c : all) c = chan<std::size_t>(1);
        select_set set;
        std::vector<std::size_t> index_of(count);
        std::size_t got = count;
        const auto add = [&](std::size_t i) {
            index_of[i] =
                set.add(on_recv(all[i], [&got](std::optional<std::size_t> v) { got = *v; }));
        };
        for (std::size_t i = 0; i != count; ++i) add(i * 37 % count);
        for (std::size_t round = 0; round != 300; ++round) {
            const std::size_t i = round * 7 % count;
            auto sender = spawn([&] { all[i].send(i); });
            ASSERT_EQ(set.wait(), index_of[i]);
            ASSERT_EQ(got, i);
            sender.join();
            // Two go, and come back the other way round, in each other's place or at the end.
            const std::size_t a = round * 13 % count;
            const std::size_t b = (a + 29) % count;
            set.remove(index_of[a]);
            if (round % 3 == 0) {
                EXPECT_EQ(set.try_wait(), std::nullopt);
            }
            set.remove(index_of[b]);
            add(b);
            add(a);
            ASSERT_EQ(set.size(), count);
        }
    });
}

// More than fit the room that needs no allocation.
TEST_P(Select, ASetOfMany) {
    run([] {
        std::vector<chan<int>> many;
        select_set set;
        int last = -1;
        for (int i = 0; i != 30; ++i) {
            set.add(on_recv(many.emplace_back(1), [&last, i](std::optional<int>) { last = i; }));
        }
        for (const int i : {29, 0, 17}) {
            many[static_cast<std::size_t>(i)].send(i);
            EXPECT_EQ(set.wait(), static_cast<std::size_t>(i));
            EXPECT_EQ(last, i);
        }
    });
}

// The functions of a set, and what they hold, are the program's: where they end they may do as they like.
TEST_P(Select, WhatASetLetsGoOfMayWaitAsItEnds) {
    struct waits_at_the_end {
        explicit waits_at_the_end(int& ended) noexcept : ended_(&ended) {}
        waits_at_the_end(waits_at_the_end&& other) noexcept
            : ended_(std::exchange(other.ended_, nullptr)) {}
        ~waits_at_the_end() {
            if (ended_ == nullptr) return;
            yield();
            sleep_for(1us);
            ++*ended_;
        }
        void operator()(std::optional<int>) {}
        int* ended_;
    };
    run([] {
        spawn([] {
            chan<int> c(1);
            int ended = 0;
            {
                select_set set;
                const std::size_t first = set.add(on_recv(c, waits_at_the_end(ended)));
                set.add(on_recv(c, waits_at_the_end(ended)));
                set.remove(first);
                EXPECT_EQ(ended, 1);
            }
            EXPECT_EQ(ended, 2);
        }).join();
    });
}

TEST_P(Select, TriesOfASetWaitForNoTimeout) {
    testing::simulate(1, [] {
        chan<int> c(1);
        select_set set;
        set.add(on_timeout(1s));
        set.add(on_recv(c));
        const auto start = clock::now();
        EXPECT_EQ(set.try_wait(), std::nullopt);
        EXPECT_EQ(clock::now(), start);
        c.send(1);
        EXPECT_EQ(set.try_wait(), 1u);
        EXPECT_EQ(set.add(otherwise()), 2u);
        EXPECT_EQ(set.try_wait(), 2u);
    });
}

TEST_P(Select, AMomentOfASetStaysWhereItIs) {
    testing::simulate(1, [] {
        chan<int> c(1);
        select_set set;
        set.add(on_timeout(clock::now() + 50ms));
        set.add(on_recv(c));
        const auto start = clock::now();
        ticker t(20ms);
        set.add(on_recv(t.channel()));
        EXPECT_EQ(set.wait(), 2u);
        EXPECT_EQ(set.wait(), 2u);
        EXPECT_EQ(set.wait(), 0u);
        EXPECT_EQ(clock::now() - start, 50ms);
    });
}

TEST_P(Select, AStoredValueOfASetIsSentOnce) {
    run([] {
        chan<std::string> c(4);
        select_set set;
        set.add(on_send(c, "hello"));
        EXPECT_EQ(set.wait(), 0u);
        EXPECT_EQ(set.try_wait(), std::nullopt);
        EXPECT_EQ(c.size(), 1u);
    });
}

TEST_P(Select, FunctionsWithoutAParameterAndConversions) {
    run([] {
        chan<void> done(1);
        done.send();
        int calls = 0;
        select(on_recv(done, [&] { ++calls; }));
        chan<unsigned char> bytes(1);
        select(on_send(bytes, 5, [&] { ++calls; }));
        select(on_recv(bytes, [&] { ++calls; }));
        EXPECT_EQ(calls, 3);
    });
}

TEST_P(Select, ACaseOfASetMayRemoveItself) {
    run([] {
        chan<int> c(2);
        c.send(1);
        c.send(2);
        select_set set;
        std::size_t me = 0;
        int calls = 0;
        me = set.add(on_recv(c, [&](auto) {
            ++calls;
            set.remove(me);
        }));
        set.wait();
        EXPECT_TRUE(set.empty());
        EXPECT_EQ(set.try_wait(), std::nullopt);
        EXPECT_EQ(calls, 1);
        EXPECT_EQ(c.size(), 1u);
    });
}

}  // namespace
}  // namespace weft::test
