// broadcast: every subscriber gets each value, in one order; a slow one holds up the sender, or
// misses values and knows how many.
#include "support/runtime_fixture.hpp"

#include <weft/broadcast.hpp>
#include <weft/gc.hpp>
#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Broadcast : public with_runtime {};
WEFT_TEST_PROCESSORS(Broadcast);

std::vector<int> rest_of(subscription<int>& from) {
    std::vector<int> all;
    while (const std::optional<int> one = from.recv()) all.push_back(*one);
    return all;
}

TEST_P(Broadcast, ASubscriberGetsWhatIsSentFromThenOn) {
    run([] {
        const broadcast<int> numbers(8);
        EXPECT_EQ(numbers.send(1), 0u);
        subscription<int> early = numbers.subscribe();
        EXPECT_EQ(early.try_recv(), std::nullopt);
        EXPECT_EQ(numbers.send(2), 1u);
        subscription<int> late = numbers.subscribe();
        EXPECT_EQ(numbers.subscribers(), 2u);
        EXPECT_EQ(numbers.send(3), 2u);
        numbers.close();
        numbers.close();
        EXPECT_THROW(numbers.send(4), channel_closed);
        EXPECT_EQ(rest_of(early), (std::vector<int>{2, 3}));
        EXPECT_EQ(rest_of(late), (std::vector<int>{3}));
        EXPECT_EQ(early.missed(), 0u);
        EXPECT_THROW(broadcast<int>(0), std::invalid_argument);
    });
}

TEST_P(Broadcast, TheSlowestHoldsUpTheSenderUntilItLeaves) {
    run([] {
        const broadcast<int> numbers(2);
        subscription<int> quick = numbers.subscribe();
        std::optional<subscription<int>> slow(numbers.subscribe());
        numbers.send(1);
        numbers.send(2);
        EXPECT_EQ(quick.recv(), 1);
        EXPECT_EQ(quick.recv(), 2);
        // Nobody gets what a sender was cancelled with.
        EXPECT_THROW(with_timeout(1ms, [&] { numbers.send(3); }), timed_out);
        EXPECT_EQ(quick.recv_for(1ms), std::nullopt);
        auto sends = spawn([&] {
            numbers.send(4);
            numbers.send(5);
        });
        EXPECT_EQ(slow->recv(), 1);
        EXPECT_EQ(quick.recv(), 4);
        slow.reset();
        EXPECT_EQ(quick.recv(), 5);
        sends.join();
        EXPECT_EQ(numbers.subscribers(), 1u);
    });
}

TEST_P(Broadcast, TheOldestIsDroppedAndCounted) {
    run([] {
        const broadcast<int> numbers(3, when_full::drop_oldest);
        subscription<int> slow = numbers.subscribe();
        subscription<int> idle = numbers.subscribe();
        for (int i = 0; i != 10; ++i) numbers.send(i);
        EXPECT_EQ(slow.missed(), 7u);
        EXPECT_EQ(slow.recv(), 7);
        EXPECT_EQ(slow.missed(), 0u);
        numbers.send(10);
        numbers.send(11);
        numbers.close();
        EXPECT_EQ(rest_of(slow), (std::vector<int>{9, 10, 11}));
        EXPECT_EQ(slow.missed(), 1u);
        EXPECT_EQ(idle.missed(), 9u);
        EXPECT_EQ(rest_of(idle), (std::vector<int>{9, 10, 11}));
    });
}

