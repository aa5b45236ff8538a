// Channels, as a user sees them.
#include "support/dump.hpp"
#include "support/payloads.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Chan : public with_runtime {
    const full_dumps each_{};
};
WEFT_TEST_PROCESSORS(Chan);

class ChanOfCounted : public with_runtime {
protected:
    void TearDown() override {
        EXPECT_EQ(counted::alive, 0);
        EXPECT_EQ(explosive::alive, 0);
        explosive::fuse = 0;
        with_runtime::TearDown();
    }
};
WEFT_TEST_PROCESSORS(ChanOfCounted);

TEST_P(Chan, UnbufferedMeets) {
    run([] {
        chan<int> c;
        std::atomic<bool> sent{false};
        auto h = spawn([&] {
            c.send(7);
            sent = true;
        });
        for (int i = 0; i != 20; ++i) yield();
        EXPECT_FALSE(sent);
        EXPECT_EQ(c.recv(), 7);
        h.join();
        EXPECT_TRUE(sent);
        EXPECT_EQ(c.capacity(), 0u);
        EXPECT_EQ(c.size(), 0u);
    });
}

TEST_P(Chan, BufferedHoldsItsCapacityAndNoMore) {
    run([] {
        chan<int> c(3);
        for (int i = 0; i != 3; ++i) EXPECT_TRUE(c.try_send(i));
        EXPECT_EQ(c.size(), 3u);
        int four = 4;
        EXPECT_FALSE(c.try_send(four));
        for (int i = 0; i != 3; ++i) EXPECT_EQ(c.try_recv(), i);
        EXPECT_EQ(c.try_recv(), std::nullopt);
    });
}

TEST_P(Chan, ValuesComeInOrder) {
    run([] {
        for (const std::size_t capacity : {0u, 1u, 7u, 1000u}) {
            chan<int> c(capacity);
            auto h = spawn([c] {
                for (int i = 0; i != 5000; ++i) c.send(i);
                c.close();
            });
            int expected = 0;
            for (const int v : c) ASSERT_EQ(v, expected++);
            EXPECT_EQ(expected, 5000);
            h.join();
        }
    });
}

// Who waits is let in one by one: it is in the list when it has been seen to wait there.
void wait_one_by_one(std::vector<join_handle<void>>& waiters, const char* where,
                     const std::function<void(int)>& waits) {
    for (int i = 0; i != 8; ++i) {
        waiters.push_back(
            spawn({.name = "waiter " + std::to_string(i)}, [&waits, i] { waits(i); }));
        const std::string name = "waiter " + std::to_string(i);
        wait_until([&] {
            std::ostringstream out;
            weft::report::dump(out);
            return dump_blocks(out.str()).named(name).status().starts_with(where);
        });
    }
}

TEST_P(Chan, SendersAreServedInOrder) {
    run([] {
        chan<std::string> full(1);
        full.send("0");
        std::vector<join_handle<void>> waiters;
        const std::function<void(int)> sends = [&](int i) { full.send(std::to_string(i + 1)); };
        wait_one_by_one(waiters, "chan send", sends);
        for (int i = 0; i != 9; ++i) EXPECT_EQ(full.recv(), std::to_string(i));
        for (auto& w : waiters) w.join();
    });
}

// Also of values that lie in the channel itself: who receives one lets the next sender in.
TEST_P(Chan, AReceiverLetsTheNextSenderIn) {
    run([] {
        chan<int> full(1);
        full.send(0);
        std::vector<join_handle<void>> waiters;
        const std::function<void(int)> sends = [&](int i) { full.send(i + 1); };
        wait_one_by_one(waiters, "chan send", sends);
        for (int i = 0; i != 9; ++i) {
            EXPECT_EQ(full.size(), 1u);
            EXPECT_EQ(full.recv(), i);
        }
        for (auto& w : waiters) w.join();
    });
}

