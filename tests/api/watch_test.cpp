// watch: readers see the latest value, miss none that stays, and hear of the end.
#include "support/runtime_fixture.hpp"

#include <weft/gc.hpp>
#include <weft/watch.hpp>
#include <weft/weft.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Watch : public with_runtime {};
WEFT_TEST_PROCESSORS(Watch);

TEST_P(Watch, AReaderGetsTheLatestOnce) {
    run([] {
        const watch<std::string> name("first");
        watch_reader<std::string> reader = name.subscribe();
        EXPECT_EQ(reader.next(), "first");
        EXPECT_EQ(reader.try_next(), std::nullopt);
        EXPECT_EQ(reader.next_for(1ms), std::nullopt);
        name.set("second");
        name.set("third");
        EXPECT_EQ(reader.next(), "third");
        EXPECT_EQ(reader.get(), "third");
        EXPECT_EQ(name.get(), "third");
        name.update([](std::string& now) { now += "!"; });
        watch_reader<std::string> copy = reader;
        EXPECT_EQ(copy.try_next(), "third!");
        EXPECT_EQ(reader.try_next(), "third!");
        name.set("last");
        name.close();
        name.close();
        EXPECT_EQ(reader.next(), "last");
        EXPECT_EQ(reader.next(), std::nullopt);
        EXPECT_TRUE(reader.closed());
        EXPECT_THROW(name.set("more"), channel_closed);
    });
}

TEST_P(Watch, AnUpdateThatThrowsTellsNobody) {
    run([] {
        const watch<int> n(1);
        watch_reader<int> reader = n.subscribe();
        EXPECT_EQ(reader.next(), 1);
        EXPECT_THROW(n.update([](int&) { throw std::domain_error("no"); }), std::domain_error);
        EXPECT_EQ(reader.try_next(), std::nullopt);
    });
}

TEST_P(Watch, EveryReaderSeesTheLastOfManyValuesInOrder) {
    run([] {
        const watch<int> n(0);
        scope readers;
        for (int i = 0; i != 20; ++i) {
            readers.go([reader = n.subscribe()]() mutable {
                int last = -1;
                while (const std::optional<int> now = reader.next()) {
                    EXPECT_GT(*now, last);
                    last = *now;
                }
                EXPECT_EQ(last, 1'000);
            });
        }
        std::thread from_outside([&] {
            for (int i = 1; i <= 500; ++i) n.set(i);
        });
        blocking([&] { from_outside.join(); });
        for (int i = 501; i <= 1'000; ++i) n.set(i);
        n.close();
        readers.join();
    });
}

TEST_P(Watch, AChangeIsACaseOfSelect) {
    run([] {
        const watch<int> n(1);
        watch_reader<int> reader = n.subscribe();
        chan<int> other;
        EXPECT_EQ(select(on_recv(reader.changed()), on_recv(other)), 0u);
        EXPECT_EQ(reader.try_next(), 1);
        auto sets = spawn([&] {
            other.send(7);
            n.set(2);
        });
        EXPECT_EQ(select(on_recv(reader.changed()), on_recv(other)), 1u);
        EXPECT_EQ(select(on_recv(reader.changed()), on_recv(other)), 0u);
        EXPECT_EQ(reader.try_next(), 2);
        sets.join();
        n.close();
        EXPECT_EQ(select(on_recv(reader.changed()), on_timeout(1h)), 0u);
        EXPECT_EQ(reader.try_next(), std::nullopt);
    });
}

TEST_P(Watch, ItsValueMayHoldCollectedObjects) {
    run([] {
        const watch<gc::ptr<int>> box(gc::make<int>(7));
        box.set(gc::make<int>(8));
        gc::collect();
        watch_reader<gc::ptr<int>> reader = box.subscribe();
        EXPECT_EQ(**reader.next(), 8);
    });
}

TEST_P(Watch, ToWaitIsACancellationPointAlsoWhenThereIsAValue) {
    run([] {
        const watch<int> n(1);
        auto asked = spawn([&] {
            watch_reader<int> reader = n.subscribe();
            for (;;) {
                static_cast<void>(reader.next());
                n.set(2);
            }
        });
        asked.request_stop();
        EXPECT_THROW(asked.join(), coroutine_cancelled);
        n.close();
        auto closed = spawn([&] {
            watch_reader<int> reader = n.subscribe();
            for (;;) static_cast<void>(reader.next_for(1ms));
        });
        closed.request_stop();
        EXPECT_THROW(closed.join(), coroutine_cancelled);
    });
}

TEST(WatchPlain, WorksWithoutARuntime) {
    const watch<int> n(1);
    watch_reader<int> reader = n.subscribe();
    EXPECT_EQ(reader.next(), 1);
    std::thread sets([&] { n.set(2); });
    EXPECT_EQ(reader.next(), 2);
    sets.join();
}

TEST(WatchPlain, NoChangeIsMissedInAnyOrder) {
    testing::explore(300, [] {
        const watch<int> n(0);
        scope all;
        for (int i = 0; i != 3; ++i) {
            all.go([reader = n.subscribe(), i]() mutable {
                int last = -1;
                for (;;) {
                    // Both ways to wait.
                    if (i == 0) select(on_recv(reader.changed()));
                    const std::optional<int> now = i == 0 ? reader.try_next() : reader.next();
                    if (!now) break;
                    EXPECT_GT(*now, last);
                    last = *now;
                }
                EXPECT_EQ(last, 5);
            });
        }
        for (int i = 1; i <= 5; ++i) n.set(i);
        n.close();
        all.join();
    });
}

}  // namespace
}  // namespace weft::test
