// weft::local: a variable of which every coroutine has its own.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Local : public with_runtime {};
WEFT_TEST_PROCESSORS(Local);

TEST_P(Local, StartsValueInitialisedOrWithItsInitialValue) {
    static local<int> zero;
    static local<std::string> text("initial");
    run([] {
        EXPECT_EQ(zero.get(), 0);
        EXPECT_EQ(*text, "initial");
        spawn([] { EXPECT_EQ(text->size(), 7u); }).join();
    });
}

TEST_P(Local, EveryCoroutineHasItsOwn) {
    static local<int> mine;
    run([] {
        scope s;
        for (int i = 0; i != 50; ++i) {
            s.go([i] {
                EXPECT_EQ(*mine, 0);
                mine.set(i);
                for (int k = 0; k != 5; ++k) {
                    yield();
                    EXPECT_EQ(mine.get(), i);
                }
                *mine = i + 1;
                sleep_for(10us);
                EXPECT_EQ(*mine, i + 1);
            });
        }
        s.join();
        EXPECT_EQ(*mine, 0);
    });
}

TEST_P(Local, ItsReferenceStaysGoodUntilTheEnd) {
    static local<int> mine;
    run([] {
        int& reference = mine.get();
        for (int i = 0; i != 5; ++i) yield();
        reference = 4;
        EXPECT_EQ(*mine, 4);
        EXPECT_EQ(&mine.get(), &reference);
    });
}

TEST_P(Local, NeedNotBeCopyableNorEvenMovable) {
    static local<std::unique_ptr<int>> pointer;
    static local<std::vector<std::unique_ptr<int>>> pointers;  // Says that it can be copied.
    static local<std::atomic<int>> count;
    run([] {
        EXPECT_EQ(*pointer, nullptr);
        pointer.set(std::make_unique<int>(4));
        pointers->push_back(std::make_unique<int>(5));
        *count = 6;
        spawn([] {
            EXPECT_EQ(*pointer, nullptr);
            EXPECT_TRUE(pointers->empty());
            EXPECT_EQ(*count, 0);
        }).join();
        EXPECT_EQ(**pointer, 4);
        EXPECT_EQ(*pointers->front(), 5);
        EXPECT_EQ(*count, 6);
    });
}

TEST_P(Local, IsInheritedAsACopyWhenAskedFor) {
    static local<std::string> inherited("initial", inheritance::copied);
    static local<std::string> own("initial");
    run([] {
        spawn([] { EXPECT_EQ(*inherited, "initial"); }).join();
        inherited.set("from the parent, and too long for a small string");
        own.set("from the parent");
        spawn([] {
            EXPECT_EQ(*inherited, "from the parent, and too long for a small string");
            EXPECT_EQ(*own, "initial");
            inherited.set("changed by the child");
            spawn([] { EXPECT_EQ(*inherited, "changed by the child"); }).join();
        }).join();
        EXPECT_EQ(*inherited, "from the parent, and too long for a small string");
    });
}

TEST_P(Local, IsInheritedFromAForeignThreadToo) {
    static local<int> inherited(0, inheritance::copied);
    const runtime up(with_processors());
    std::thread([] {
        inherited.set(7);
        spawn([] { EXPECT_EQ(*inherited, 7); }).join();
    }).join();
    spawn([] { EXPECT_EQ(*inherited, 0); }).join();
}

struct counted {
    static inline std::atomic<int> alive{0};
    static inline std::atomic<std::uint64_t> died_on{0};
    counted() { ++alive; }
    counted(const counted&) { ++alive; }
    counted(counted&&) noexcept { ++alive; }
    counted& operator=(const counted&) = default;
    ~counted() {
        --alive;
        died_on = get_id().value();
    }
};

TEST_P(Local, IsDestroyedWhenTheCoroutineEndsAndOnIt) {
    static local<counted> value;
    const int before = counted::alive;
    run([&] {
        auto handle = spawn([] { static_cast<void>(value.get()); });
        const auto id = handle.get_id().value();
        handle.join();
        EXPECT_EQ(counted::alive, before);
        EXPECT_EQ(counted::died_on, id);
        for (int i = 0; i != 10; ++i) {
            auto cancelled_one = spawn([] {
                static_cast<void>(value.get());
                wait_for_cancel();
            });
            if (i % 2 == 0) yield();
        }
        auto thrower = spawn([] {
            static_cast<void>(value.get());
            throw std::domain_error("x");
        });
        EXPECT_THROW(thrower.join(), std::domain_error);
        EXPECT_EQ(counted::alive, before);
    });
    EXPECT_EQ(counted::alive, before);
}

TEST_P(Local, ADestructorMaySetAnother) {
    static local<int> other;
    struct sets_another {
        sets_another() = default;
        ~sets_another() { other.set(*other + 1); }
    };
    static local<sets_another> first;
    run([] { spawn([] { static_cast<void>(first.get()); }).join(); });
}

TEST_P(Local, IsTheThreadsOwnOutsideOfCoroutines) {
    static local<int> mine;
    mine.set(1);
    std::thread([] {
        EXPECT_EQ(*mine, 0);
        mine.set(2);
        EXPECT_EQ(*mine, 2);
    }).join();
    run([] {
        const thread_lock stay;  // On the thread that called run().
        EXPECT_EQ(*mine, 0);
        mine.set(3);
        blocking([] { EXPECT_EQ(*mine, 1); });
        EXPECT_EQ(*mine, 3);
    });
    EXPECT_EQ(*mine, 1);
    mine.set(0);
}

TEST_P(Local, WhatCopyingThrowsStopsTheSpawnAndLeavesNothing) {
    struct fragile {
        bool armed = false;
        fragile() = default;
        fragile(const fragile& other) : armed(other.armed) {
            if (armed) throw std::domain_error("copied");
        }
        fragile& operator=(const fragile&) = default;
    };
    static local<fragile> inherited(fragile(), inheritance::copied);
    run([] {
        const std::uint64_t before = stats().coroutines;
        inherited->armed = true;
        EXPECT_THROW(go([] {}), std::domain_error);
        EXPECT_THROW(static_cast<void>(spawn([] {})), std::domain_error);
        scope s({.limit = 1});
        EXPECT_THROW(s.go([] {}), std::domain_error);
        inherited->armed = false;
        s.go([] {});
        s.join();
        EXPECT_EQ(stats().coroutines, before);
    });
}

}  // namespace
}  // namespace weft::test