TEST_P(Chan, ReceiversAreServedInOrder) {
    run([] {
        const chan<int> empty;
        std::vector<join_handle<void>> waiters;
        std::array<int, 8> got{};
        const std::function<void(int)> receives = [&](int i) {
            got[static_cast<std::size_t>(i)] = *empty.recv();
        };
        wait_one_by_one(waiters, "chan receive", receives);
        for (int i = 0; i != 8; ++i) empty.send(i);
        for (auto& w : waiters) w.join();
        for (int i = 0; i != 8; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
    });
}

TEST_P(Chan, CloseEndsReceiversAndSenders) {
    run([] {
        chan<int> c(2);
        c.send(1);
        c.send(2);
        auto blocked = spawn([&] { EXPECT_THROW(c.send(3), channel_closed); });
        for (int i = 0; i != 20; ++i) yield();
        c.close();
        blocked.join();
        EXPECT_TRUE(c.closed());
        EXPECT_THROW(c.close(), channel_closed);
        EXPECT_THROW(c.send(4), channel_closed);
        EXPECT_THROW(c.try_send(4), channel_closed);
        EXPECT_EQ(c.recv(), 1);
        EXPECT_EQ(c.recv(), 2);
        EXPECT_EQ(c.recv(), std::nullopt);
        int out = 9;
        EXPECT_EQ(c.try_recv(out), chan_status::closed);
        EXPECT_EQ(c.recv_for(out, 1h), chan_status::closed);
        EXPECT_EQ(out, 9);

        chan<int> empty;
        scope s;
        for (int i = 0; i != 5; ++i) s.go([&] { EXPECT_EQ(empty.recv(), std::nullopt); });
        for (int i = 0; i != 20; ++i) yield();
        empty.close();
        s.join();
    });
}

TEST_P(Chan, TimedOperationsGiveUp) {
    run([] {
        chan<int> c;
        const auto start = std::chrono::steady_clock::now();
        EXPECT_EQ(c.recv_for(2ms), std::nullopt);
        EXPECT_GE(std::chrono::steady_clock::now() - start, 2ms);
        int v = 5;
        EXPECT_FALSE(c.send_for(v, 2ms));
        EXPECT_EQ(v, 5);
        EXPECT_EQ(c.recv_for(v, 1ms), chan_status::timeout);
        EXPECT_EQ(c.recv_for(v, -1ms), chan_status::timeout);
        EXPECT_EQ(c.recv_until(v, std::chrono::system_clock::now() + 1ms), chan_status::timeout);
        EXPECT_FALSE(c.send_until(3, std::chrono::steady_clock::now() + 1ms));
        EXPECT_EQ(v, 5);
        // Nobody of those is left in a list.
        EXPECT_FALSE(c.try_send(1));
        EXPECT_EQ(c.try_recv(), std::nullopt);
        auto h = spawn([&] { EXPECT_TRUE(c.send_for(8, 1h)); });
        EXPECT_EQ(c.recv_until(std::chrono::steady_clock::now() + 1h), 8);
        h.join();
    });
}

TEST_P(Chan, MoveOnlyValuesAreMovedOnlyWhenSent) {
    run([] {
        chan<std::unique_ptr<int>> c(1);
        auto first = std::make_unique<int>(1);
        EXPECT_TRUE(c.try_send(first));
        EXPECT_EQ(first, nullptr);
        auto second = std::make_unique<int>(2);
        EXPECT_FALSE(c.try_send(second));
        ASSERT_NE(second, nullptr);
        EXPECT_FALSE(c.send_for(second, 1ms));
        EXPECT_FALSE(c.try_send(std::move(second)));
        ASSERT_NE(second, nullptr);
        EXPECT_EQ(*second, 2);
        EXPECT_EQ(**c.recv(), 1);

        chan<std::string> s(1);
        std::string a(40, 'a');
        std::string b(40, 'b');
        EXPECT_TRUE(s.try_send(a));
        EXPECT_FALSE(s.try_send(b));
        EXPECT_EQ(b, std::string(40, 'b'));
        s.close();
        EXPECT_THROW(s.try_send(b), channel_closed);
        EXPECT_EQ(b, std::string(40, 'b'));
    });
}

TEST_P(Chan, OfManyKindsOfTypes) {
    struct no_default {
        explicit no_default(int v) : value(v) {}
        int value;
    };
    struct alignas(64) aligned {
        char bytes[64];
    };
    struct large {
        std::array<int, 100> all;
    };
    run([] {
        chan<no_default> a(1);
        a.send(no_default(3));
        EXPECT_EQ(a.recv()->value, 3);
        chan<aligned> b;
        auto h = spawn([&] { b.send(aligned{}); });
        const auto got = b.recv();
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*got) % 64, 0u);
        h.join();
        chan<large> c(2);
        large l{};
        std::iota(l.all.begin(), l.all.end(), 0);
        c.send(l);
        EXPECT_EQ(c.recv()->all, l.all);
        chan<std::shared_ptr<int>> d(1);
        const auto shared = std::make_shared<int>(1);
        d.send(shared);
        EXPECT_EQ(shared.use_count(), 2);
        EXPECT_EQ(*d.recv(), shared);
        EXPECT_EQ(shared.use_count(), 1);
        // A closure can be moved, but not assigned.
        auto call = [p = std::make_unique<int>(4)] { return *p; };
        chan<decltype(call)> e(1);
        EXPECT_TRUE(e.try_send(call));
        EXPECT_EQ((*e.recv())(), 4);
    });
}

