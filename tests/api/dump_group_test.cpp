// What a dump says of many coroutines at once: groups, the holders of locks, and who waits for whom in a ring.
#include "support/child.hpp"
#include "support/dump.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// How many coroutines are in blocks whose state begins with `what`.
std::size_t counted(const dump_blocks& d, const std::string& what) {
    std::size_t n = 0;
    for (const dump_block& b : d.all()) {
        if (b.status().starts_with(what)) n += b.count();
    }
    return n;
}

std::size_t blocks_of(const dump_blocks& d, const std::string& what) {
    return static_cast<std::size_t>(
        std::count_if(d.all().begin(), d.all().end(),
                      [&](const dump_block& b) { return b.status().starts_with(what); }));
}

class DumpGroups : public with_runtime {};
WEFT_TEST_PROCESSORS(DumpGroups);

TEST_P(DumpGroups, TenThousandInFourKindsOfWaitAreAPage) {
    const std::size_t each = thread_sanitizer ? 100 : 2500;
    run([&] {
        mutex m;
        binary_semaphore permits(0);
        std::vector<chan<int>> channels(each);
        const std::unique_lock locked(m);
        scope s;
        for (std::size_t i = 0; i != each; ++i) {
            s.go({.name = "rx " + std::to_string(i)}, [&, i] { (void)channels[i].recv(); });
            s.go([&] { m.lock_or_cancel(); });
            s.go([&] { permits.acquire(); });
            s.go([] { sleep_for(1h); });
        }
        const dump_blocks d = dump_until([&](const dump_blocks& seen) {
            return counted(seen, "chan receive") == each && counted(seen, "mutex") == each &&
                   counted(seen, "semaphore") == each && counted(seen, "sleep") == each;
        });
        EXPECT_LE(std::count(d.text().begin(), d.text().end(), '\n'), 120) << d.text();
        std::size_t all = 0;
        for (const dump_block& b : d.all()) all += b.count();
        EXPECT_EQ(all, 4 * each + 1) << d.text();
        s.cancel();
    });
}

TEST_P(DumpGroups, AGroupNamesFiveOfItsOwn) {
    run([] {
        chan<int> c;
        scope s;
        for (int i = 0; i != 7; ++i) {
            s.go({.name = "w" + std::to_string(i)}, [&] { (void)c.recv(); });
        }
        const dump_blocks d =
            dump_until([](const dump_blocks& seen) { return counted(seen, "chan receive") == 7; });
        if (blocks_of(d, "chan receive") == 1) {
            const dump_block b = d.named("w0");
            EXPECT_TRUE(b.head.starts_with("7 coroutines [chan receive 0x")) << d.text();
            EXPECT_TRUE(b.head.ends_with(", ...")) << d.text();
            EXPECT_PRED2(holds, b.head, "'w4'");
            EXPECT_FALSE(holds(b.head, "'w5'")) << d.text();
            EXPECT_FALSE(b.lines.empty());
        }
        s.cancel();
    });
}

TEST_P(DumpGroups, FewObjectsAreApartAndManyAreNot) {
    run([] {
        const auto groups = [](std::size_t objects) {
            std::vector<chan<int>> channels(objects);
            scope s;
            for (std::size_t i = 0; i != 20; ++i) {
                s.go([&, i] { (void)channels[i % objects].recv(); });
            }
            const dump_blocks d = dump_until(
                [](const dump_blocks& seen) { return counted(seen, "chan receive") == 20; });
            s.cancel();
            return d;
        };
        const dump_blocks few = groups(2);
        EXPECT_EQ(blocks_of(few, "chan receive 0x"), 2u) << few.text();
        const dump_blocks many = groups(10);
        EXPECT_EQ(blocks_of(many, "chan receive, 10 different objects"), 1u) << many.text();
    });
}

TEST_P(DumpGroups, EachHasItsOwnWhenAskedFor) {
    const full_dumps each;
    run([] {
        scope s;
        for (int i = 0; i != 20; ++i) s.go([] { sleep_for(1h); });
        const dump_blocks d =
            dump_until([](const dump_blocks& seen) { return counted(seen, "sleep") == 20; });
        EXPECT_EQ(blocks_of(d, "sleep"), 20u) << d.text();
        s.cancel();
    });
}

