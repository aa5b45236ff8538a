// Ids, names, and what a thread is told that is no coroutine.
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_set>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

static_assert(std::is_default_constructible_v<id> && std::is_trivially_copyable_v<id>);
static_assert(std::totally_ordered<id>);

class Identity : public with_runtime {};
WEFT_TEST_PROCESSORS(Identity);

TEST_P(Identity, IdsAreUniqueOrderedAndHashable) {
    run([] {
        std::vector<join_handle<id>> handles;
        for (int i = 0; i != 500; ++i) handles.push_back(spawn([] { return get_id(); }));
        std::set<id> ordered;
        std::unordered_set<id> hashed;
        for (auto& handle : handles) {
            const id one = handle.join();
            ordered.insert(one);
            hashed.insert(one);
        }
        ordered.insert(get_id());
        EXPECT_EQ(ordered.size(), 501u);
        EXPECT_EQ(hashed.size(), 500u);
        EXPECT_EQ(hashed.count(id()), 0u);
    });
}

TEST_P(Identity, IdsAreNeverUsedTwiceInAProcess) {
    std::set<id> seen;
    for (int i = 0; i != 10; ++i) {
        run([&] {
            EXPECT_TRUE(seen.insert(get_id()).second);
            EXPECT_TRUE(seen.insert(spawn([] { return get_id(); }).join()).second);
        });
    }
}

TEST_P(Identity, AnIdStaysTheSameThroughParks) {
    run([] {
        const id before = get_id();
        yield();
        sleep_for(1ms);
        spawn([] {}).join();
        EXPECT_EQ(get_id(), before);
    });
}

TEST_P(Identity, IdsPrint) {
    run([] {
        std::ostringstream text;
        text << get_id();
        EXPECT_EQ(text.str(), std::to_string(get_id().value()));
        std::wostringstream wide;
        wide << get_id();
        EXPECT_EQ(wide.str(), std::to_wstring(get_id().value()));
    });
}

TEST_P(Identity, ADefaultIdMeansNone) {
    EXPECT_FALSE(id());
    EXPECT_EQ(id(), id());
    run([] {
        EXPECT_TRUE(get_id());
        EXPECT_LT(id(), get_id());
    });
}

TEST_P(Identity, AThreadIsNoCoroutine) {
    const auto check = [] {
        EXPECT_FALSE(in_coroutine());
        EXPECT_EQ(get_id(), id());
        EXPECT_FALSE(get_stop_token().stop_possible());
    };
    check();
    run([&] {
        EXPECT_TRUE(in_coroutine());
        std::thread(check).join();
        blocking(check);
    });
    check();
}

// As on a coroutine: nothing of it may fail only because there is no coroutine.
TEST_P(Identity, WhatACoroutineDoesToItselfHasNoEffectOnAThread) {
    yield();
    checkpoint();
    sleep_for(1us);
    sleep_until(weft::clock::now());
    set_name("a thread");
    set_affinity_hint(0);
    const no_preempt np;
    const no_cancel nc;
    const thread_lock tl;
    EXPECT_EQ(blocking([] { return 1; }), 1);
    EXPECT_EQ(on_big_stack([] { return 2; }), 2);
}

TEST_P(Identity, NamesOfAnyLengthAreTaken) {
    run([] {
        set_name("");
        set_name(std::string(63, 'a'));
        set_name(std::string(64, 'b'));
        set_name(std::string(100'000, 'c'));
        spawn({.name = std::string(1000, 'd')}, [] { set_name("again"); }).join();
        spawn({.name = std::string_view()}, [] {}).join();
    });
}

TEST_P(Identity, AnAffinityHintNeverKeepsACoroutineFromRunning) {
    run([] {
        scope s;
        for (int i = -1; i != 12; ++i) {
            s.go({.affinity = i}, [] {
                for (unsigned k = 0; k != 12; ++k) {
                    set_affinity_hint(k);  // Out of range for some: ignored.
                    yield();
                }
                set_affinity_hint(static_cast<unsigned>(no_affinity));
                yield();
            });
        }
        s.join();
    });
}

TEST_P(Identity, AHintToABusyProcessorIsSoft) {
    run([] {
        std::atomic<bool> stop{false};
        std::atomic<int> ran{0};
        scope s;
        s.go({.affinity = 0}, [&] { wait_until([&] { return stop.load(); }); });
        for (int i = 0; i != 20; ++i) s.go({.affinity = 0}, [&] { ++ran; });
        wait_until([&] { return ran == 20; });
        stop = true;
        s.join();
    });
}

TEST_P(Identity, NoPreemptNests) {
    run([] {
        const no_preempt outer;
        {
            const no_preempt inner;
            yield();
        }
        sleep_for(1us);
    });
}

TEST_P(Identity, ThreadLocksNestAndHoldTheThread) {
    run([] {
        scope s;
        for (int i = 0; i != 5; ++i) {
            s.go([] {
                const thread_lock outer;
                const std::thread::id mine = this_thread();
                for (int k = 0; k != 5; ++k) {
                    {
                        const thread_lock inner;
                        yield();
                        EXPECT_EQ(this_thread(), mine);
                    }
                    sleep_for(10us);
                    EXPECT_EQ(this_thread(), mine);
                    blocking([&] { EXPECT_EQ(this_thread(), mine); });
                    EXPECT_EQ(this_thread(), mine);
                }
            });
        }
        s.join();
    });
}

TEST_P(Identity, NoOtherCoroutineRunsOnALockedThread) {
    run([] {
        std::atomic<bool> locked{false};
        std::atomic<std::thread::id> thread{};
        std::atomic<bool> stop{false};
        auto owner = spawn([&] {
            const thread_lock lock;
            thread = this_thread();
            locked = true;
            while (!stop) sleep_for(10us);
        });
        wait_until([&] { return locked.load(); });
        scope s;
        for (int i = 0; i != 20; ++i) {
            s.go([&] {
                for (int k = 0; k != 10; ++k) {
                    EXPECT_NE(this_thread(), thread.load());
                    yield();
                }
            });
        }
        s.join();
        stop = true;
        owner.join();
    });
}

TEST_P(Identity, AThreadIsFreeAgainBehindALock) {
    run([] {
        for (int i = 0; i != 20; ++i) {
            scope s;
            for (int k = 0; k != 3; ++k) {
                s.go([] {
                    const thread_lock lock;
                    yield();
                });
            }
            s.join();
        }
    });
}

TEST_P(Identity, ANameCanBeAskedFor) {
    run([] {
        EXPECT_EQ(spawn([] { return std::string(get_name()); }).join(), "");
        spawn({.name = "reader 7"}, [] {
            EXPECT_EQ(get_name(), "reader 7");
            yield();
            set_name("writer 8");
            EXPECT_EQ(get_name(), "writer 8");
            set_name(std::string(100, 'x'));
            EXPECT_EQ(get_name(), std::string(63, 'x'));
            set_name("a name of which a part is the next");
            set_name(get_name().substr(2));
            EXPECT_EQ(get_name(), "name of which a part is the next");
            set_name("");
            EXPECT_EQ(get_name(), "");
        }).join();
        // A descriptor is used again without the name of before.
        for (int i = 0; i != 50; ++i) {
            spawn([] { set_name("gone"); }).join();
            EXPECT_EQ(spawn([] { return std::string(get_name()); }).join(), "");
        }
    });
    EXPECT_EQ(get_name(), "");
}

}  // namespace
}  // namespace weft::test