struct request {
    int number;
    chan<request> answer;  // Of a type that is not complete yet.
};

TEST_P(Chan, IsAnOrdinaryMember) {
    struct worker {
        int number;
        chan<int> in;
        sender<int> out;
    };
    run([] {
        chan<request> server;
        auto h = spawn([&] {
            const auto r = server.recv();
            r->answer.send({r->number + 1, {}});
        });
        chan<request> answer;
        server.send({41, answer});
        EXPECT_EQ(answer.recv()->number, 42);
        h.join();
        worker w{1, {}, {}};
        EXPECT_FALSE(w.in.try_send(1));
        EXPECT_THROW(w.out.send(1), std::logic_error);
        w.out = chan<int>(1);
        EXPECT_TRUE(w.out.try_send(1));
    });
}

TEST_P(Chan, ALoopHoldsItsChannelAndTakesWhatItShows) {
    run([] {
        chan<int> c(5);
        for (int i = 0; i != 5; ++i) c.send(i);
        std::vector<int> seen;
        for (const int v : c) {
            seen.push_back(v);
            if (v == 1) break;
        }
        EXPECT_EQ(seen, (std::vector<int>{0, 1}));
        EXPECT_EQ(c.size(), 3u);
        c.close();
        for (const int v : c) {
            seen.push_back(v);
            c = chan<int>(1);
        }
        EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3, 4}));
    });
}

TEST_P(Chan, OfVoidCarriesSignals) {
    run([] {
        chan<void> c(1);
        EXPECT_TRUE(c.try_send());
        EXPECT_FALSE(c.try_send());
        EXPECT_FALSE(c.send_for(1ms));
        EXPECT_EQ(c.try_recv(), chan_status::ok);
        EXPECT_EQ(c.try_recv(), chan_status::empty);
        EXPECT_EQ(c.recv_for(1ms), chan_status::timeout);
        auto h = spawn([&] { c.send(); });
        EXPECT_TRUE(c.recv());
        h.join();
        c.close();
        EXPECT_FALSE(c.recv());
        EXPECT_EQ(c.recv_for(1h), chan_status::closed);
        EXPECT_THROW(c.send(), channel_closed);
    });
}

TEST_P(Chan, DirectionalViewsNameTheSameChannel) {
    run([] {
        const chan<int> c(4);
        const auto produce = [](sender<int> out) {
            for (int i = 0; i != 4; ++i) out.send(i);
            out.close();
        };
        const auto consume = [](receiver<int> in) {
            int sum = 0;
            for (const int v : in) sum += v;
            return sum;
        };
        produce(c);
        EXPECT_EQ(consume(c), 6);
        EXPECT_TRUE(c.closed());
        const chan<int> other;
        EXPECT_TRUE(c == chan<int>(c));
        EXPECT_FALSE(c == other);
    });
}

TEST_P(Chan, NoneIsNoChannelAndIsNeverChosen) {
    run([] {
        chan<int> numbers(1);
        EXPECT_TRUE(numbers);
        chan<int> off = chan<int>::none();
        EXPECT_FALSE(off);
        EXPECT_FALSE(chan<void>::none());
        EXPECT_FALSE(receiver<int>());
        EXPECT_FALSE(sender<int>(off));
        EXPECT_TRUE(sender<int>(numbers));
        EXPECT_TRUE(off == chan<int>::none());
        EXPECT_THROW(off.send(1), std::logic_error);
        EXPECT_THROW(static_cast<void>(off.recv()), std::logic_error);
        numbers.send(1);
        for (int i = 0; i != 20; ++i) {
            EXPECT_EQ(select(on_recv(off), on_send(off, 1), on_recv(numbers)), 2u);
            numbers.send(1);
        }
        // A case is turned off and on again, as by a nil channel in Go.
        off = numbers;
        EXPECT_EQ(select(on_recv(off)), 0u);
    });
}

