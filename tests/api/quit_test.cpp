// SIGQUIT: what every coroutine does, on stderr, and then the end; unless the program has other plans for it.
#include "support/child.hpp"
#include "support/dump.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include <signal.h>
#include <unistd.h>

namespace weft::test {

[[gnu::noinline]] void quit_test_interrupted() {
    ::kill(::getpid(), SIGQUIT);  // Not raise(): this may be a thread of weft's, which blocks it.
    for (;;) asm volatile("" ::: "memory");
}

namespace {

using namespace std::chrono_literals;

// ThreadSanitizer keeps what interrupts a loop until the loop is over, and what interrupts a coroutine that parks next
// for as long as it is parked. There the signal interrupts its sender, even if a thread of weft's started that one.
void send_quit() {
    if (thread_sanitizer) {
        sigset_t quit;
        ::sigemptyset(&quit);
        ::sigaddset(&quit, SIGQUIT);
        ::pthread_sigmask(SIG_UNBLOCK, &quit, nullptr);
        ::raise(SIGQUIT);
    } else {
        ::kill(::getpid(), SIGQUIT);
    }
}

bool by_default() {
    struct sigaction now {};
    ::sigaction(SIGQUIT, nullptr, &now);
    return (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL;
}

class Quit : public with_runtime {
protected:
    void SetUp() override {
        with_runtime::SetUp();
        ::signal(SIGQUIT, SIG_DFL);
    }
    static dump_blocks expect_dump(const child_result& child) {
        EXPECT_EQ(child.exit_status, 2) << "signal " << child.signal << ": " << child.err;
        EXPECT_EQ(child.lines_with("weft: SIGQUIT").size(), 1u) << child.err;
        return dump_blocks(child.err);
    }
};
WEFT_TEST_PROCESSORS(Quit);

TEST_P(Quit, WritesWhatEverybodyDoesAndEndsTheProcess) {
    const child_result child = run_child([] {
        return run([] {
            go({.name = "parked"}, [] { wait_for_cancel(); });
            sleep_for(10ms);
            std::thread(send_quit).join();
            wait_for_cancel();
        });
    });
    const dump_blocks d = expect_dump(child);
    EXPECT_TRUE(d.named("parked").status().starts_with("sleep")) << child.err;
    EXPECT_FALSE(d.named("parked").lines.empty());
    EXPECT_FALSE(d.named("main").head.empty());
}

TEST_P(Quit, WhenAllWaitForWhatNeverComes) {
    const child_result child = run_child([] {
        return run(
            [] {
                scope s;
                s.go({.name = "never"}, [] {
                    scope inner({.limit = 1});
                    inner.go({.name = "inner"}, [&] { inner.go([] {}); });
                    inner.join();
                });
                // Long behind the moment at which everything has fallen asleep.
                std::thread([] {
                    std::this_thread::sleep_for(400ms);
                    send_quit();
                }).detach();
                s.join();
            },
            {.on_deadlock = deadlock_action::ignore});
    });
    const dump_blocks d = expect_dump(child);
    EXPECT_TRUE(d.named("never").status().starts_with("scope::join")) << child.err;
    EXPECT_TRUE(d.named("inner").status().starts_with("a place in a scope")) << child.err;
    EXPECT_TRUE(d.named("main").status().starts_with("scope::join")) << child.err;
}

TEST_P(Quit, WhenEveryThreadIsStuckInALoop) {
    const child_result child = run_child([] {
        return run(
            [] {
                std::atomic<unsigned> begun{0};
                const unsigned count = 2 * weft::processors();
                std::thread([&] {
                    while (begun.load() == 0) std::this_thread::yield();
                    send_quit();
                }).detach();
                for (unsigned i = 0; i != count; ++i) {
                    go({.name = "loops"}, [&] {
                        ++begun;
                        for (;;) asm volatile("" ::: "memory");
                    });
                }
                weft::yield();
                for (;;) asm volatile("" ::: "memory");
            },
            {.max_compensation = 0});
    });
    const dump_blocks d = expect_dump(child);
    // Main may not have come to start them all: nobody gives it a processor back.
    EXPECT_GE(d.all().size(), 2u) << child.err;
    EXPECT_TRUE(std::any_of(d.all().begin(), d.all().end(), [](const dump_block& b) {
        return b.status() == "running";
    })) << child.err;
}

TEST_P(Quit, ShowsWhatItInterrupts) {
    const child_result child = run_child([] {
        return run([] {
            const auto other = weft::spawn([] { wait_for_cancel(); });  // Now there is a monitor.
            quit_test_interrupted();
        });
    });
    const dump_blocks d = expect_dump(child);
    // Main has not parked, so it is on the thread that the signal comes to.
    EXPECT_EQ(d.named("main").status(), "running") << child.err;
#if WEFT_TEST_HAS_NAMES
    EXPECT_TRUE(d.named("main").shows("quit_test_interrupted")) << child.err;
#endif
}

TEST_P(Quit, WhenNothingWasEverSpawned) {
    const child_result child = run_child([] { return run([] { quit_test_interrupted(); }); });
    const dump_blocks d = expect_dump(child);
    ASSERT_EQ(d.all().size(), 1u) << child.err;
    EXPECT_FALSE(d.named("main").lines.empty()) << child.err;
}

TEST_P(Quit, OfARuntimeObject) {
    const child_result child = run_child([] {
        const runtime rt({.processors = GetParam()});
        go({.name = "parked"}, [] { wait_for_cancel(); });
        std::this_thread::sleep_for(20ms);
        send_quit();
        for (;;) std::this_thread::sleep_for(1h);
        return 0;
    });
    EXPECT_FALSE(expect_dump(child).named("parked").head.empty()) << child.err;
}

TEST_P(Quit, AProgramsOwnHandlerIsLeftAlone) {
    static std::atomic<int> caught;
    caught = 0;
    ::signal(SIGQUIT, [](int) { ++caught; });
    run([] { ::raise(SIGQUIT); });
    EXPECT_EQ(caught.load(), 1);
    ::raise(SIGQUIT);
    EXPECT_EQ(caught.load(), 2);
    ::signal(SIGQUIT, SIG_DFL);
}

TEST_P(Quit, AnIgnoredSignalStaysIgnored) {
    ::signal(SIGQUIT, SIG_IGN);
    run([] { ::raise(SIGQUIT); });
    ::raise(SIGQUIT);
    ::signal(SIGQUIT, SIG_DFL);
}

TEST_P(Quit, IsTakenAlsoWhereItIsIgnoredWhenAskedFor) {
    const child_result child = run_child(
        [] {
            ::signal(SIGQUIT, SIG_IGN);
            run([] {});
            struct sigaction now {};
            ::sigaction(SIGQUIT, nullptr, &now);
            if (now.sa_handler != SIG_IGN) return 3;
            return run([] {
                go({.name = "parked"}, [] { wait_for_cancel(); });
                sleep_for(10ms);
                std::thread(send_quit).join();
                wait_for_cancel();
            });
        },
        {.environment = {{"WEFT_DEBUG", "sigquit=1"}}});
    EXPECT_FALSE(expect_dump(child).named("parked").head.empty()) << child.err;
}

TEST_P(Quit, AHandlerThatTheProgramInstallsLaterStays) {
    static std::atomic<int> caught;
    caught = 0;
    run([] {
        ::signal(SIGQUIT, [](int) { ++caught; });
        ::raise(SIGQUIT);
    });
    EXPECT_EQ(caught.load(), 1);
    ::raise(SIGQUIT);
    EXPECT_EQ(caught.load(), 2);
    ::signal(SIGQUIT, SIG_DFL);
}

TEST_P(Quit, TheDefaultIsBackWhenTheRuntimeIsOver) {
    run([] { EXPECT_FALSE(by_default()); });
    EXPECT_TRUE(by_default());
    run([] { EXPECT_FALSE(by_default()) << "and again"; });
    EXPECT_TRUE(by_default());
}

TEST_P(Quit, IsLeftAloneWhenAskedFor) {
    const child_result child = run_child(
        [] {
            return run([] {
                if (!by_default()) return 3;
                ::raise(SIGQUIT);
                return 0;
            });
        },
        {.environment = {{"WEFT_DEBUG", "sigquit=0"}}});
    EXPECT_EQ(child.signal, SIGQUIT) << child.exit_status << child.err;
    EXPECT_EQ(child.err, "");
}

}  // namespace
}  // namespace weft::test