TEST_P(DumpGroups, ALockNamesItsHolder) {
    run([] {
        mutex held;
        recursive_mutex again;
        timed_mutex timed;
        shared_mutex shared;
        shared_mutex written;
        mutex left;
        once_flag once;
        chan<void> begin;
        chan<void> end;

        auto holder = spawn({.name = "holder"}, [&] {
            const std::scoped_lock locked(held, again, timed, written);
            const std::shared_lock reading(shared);
            call_once(once, [&] {
                begin.send();
                (void)end.recv();
            });
        });
        auto leaver = spawn([&] { left.lock(); });
        leaver.join();
        (void)begin.recv();

        scope s;
        const auto waits = [&](const char* name, auto f) { s.go({.name = name}, f); };
        waits("held", [&] { held.lock_or_cancel(); });
        waits("again", [&] { again.lock_or_cancel(); });
        waits("timed", [&] { timed.lock_or_cancel(); });
        waits("written", [&] { written.lock_shared_or_cancel(); });
        waits("shared", [&] { shared.lock_or_cancel(); });
        waits("left", [&] { left.lock_or_cancel(); });
        auto waits_once = spawn({.name = "once"}, [&] { call_once(once, [] {}); });

        const dump_blocks d = dump_until([](const dump_blocks& seen) {
            return counted(seen, "mutex") == 4 && counted(seen, "shared_mutex") == 2 &&
                   counted(seen, "call_once") == 1;
        });
        const std::string by = ", held by coroutine ";
        for (const char* const name : {"held", "again", "timed", "written"}) {
            EXPECT_PRED2(holds, d.named(name).status(), by);
            EXPECT_PRED2(holds, d.named(name).status(), "'holder'");
        }
        EXPECT_PRED2(holds, d.named("shared").status(), ", shared by 1 reader");
        // Its descriptor may have another user by now.
        EXPECT_PRED2(holds, d.named("left").status(), ", held by ");
        EXPECT_PRED2(holds, d.named("once").status(), ", being run by coroutine ");
        s.cancel();
        end.send();
        holder.join();
        waits_once.join();
    });
}

TEST_P(DumpGroups, AHolderMayBeAThread) {
    run([] {
        mutex m;
        std::binary_semaphore go_on{0};
        std::binary_semaphore locked{0};
        std::thread foreign([&] {
            const std::lock_guard hold(m);
            locked.release();
            go_on.acquire();
        });
        blocking([&] { locked.acquire(); });
        auto waiter = spawn({.name = "waits"}, [&] { const std::lock_guard hold(m); });
        const dump_blocks d =
            dump_until([](const dump_blocks& seen) { return counted(seen, "mutex") == 1; });
        EXPECT_PRED2(holds, d.named("waits").status(), ", held by a thread outside of coroutines");
        go_on.release();
        waiter.join();
        blocking([&] { foreign.join(); });
    });
}

#if WEFT_TEST_HAS_NAMES
TEST_P(DumpGroups, WhatIsCalledLastIsNamedByItsPublicName) {
    run([] {
        binary_semaphore permits(0);
        scope s;
        s.go({.name = "acquires"}, [&] { permits.acquire(); });
        const dump_blocks d =
            dump_until([](const dump_blocks& seen) { return counted(seen, "semaphore") == 1; });
        const dump_block b = d.named("acquires");
        ASSERT_FALSE(b.lines.empty());
        for (std::size_t i = 0; i < b.lines.size(); i += 2) {
            EXPECT_FALSE(b.lines[i].starts_with("weft::detail::semaphore")) << d.text();
        }
        EXPECT_FALSE(holds(d.text(), "include/weft/")) << d.text();
        s.cancel();
    });
}
#endif

class Cycle : public with_runtime {
protected:
    static std::vector<std::string> cycles(const child_result& child) {
        EXPECT_EQ(child.exit_status, 2) << child.err;
        return child.lines_with("weft: cycle:");
    }
};
WEFT_TEST_PROCESSORS(Cycle);

TEST_P(Cycle, OfTwoMutexesIsOneLineOfTheReport) {
    const child_result child = run_child([] {
        return run([] {
            mutex a;
            mutex b;
            latch both(2);
            auto ab = spawn({.name = "ab"}, [&] {
                const std::lock_guard first(a);
                both.arrive_and_wait();
                const std::lock_guard second(b);
            });
            auto ba = spawn({.name = "ba"}, [&] {
                const std::lock_guard first(b);
                both.arrive_and_wait();
                const std::lock_guard second(a);
            });
            ab.join();
            ba.join();
        });
    });
    const auto lines = cycles(child);
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_TRUE(lines[0].starts_with("weft: cycle: coroutine 2 'ab' wants the mutex 0x"))
        << lines[0];
    // The second has no certain number, because each processor gives out its own and main may have moved.
    EXPECT_PRED2(holds, lines[0], " 'ba' holds, which wants the mutex 0x");
    EXPECT_TRUE(lines[0].ends_with(" that coroutine 2 'ab' holds")) << lines[0];
}

