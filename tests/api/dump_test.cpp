// report::dump and SIGQUIT: who there is, what each waits for and since when, where it came from, and its stack.
#include "support/child.hpp"
#include "support/dump.hpp"
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ostream>
#include <semaphore>
#include <set>
#include <sstream>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>
#include <unistd.h>

namespace weft::test {

// Not in the unnamed namespace, and not inlined: they are looked for by name.
[[gnu::noinline]] void dump_test_innermost() {
    wait_for_cancel();
    asm volatile("" ::: "memory");
}
[[gnu::noinline]] int dump_test_middle(int n) {
    dump_test_innermost();
    asm volatile("" ::: "memory");
    return n;
}
[[gnu::noinline]] int dump_test_outermost(int n) {
    const int result = dump_test_middle(n + 1);
    asm volatile("" ::: "memory");
    return result;
}
[[gnu::noinline]] void dump_test_loops(const std::atomic<bool>& over) {
    while (!over.load()) asm volatile("" ::: "memory");
}

namespace {

using namespace std::chrono_literals;

dump_blocks dump_when_waiting(const std::vector<std::string>& names) {
    return dump_until([&](const dump_blocks& d) {
        return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
            const std::string status = d.named(name).status();
            return !status.empty() && !status.starts_with("runnable") &&
                   !status.starts_with("running");
        });
    });
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

class Dump : public with_runtime {
    const full_dumps each_{};
};
WEFT_TEST_PROCESSORS(Dump);

TEST_P(Dump, ShowsTheCallerFirstWithItsOwnStack) {
    run([] {
        auto other = spawn({.name = "earlier"}, [] { wait_for_cancel(); });
        auto caller = spawn({.name = "caller"}, [] {
            const dump_blocks d = dump_now();
            ASSERT_GE(d.all().size(), 3u) << d.text();
            EXPECT_PRED2(holds, d.all()[0].head, "'caller'");
            EXPECT_EQ(d.all()[0].status(), "running");
            EXPECT_TRUE(d.others().empty()) << d.text();
#if WEFT_TEST_HAS_NAMES
            EXPECT_PRED2(holds, d.all()[0].lines.at(0), "weft::report::dump");
#endif
        });
        caller.join();
        other.request_stop();
    });
}

// The first dump of a process prepares the look-up of names, which other libraries do, on the thread's own stack. That of
// the main thread is above all segments of split stacks, that of another one below them.
TEST_P(Dump, PreparesNamesOnAnyThread) {
    run([] {
        std::atomic<bool> over{false};
        const auto dumps_elsewhere = [&over] {
            const pid_t main = ::getpid();
            while (!over && processors() > 1 && ::gettid() == main) yield();
            if (over.exchange(true)) return;
            const dump_blocks d = dump_now();
            EXPECT_EQ(d.all().at(0).status(), "running") << d.text();
        };
        auto one = spawn(dumps_elsewhere);
        auto another = spawn(dumps_elsewhere);
        one.join();
        another.join();
    });
}

TEST_P(Dump, NamesWhatEachWaitsFor) {
    run([] {
        auto sleeper = spawn({.name = "sleeper"}, [] { sleep_for(1h); });
        auto joiner = spawn({.name = "joiner"}, [&] {
            try {
                sleeper.join();
            } catch (const coroutine_cancelled&) {}
        });
        scope limited({.limit = 1});
        limited.go({.name = "wants a place"}, [&] { limited.go([] {}); });
        scope waited_for;
        waited_for.go({.name = "child"}, [] { wait_for_cancel(); });
        auto in_join = spawn({.name = "in join"}, [&] { waited_for.join(); });
        std::binary_semaphore gate{0};
        auto blocking_one = spawn({.name = "blocks"}, [&] { blocking([&] { gate.acquire(); }); });

        const dump_blocks d =
            dump_when_waiting({"sleeper", "joiner", "wants a place", "child", "in join", "blocks"});
        std::ostringstream joined;
        joined << "join of coroutine " << sleeper.get_id();
        const auto begins = [&](const char* name, const std::string& what) {
            EXPECT_EQ(d.named(name).status().substr(0, what.size()), what) << d.text();
        };
        begins("sleeper", "sleep");
        begins("joiner", joined.str());
        begins("wants a place", "a place in a scope 0x");
        begins("in join", "scope::join 0x");
        EXPECT_PRED2(holds, d.named("blocks").status(), "blocking call");
        EXPECT_EQ(d.named("main").status(), "running");

        gate.release();
        limited.cancel();
        waited_for.cancel();
        sleeper.request_stop();
    });
}

TEST_P(Dump, NamesTheObjectThatEachWaitsFor) {
    run([] {
        const chan<int> c;
        mutex m;
        shared_mutex rw;
        condition_variable changed;
        binary_semaphore permits(0);
        latch closed(1);
        barrier meet(2);
        wait_group working;
        working.add(1);
        once_flag once;
        std::unique_lock locked(m);
        std::unique_lock writing(rw);
        mutex other;
        const chan<int> from;
        const chan<int> to;

        scope s;
        const auto waits = [&](const char* name, auto f) { s.go({.name = name}, f); };
        waits("sends", [&] { c.send(1); });
        waits("selects", [&] { select(on_recv(from), on_send(to, 1)); });
        waits("locks", [&] { m.lock_or_cancel(); });
        waits("reads", [&] { rw.lock_shared_or_cancel(); });
        waits("condition", [&] {
            std::unique_lock lock(other);
            changed.wait(lock);
        });
        waits("permit", [&] { permits.acquire(); });
        waits("latch", [&] { closed.wait(); });
        waits("barrier", [&] { meet.arrive_and_wait(); });
        waits("group", [&] { working.wait(); });
        waits("calls once", [&] { call_once(once, [] { wait_for_cancel(); }); });

        const dump_blocks d =
            dump_when_waiting({"sends", "selects", "locks", "reads", "condition", "permit", "latch",
                               "barrier", "group", "calls once"});
        const auto begins = [&](const char* name, const std::string& what) {
            EXPECT_EQ(d.named(name).status().substr(0, what.size()), what) << d.text();
        };
        const auto at = [](const auto& object) {
            std::ostringstream text;
            text << " 0x" << std::hex << reinterpret_cast<std::uintptr_t>(&object);
            return text.str();
        };
        begins("sends", "chan send 0x");
        begins("selects", "select of 0x");
        EXPECT_PRED2(holds, d.named("selects").status(), " (receive), 0x");
        EXPECT_PRED2(holds, d.named("selects").status(), " (send)");
        const std::string main = ", held by coroutine 1 'main'";
        begins("locks", "mutex" + at(m) + main);
        begins("reads", "shared_mutex" + at(rw) + main);
        begins("condition", "condition_variable" + at(changed));
        begins("permit", "semaphore" + at(permits));
        begins("latch", "latch" + at(closed));
        begins("barrier", "barrier" + at(meet));
        begins("group", "wait_group" + at(working));
        begins("calls once", "sleep");
        s.cancel();
    });
}

TEST_P(Dump, SaysWhereEachWasCreated) {
    run([] {
        const int first = __LINE__;
        auto a = spawn({.name = "a"}, [] { wait_for_cancel(); });
        scope s;
        s.go({.name = "b"}, [] { wait_for_cancel(); });
        const int last = __LINE__;
        const dump_blocks d = dump_when_waiting({"a", "b"});
        const line_range here{"dump_test.cpp", first, last};
        EXPECT_TRUE(here.named_in(d.named("a").created_at)) << d.text();
        EXPECT_TRUE(here.named_in(d.named("b").created_at)) << d.text();
        EXPECT_PRED2(holds, d.named("main").created_at, "dump_test.cpp:");
        a.request_stop();
        s.cancel();
    });
}

TEST_P(Dump, ShowsThoseThatHaveNotRunYet) {
    run([] {
        auto fresh = spawn({.name = "fresh"}, [] {});
        const dump_block b = dump_now().named("fresh");
        // With several processors it may have begun, or ended.
        if (GetParam() == 1) {
            EXPECT_EQ(b.status(), "runnable, not started");
            EXPECT_TRUE(b.lines.empty());
        }
        fresh.join();
    });
}

TEST_P(Dump, ShowsTheStackOfWhoWaits) {
    run([] {
        auto parked = spawn({.name = "parked"}, [] { dump_test_outermost(1); });
        const dump_blocks d = dump_when_waiting({"parked"});
        const dump_block b = d.named("parked");
        EXPECT_FALSE(b.lines.empty());
#if WEFT_TEST_HAS_NAMES
        const std::size_t innermost = b.line_with("dump_test_innermost");
        const std::size_t middle = b.line_with("dump_test_middle", innermost);
        const std::size_t outermost = b.line_with("dump_test_outermost", middle);
        ASSERT_LT(outermost + 1, b.lines.size()) << d.text();
        EXPECT_LT(innermost, middle);
        EXPECT_LT(middle, outermost);
        // This file is compiled with debug information in every build.
        EXPECT_TRUE(b.lines[outermost + 1].starts_with("\t")) << d.text();
        EXPECT_PRED2(holds, b.lines[outermost + 1], "dump_test.cpp:");
        EXPECT_PRED2(holds, b.lines[outermost + 1], " +0x");
        // What is weft's own is not of interest.
        EXPECT_FALSE(b.shows("coroutine_main")) << d.text();
        EXPECT_FALSE(b.shows("weft_jump")) << d.text();
        EXPECT_FALSE(b.shows("weft::detail::park")) << d.text();
#endif
        parked.request_stop();
    });
}

TEST_P(Dump, ShowsTheStackOfWhoIsReadyToRun) {
    run([] {
        if (GetParam() != 1) return;  // Others might run it.
        std::atomic<bool> begun{false};
        auto yields = spawn({.name = "yields"}, [&] {
            begun = true;
            for (;;) {
                weft::yield();
                asm volatile("" ::: "memory");
            }
        });
        wait_until([&] { return begun.load(); });
        const dump_blocks d = dump_now();
        EXPECT_EQ(d.named("yields").status(), "runnable");
        EXPECT_FALSE(d.named("yields").lines.empty()) << d.text();
        EXPECT_FALSE(d.named("yields").shows("unavailable")) << d.text();
        yields.request_stop();
    });
}

TEST_P(Dump, SaysThatWhoRunsElsewhereCannotBeLookedInto) {
    if (GetParam() == 1) GTEST_SKIP() << "one processor";
    run([] {
        std::atomic<bool> over{false};
        auto busy = spawn({.name = "busy"}, [&] { dump_test_loops(over); });
        const dump_blocks d = dump_until(
            [](const dump_blocks& seen) { return seen.named("busy").status() == "running"; });
        EXPECT_TRUE(d.named("busy").shows("stack unavailable")) << d.text();
        over = true;
        busy.join();
    });
}

TEST_P(Dump, SaysForHowLongOneHasWaited) {
    run([] {
        auto parked = spawn({.name = "parked"}, [] { wait_for_cancel(); });
        auto restless = spawn({.name = "restless"}, [] {
            for (;;) sleep_for(1ms);
        });
        const auto begun = std::chrono::steady_clock::now();
        for (;;) {
            const std::string status = dump_now().named("parked").status();
            const auto waited = std::chrono::steady_clock::now() - begun;
            const std::size_t comma = status.find(", ");
            if (status.starts_with("sleep") && comma != std::string::npos) {
                EXPECT_PRED2(holds, status, " s");
                const int seconds = std::atoi(status.c_str() + comma + 2);
                EXPECT_GE(seconds, 1);
                EXPECT_LE(std::chrono::seconds(seconds), waited + 100ms)
                    << "never more than it was";
                break;
            }
            sleep_for(20ms);
        }
        for (;;) {
            const std::string status = dump_now().named("restless").status();
            if (status.starts_with("sleep")) {
                EXPECT_EQ(status, "sleep") << "each is a wait of its own";
                break;
            }
            weft::yield();
        }
        parked.request_stop();
        restless.request_stop();
    });
}

TEST_P(Dump, MayBeAskedForFromAnyThread) {
    run([] {
        auto parked = spawn({.name = "parked"}, [] { dump_test_outermost(1); });
        static_cast<void>(dump_when_waiting({"parked"}));
        dump_blocks seen("");
        std::thread([&] { seen = dump_now(); }).join();
        EXPECT_EQ(seen.named("parked").status().substr(0, 5), "sleep") << seen.text();
        EXPECT_EQ(seen.named("main").status(), "running");
        EXPECT_TRUE(seen.named("main").shows("stack unavailable"));

        seen = dump_blocks("");
        blocking([&] { seen = dump_now(); });
        EXPECT_EQ(seen.named("parked").status().substr(0, 5), "sleep") << seen.text();
        EXPECT_PRED2(holds, seen.named("main").status(), "blocking call");
        parked.request_stop();
    });
}

TEST_P(Dump, AThousandAreAllThere) {
    const std::size_t count = thread_sanitizer ? 300 : 1000;
    run([&] {
        scope s;
        std::vector<std::string> names;
        for (std::size_t i = 0; i != count; ++i) {
            names.push_back("w" + std::to_string(i));
            s.go({.name = names.back()}, [] { dump_test_outermost(1); });
        }
        const dump_blocks d = dump_when_waiting(names);
        EXPECT_EQ(d.all().size(), count + 1);
        std::set<std::string> heads;
        std::size_t with_stack = 0;
        for (const dump_block& b : d.all()) {
            heads.insert(b.head.substr(0, b.head.find('[')));
            if (!b.lines.empty() && !b.shows("unavailable")) ++with_stack;
        }
        EXPECT_EQ(heads.size(), count + 1) << "each once";
        EXPECT_EQ(with_stack, count + 1);
        s.cancel();
    });
}

TEST_P(Dump, StacksThatAreAllTheSameAreCountedInTheEnd) {
    if (thread_sanitizer) GTEST_SKIP() << "too many fibers";
    // Some park by way of the scheduler stack, which is another stack: enough for a thousand of one kind.
    const std::size_t count = 4000;
    run([&] {
        scope s;
        for (std::size_t i = 0; i != count; ++i) s.go([] { dump_test_outermost(1); });
        const dump_blocks d = dump_until([&](const dump_blocks& seen) {
            return !seen.others().empty() &&
                   holds(seen.others()[0], " coroutines with the stack of coroutine ");
        });
        EXPECT_EQ(d.all().size(), count + 1);
        const auto abbreviated =
            std::count_if(d.all().begin(), d.all().end(), [](const dump_block& b) {
                return !b.lines.empty() && b.lines[0].starts_with("(the stack of coroutine ");
            });
        EXPECT_GT(abbreviated, 0);
        EXPECT_LE(static_cast<std::size_t>(abbreviated), count - 1000);
        s.cancel();
    });
}

class full_buffer : public std::streambuf {
protected:
    std::streamsize xsputn(const char*, std::streamsize) override {
        throw std::runtime_error("full");
    }
};

TEST_P(Dump, NothingIsLostWhenTheStreamThrows) {
    run([] {
        auto parked = spawn({.name = "parked"}, [] { wait_for_cancel(); });
        static_cast<void>(dump_when_waiting({"parked"}));
        full_buffer buffer;
        std::ostream out(&buffer);
        out.exceptions(std::ios::badbit);
        EXPECT_THROW(report::dump(out), std::runtime_error);
        EXPECT_TRUE(dump_now().named("parked").status().starts_with("sleep"));
        parked.request_stop();
    });
}

// Writes go through weft: the coroutine that dumps parks with each.
class parking_buffer : public std::streambuf {
public:
    std::string text;

protected:
    std::streamsize xsputn(const char* from, std::streamsize n) override {
        sleep_for(100us);
        text.append(from, static_cast<std::size_t>(n));
        return n;
    }
    int_type overflow(int_type c) override {
        text += static_cast<char>(c);
        return c;
    }
};

TEST_P(Dump, TheStreamMayPark) {
    run([] {
        scope s;
        for (int i = 0; i != 50; ++i) s.go([] { dump_test_outermost(1); });
        parking_buffer buffer;
        std::ostream out(&buffer);
        report::dump(out);
        EXPECT_EQ(dump_blocks(buffer.text).all().size(), 51u);
        s.cancel();
    });
}

TEST_P(Dump, WorksOnASmallStack) {
    run([] {
        auto small = spawn({.name = "small", .stack_size = 16384},
                           [] { EXPECT_EQ(dump_now().named("small").status(), "running"); });
        small.join();
    });
}

using DumpOutside = plain_runtime;

TEST_F(DumpOutside, SaysThatNoRuntimeIsUp) {
    std::ostringstream out;
    report::dump(out);
    EXPECT_EQ(out.str(), "weft: no runtime is up\n");
}

TEST_F(DumpOutside, OfARuntimeObject) {
    runtime rt({.processors = 2});
    std::atomic<bool> stop{false};
    auto done = rt.submit([&] {
        while (!stop.load()) sleep_for(1ms);
    });
    const dump_blocks d = dump_until([](const dump_blocks& seen) {
        return seen.all().size() == 1 && seen.all()[0].status().starts_with("sleep");
    });
    EXPECT_PRED2(holds, d.all()[0].created_at, "dump_test.cpp:");
    stop = true;
    done.get();
}

TEST_F(DumpOutside, InASimulation) {
    testing::explore(20, [] {
        auto parked = spawn({.name = "parked"}, [] { dump_test_outermost(1); });
        auto joiner = spawn({.name = "joiner"}, [&] {
            try {
                parked.join();
            } catch (const coroutine_cancelled&) {}
        });
        const dump_blocks d = dump_until([](const dump_blocks& seen) {
            return seen.named("parked").status().starts_with("sleep") &&
                   seen.named("joiner").status().starts_with("join of coroutine");
        });
        if (d.named("main").status() != "running") throw std::runtime_error(d.text());
#if WEFT_TEST_HAS_NAMES
        if (!d.named("parked").shows("dump_test_innermost")) throw std::runtime_error(d.text());
#endif
        parked.request_stop();
    });
}

TEST_F(DumpOutside, FromOutsideOfASimulationIsRefused) {
    testing::simulate(1, [] {
        std::string text;
        std::thread([&] {
            std::ostringstream out;
            report::dump(out);
            text = out.str();
        }).join();
        if (!holds(text, "simulation")) throw std::runtime_error(text);
    });
}

}  // namespace
}  // namespace weft::test