TEST_P(Chan, AMovedFromHandleSaysSo) {
    run([] {
        chan<int> c;
        const chan<int> taken = std::move(c);
        EXPECT_THROW(c.send(1), std::logic_error);
        EXPECT_THROW(c.try_recv(), std::logic_error);
        EXPECT_THROW(c.close(), std::logic_error);
        EXPECT_THROW(static_cast<void>(c.size()), std::logic_error);
        EXPECT_EQ(taken.try_recv(), std::nullopt);
        c = taken;
        EXPECT_EQ(c.try_recv(), std::nullopt);
    });
}

TEST_P(Chan, CancellationLeavesNoTrace) {
    run([] {
        chan<int> c;
        auto receiver = spawn([&] { c.recv(); });
        auto sender = spawn([&] { c.send(1); });
        EXPECT_NO_THROW(receiver.join());
        EXPECT_NO_THROW(sender.join());
        auto waits = spawn([&] { c.recv(); });
        for (int i = 0; i != 20; ++i) yield();
        waits.request_stop();
        EXPECT_THROW(waits.join(), coroutine_cancelled);
        EXPECT_FALSE(c.try_send(1));
        auto sends = spawn([&] { c.send(2); });
        for (int i = 0; i != 20; ++i) yield();
        sends.request_stop();
        EXPECT_THROW(sends.join(), coroutine_cancelled);
        EXPECT_EQ(c.try_recv(), std::nullopt);
        EXPECT_THROW(with_timeout(2ms, [&] { c.recv(); }), timed_out);
        EXPECT_FALSE(c.try_send(3));
    });
}

TEST_P(Chan, ForeignThreadsAndCoroutinesOnOneChannel) {
    run([] {
        chan<std::string> c(2);
        chan<int> sums;
        constexpr int each = 500;
        std::thread producer([&] {
            for (int i = 0; i != each; ++i) c.send(std::to_string(i));
        });
        std::thread consumer([&] {
            int sum = 0;
            for (int i = 0; i != each; ++i) sum += std::stoi(*c.recv());
            sums.send(sum);
        });
        auto h = spawn([&] {
            for (int i = 0; i != each; ++i) c.send(std::to_string(i));
        });
        int sum = 0;
        for (int i = 0; i != each; ++i) sum += std::stoi(*c.recv());
        EXPECT_EQ(sum + *sums.recv(), each * (each - 1));
        h.join();
        blocking([&] {
            producer.join();
            consumer.join();
        });
    });
}

TEST(ChanWithoutRuntime, ThreadsAlone) {
    chan<int> c;
    std::thread other([&] {
        for (int i = 0; i != 200; ++i) c.send(i);
        c.close();
    });
    int expected = 0;
    for (const int v : c) EXPECT_EQ(v, expected++);
    EXPECT_EQ(expected, 200);
    other.join();
    EXPECT_EQ(c.recv_for(1ms), std::nullopt);
    chan<int> quiet;
    EXPECT_EQ(quiet.recv_for(1ms), std::nullopt);
    int v = 1;
    EXPECT_FALSE(quiet.send_for(v, 1ms));
}

// Earlier clangs can't compile the views of libstdc++.
#if !defined(__clang__) || __clang_major__ >= 16
TEST_P(Chan, IsARangeForViews) {
    run([] {
        const chan<int> c(5);
        for (int i = 0; i != 5; ++i) c.send(i);
        std::vector<int> seen;
        for (const int v : std::ranges::subrange(c.begin(), c.end()) | std::views::take(2))
            seen.push_back(v);
        EXPECT_EQ(seen, (std::vector<int>{0, 1}));
        EXPECT_EQ(c.size(), 3u);
    });
}
#endif

template <class A, class B>
concept can_swap = requires(A& a, B& b) {
    a.swap(b);
};
template <class A, class B>
concept can_compare = requires(const A& a, const B& b) {
    a == b;
};
static_assert(can_swap<chan<int>, chan<int>> && can_swap<receiver<int>, receiver<int>>);
static_assert(!can_swap<chan<int>, chan<long>> && !can_swap<chan<int>, receiver<int>>);
static_assert(can_compare<sender<int>, sender<int>> && !can_compare<chan<int>, chan<long>>);