TEST_P(Broadcast, AllSeeOneOrderWhileOthersComeAndGo) {
    run([] {
        constexpr int each = 300;
        const broadcast<int> numbers(4);
        scope readers;
        std::vector<std::vector<int>> seen(5);
        for (auto& mine : seen) {
            readers.go([&mine, from = numbers.subscribe()]() mutable { mine = rest_of(from); });
        }
        std::atomic<bool> over{false};
        readers.go([&] {
            while (!over) {
                subscription<int> guest = numbers.subscribe();
                static_cast<void>(guest.recv_for(1ms));
            }
        });
        scope senders;
        for (int s = 0; s != 3; ++s) {
            senders.go([&, s] {
                for (int i = 0; i != each; ++i) numbers.send(s * each + i);
            });
        }
        std::thread outside([&] {
            for (int i = 0; i != each; ++i) numbers.send(3 * each + i);
        });
        senders.join();
        blocking([&] { outside.join(); });
        over = true;
        numbers.close();
        readers.join();
        for (const auto& mine : seen) {
            EXPECT_EQ(mine.size(), 4u * each);
            EXPECT_EQ(mine, seen[0]);
        }
    });
}

// Its copy or its destruction may use the broadcast: neither happens under a lock.
struct curious {
    const broadcast<curious>* of = nullptr;
    std::atomic<int>* destroyed = nullptr;
    curious(const broadcast<curious>& b, std::atomic<int>& count) : of(&b), destroyed(&count) {}
    curious(const curious& other) : of(other.of), destroyed(other.destroyed) { ask(); }
    curious(curious&& other) noexcept
        : of(std::exchange(other.of, nullptr)), destroyed(other.destroyed) {}
    ~curious() {
        ask();
        if (of != nullptr) ++*destroyed;
    }
    void ask() const {
        if (of != nullptr) static_cast<void>(of->subscribers());
    }
};

TEST_P(Broadcast, ValuesAreCopiedAndDestroyedUnderNoLock) {
    run([] {
        std::atomic<int> destroyed{0};
        const broadcast<curious> values(2, when_full::drop_oldest);
        {
            subscription<curious> a = values.subscribe();
            subscription<curious> b = values.subscribe();
            for (int i = 0; i != 4; ++i) values.send(curious(values, destroyed));
            EXPECT_TRUE(a.recv());
            subscription<curious> moved = std::move(a);
            b = std::move(moved);
        }
        EXPECT_EQ(destroyed, 4 + 1);
        EXPECT_EQ(values.subscribers(), 0u);
    });
}

// One that leaves much behind, while another takes: no value dies under the lock.
TEST_P(Broadcast, OneMayLeaveMuchBehindWhileAnotherTakes) {
    run([] {
        std::atomic<int> destroyed{0};
        constexpr int count = 200;
        const broadcast<curious> values(count);
        subscription<curious> takes = values.subscribe();
        std::optional<subscription<curious>> leaves(values.subscribe());
        for (int i = 0; i != count; ++i) values.send(curious(values, destroyed));
        for (int i = 0; i != count / 2; ++i) EXPECT_TRUE(takes.try_recv());
        auto other = spawn([&] {
            for (int i = count / 2; i != count; ++i) EXPECT_TRUE(takes.try_recv());
        });
        leaves.reset();
        other.join();
        EXPECT_EQ(destroyed, 2 * count);
    });
}

TEST_P(Broadcast, ValuesMayBeCollectedObjects) {
    run([] {
        const broadcast<gc::ptr<int>> boxes(4);
        subscription<gc::ptr<int>> mine = boxes.subscribe();
        for (int i = 0; i != 4; ++i) boxes.send(gc::make<int>(i));
        gc::collect();
        for (int i = 0; i != 4; ++i) EXPECT_EQ(**mine.recv(), i);
    });
}

TEST(BroadcastPlain, NothingIsLostOrDoubledInAnyOrder) {
    testing::explore(300, [] {
        const broadcast<int> numbers(1);
        scope all;
        for (int i = 0; i != 3; ++i) {
            all.go([from = numbers.subscribe()]() mutable {
                EXPECT_EQ(rest_of(from), (std::vector<int>{0, 1, 2, 3}));
            });
        }
        // One that leaves in the middle must not keep a value.
        all.go([from = numbers.subscribe()]() mutable { static_cast<void>(from.recv()); });
        for (int i = 0; i != 4; ++i) numbers.send(i);
        numbers.close();
        all.join();
    });
}

}  // namespace
}  // namespace weft::test