TEST_P(Cycle, OfAJoinAndAMutex) {
    const child_result child = run_child([] {
        return run([] {
            mutex m;
            const std::lock_guard hold(m);
            spawn({.name = "child"}, [&] { const std::lock_guard wants(m); }).join();
        });
    });
    const auto lines = cycles(child);
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_PRED2(holds, lines[0],
                 "coroutine 1 'main' joins coroutine 2 'child', which wants the mutex 0x");
    EXPECT_TRUE(lines[0].ends_with(" that coroutine 1 'main' holds")) << lines[0];
}

// One of the scope's children is in it; the others wait for nobody that waits for them.
TEST_P(Cycle, OfAScopesJoinAndAMutex) {
    const child_result child = run_child([] {
        return run([] {
            mutex m;
            chan<int> c;
            scope s;
            const std::lock_guard hold(m);
            s.go({.name = "idle"}, [&] { (void)c.recv(); });
            s.go({.name = "child"}, [&] { const std::lock_guard wants(m); });
            s.go({.name = "idle too"}, [&] { (void)c.recv(); });
            s.join();
        });
    });
    const auto lines = cycles(child);
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_PRED2(holds, lines[0], "coroutine 1 'main' waits in scope::join for coroutine ");
    EXPECT_PRED2(holds, lines[0], " 'child', which wants the mutex 0x");
    EXPECT_TRUE(lines[0].ends_with(" that coroutine 1 'main' holds")) << lines[0];
}

TEST_P(Cycle, IsOneLineHoweverManyChildrenCloseIt) {
    const child_result child = run_child([] {
        return run([] {
            mutex a;
            mutex b;
            scope s;
            const std::lock_guard hold_a(a);
            const std::lock_guard hold_b(b);
            for (int i = 0; i != 50; ++i) {
                s.go({.name = "wants a"}, [&] { const std::lock_guard wants(a); });
                s.go({.name = "wants b"}, [&] { const std::lock_guard wants(b); });
            }
            s.join();
        });
    });
    EXPECT_EQ(cycles(child).size(), 1u) << child.err;
}

// Whoever is in it has then waited for longer than a dump takes.
TEST_P(Cycle, IsInADumpOnceItHasLasted) {
    run([] {
        mutex a;
        mutex b;
        latch both(2);
        scope s;
        const auto locks = [&](mutex& first, mutex& second) {
            const std::lock_guard hold(first);
            both.arrive_and_wait();
            second.lock_or_cancel();
            second.unlock();
        };
        s.go({.name = "ab"}, [&] { locks(a, b); });
        s.go({.name = "ba"}, [&] { locks(b, a); });
        for (;;) {
            sleep_for(100ms);
            const dump_blocks d = dump_now();
            if (d.others().empty()) continue;
            EXPECT_EQ(d.others().size(), 1u) << d.text();
            EXPECT_TRUE(d.others()[0].starts_with("weft: cycle: coroutine ")) << d.text();
            break;
        }
        s.cancel();
    });
}

TEST_P(Cycle, IsNotSeenWhereThereIsNone) {
    const child_result child = run_child([] {
        return run([] {
            mutex m;
            chan<int> c;
            latch held(1);
            auto holder = spawn({.name = "holder"}, [&] {
                const std::lock_guard hold(m);
                held.count_down();
                (void)c.recv();
            });
            auto waiter = spawn({.name = "waiter"}, [&] {
                held.wait();
                const std::lock_guard hold(m);
            });
            waiter.join();
        });
    });
    EXPECT_TRUE(cycles(child).empty()) << child.err;
}

TEST_P(Cycle, IsNotSeenWhereChildrenWaitForEachOther) {
    const child_result child = run_child([] {
        return run([] {
            mutex m;
            chan<int> c;
            latch held(1);
            scope s;
            s.go({.name = "holder"}, [&] {
                const std::lock_guard hold(m);
                held.count_down();
                (void)c.recv();
            });
            s.go({.name = "waiter"}, [&] {
                held.wait();
                const std::lock_guard wants(m);
            });
            s.join();
        });
    });
    EXPECT_TRUE(cycles(child).empty()) << child.err;
}

}  // namespace
}  // namespace weft::test