TEST(ChanWithoutRuntime, OutlivesARuntime) {
    chan<int> c(8);
    for (int round = 0; round != 3; ++round) {
        weft::run([&] { spawn([&] { c.send(round); }).join(); });
        EXPECT_EQ(c.recv(), round);
    }
}

TEST(ChanWithoutRuntime, MoreThanThereIsMemoryFor) {
    EXPECT_THROW(chan<int>{std::numeric_limits<std::size_t>::max()}, std::bad_alloc);
    EXPECT_THROW(chan<int>{std::size_t{1} << 62}, std::bad_alloc);
}

TEST_P(ChanOfCounted, DestroysWhatIsLeftInside) {
    run([] {
        {
            chan<counted> c(8);
            for (int i = 0; i != 5; ++i) c.send(counted(i));
            EXPECT_EQ(counted::alive, 5);
            EXPECT_EQ(c.recv()->value, 0);
            const chan<counted> copy = c;
            EXPECT_EQ(counted::alive, 4);
        }
        EXPECT_EQ(counted::alive, 0);
    });
}

TEST_P(ChanOfCounted, ClosedAndCancelledSendersKeepTheirs) {
    run([] {
        chan<counted> c;
        counted mine(7);
        EXPECT_FALSE(c.send_for(mine, 1ms));
        EXPECT_EQ(mine.value, 7);
        auto h = spawn([&] {
            counted theirs(8);
            try {
                c.send_for(theirs, 1h);
            } catch (const channel_closed&) {
                EXPECT_EQ(theirs.value, 8);
                throw;
            }
        });
        for (int i = 0; i != 20; ++i) yield();
        c.close();
        EXPECT_THROW(h.join(), channel_closed);
    });
}

TEST_P(ChanOfCounted, AMoveThatThrowsSendsNothing) {
    run([] {
        chan<explosive> c(4);
        explosive e(1);
        explosive::fuse = 1;
        EXPECT_THROW(c.try_send(e), move_failed);
        EXPECT_EQ(e.value, 1);
        EXPECT_EQ(c.size(), 0u);
        explosive::fuse = 1;
        EXPECT_THROW(c.send_for(e, 1ms), move_failed);
        EXPECT_EQ(e.value, 1);
        EXPECT_TRUE(c.try_send(e));
        EXPECT_EQ(e.value, explosive::moved_from);
        EXPECT_EQ(c.recv()->value, 1);
    });
}

TEST_P(ChanOfCounted, AMoveThatThrowsReceivesNothing) {
    run([] {
        chan<explosive> c(4);
        for (int i = 1; i != 4; ++i) c.send(explosive(i));
        explosive::fuse = 1;
        EXPECT_THROW(c.recv(), move_failed);
        explosive out;
        explosive::fuse = 1;
        EXPECT_THROW(c.try_recv(out), move_failed);
        EXPECT_EQ(c.recv()->value, 1);
        EXPECT_EQ(c.try_recv(out), chan_status::ok);
        EXPECT_EQ(out.value, 2);
        EXPECT_EQ(c.recv()->value, 3);
        EXPECT_EQ(c.try_recv(), std::nullopt);
    });
}

TEST_P(ChanOfCounted, AMoveOutOfAWaitingSenderThatThrowsLeavesItWaiting) {
    run([] {
        chan<explosive> c;
        auto h = spawn([&] {
            explosive e(5);
            EXPECT_TRUE(c.send_for(e, 1h));
            EXPECT_EQ(e.value, explosive::moved_from);
        });
        // Until it waits, and again after each failure.
        for (int failures = 0; failures != 3;) {
            explosive::fuse = 1;
            try {
                const auto got = c.try_recv();
                explosive::fuse = 0;
                ASSERT_FALSE(got.has_value());
            } catch (const move_failed&) {
                ++failures;
            }
            yield();
        }
        EXPECT_EQ(c.recv()->value, 5);
        h.join();
    });
}

// A place that was promised and is given up: whoever waited for it goes on, in order.
TEST_P(ChanOfCounted, APromiseThatIsNotKept) {
    run([] {
        chan<explosive> c(2);
        c.send(explosive(1));
        explosive second(2);
        explosive::fuse = 1;
        EXPECT_THROW(c.try_send(second), move_failed);
        c.send_for(explosive(3), 1h);
        EXPECT_EQ(c.recv()->value, 1);
        EXPECT_EQ(c.recv()->value, 3);
        EXPECT_EQ(c.try_recv(), std::nullopt);
        auto h = spawn([&] { return c.recv()->value; });
        for (int i = 0; i != 20; ++i) yield();
        c.send(explosive(4));
        EXPECT_EQ(h.join(), 4);
    });
}

// While a value is on its way to a promised place others queue up on both sides; then its move throws.
TEST_P(ChanOfCounted, WhoWaitedForAPromiseGetsWhatTheNextSenderBrings) {
    run([] {
        chan<scripted> c(1);
        std::optional<join_handle<int>> receiver;
        std::optional<join_handle<void>> sender;
        const auto meanwhile = [] {
            for (int i = 0; i != 50; ++i) yield();
        };
        scripted mine(1, [&] {
            receiver = spawn([&] { return c.recv()->value; });
            meanwhile();
            sender = spawn([&] { c.send(scripted(2)); });
            meanwhile();
            throw move_failed();
        });
        EXPECT_THROW(c.send_for(mine, 1h), move_failed);
        EXPECT_EQ(receiver->join(), 2);
        sender->join();
        EXPECT_EQ(mine.value, 1);
    });
}

TEST_P(ChanOfCounted, WhatIsSentMeanwhileComesBehindWhatWasPromised) {
    run([] {
        chan<scripted> c(2);
        std::optional<join_handle<int>> receiver;
        std::optional<join_handle<void>> sender;
        scripted mine(1, [&] {
            receiver = spawn([&] { return c.recv()->value; });
            for (int i = 0; i != 50; ++i) yield();
            sender = spawn([&] { c.send(scripted(2)); });
            for (int i = 0; i != 50; ++i) yield();
        });
        EXPECT_TRUE(c.send_for(mine, 1h));
        EXPECT_EQ(receiver->join(), 1);
        sender->join();
        EXPECT_EQ(c.recv()->value, 2);
    });
}

TEST_P(ChanOfCounted, APromiseThatIsGivenUpTakesNoPlaceFromAnybody) {
    run([] {
        chan<scripted> c(2);
        scripted mine(1, [&] {
            spawn([&] { c.send(scripted(2)); }).join();
            throw move_failed();
        });
        EXPECT_THROW(c.send_for(mine, 1h), move_failed);
        EXPECT_EQ(c.size(), 1u);
        EXPECT_TRUE(c.try_send(scripted(3)));
        EXPECT_EQ(c.recv()->value, 2);
        EXPECT_EQ(c.recv()->value, 3);
        EXPECT_EQ(c.size(), 0u);
    });
}

TEST_P(ChanOfCounted, AThrowingSenderLeavesAReceiverWaiting) {
    run([] {
        chan<explosive> c;
        auto h = spawn([&] { return c.recv()->value; });
        for (int i = 0; i != 20; ++i) yield();
        explosive e(6);
        for (int failures = 0; failures != 3;) {
            explosive::fuse = 1;
            try {
                ASSERT_FALSE(c.try_send(e));
                explosive::fuse = 0;
            } catch (const move_failed&) {
                ++failures;
            }
            yield();
        }
        EXPECT_TRUE(c.send_for(e, 1h));
        EXPECT_EQ(h.join(), 6);
    });
}

TEST_P(Chan, ClosingClosesOnTheWayOut) {
    static_assert(!std::is_constructible_v<closing, receiver<int>>, "receivers do not close");
    run([] {
        chan<int> c(4);
        try {
            const closing at_the_end(c);
            c.send(1);
            throw 1;
        } catch (int) {}
        EXPECT_TRUE(c.closed());
        EXPECT_EQ(c.recv(), 1);
        EXPECT_EQ(c.recv(), std::nullopt);
        {
            chan<void> early;
            const closing at_the_end(early);
            early.close();
        }
        sender<int> none;
        const closing nothing(none);
        chan<int> outlived;
        auto ended = spawn([end = sender<int>(outlived)] { const closing at_the_end(end); });
        EXPECT_EQ(outlived.recv(), std::nullopt);
        ended.join();
    });
}

}  // namespace
}  // namespace weft::test
