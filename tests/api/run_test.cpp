// weft::run: what it takes, what it returns, where main runs.
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/runtime.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>

namespace weft::test {
namespace {

int forty_two() { return 42; }
void nothing() {}

class Run : public with_runtime {};
WEFT_TEST_PROCESSORS(Run);

TEST_P(Run, ReturnsWhatMainReturns) {
    EXPECT_EQ(run([] { return 7; }), 7);
}

TEST_P(Run, ReturnsZeroWhenMainReturnsNothing) {
    EXPECT_EQ(run([] {}), 0);
}

TEST_P(Run, TakesAFunction) {
    EXPECT_EQ(run(forty_two), 42);
    EXPECT_EQ(run(nothing), 0);
}

TEST_P(Run, TakesAFunctionPointer) {
    int (*const pointer)() = &forty_two;
    EXPECT_EQ(run(pointer), 42);
    EXPECT_EQ(run(&forty_two), 42);
}

TEST_P(Run, TakesAFunctionObjectByReference) {
    struct counter {
        int calls = 0;
        int operator()() { return ++calls; }
    } object;
    EXPECT_EQ(run(object), 1);
    EXPECT_EQ(run(object), 2);
    EXPECT_EQ(object.calls, 2);
}

TEST_P(Run, TakesAConstFunctionObject) {
    const auto object = [] { return 3; };
    EXPECT_EQ(run(object), 3);
}

TEST_P(Run, TakesAMoveOnlyFunctionObject) {
    EXPECT_EQ(run([value = std::make_unique<int>(5)] { return *value; }), 5);
}

TEST_P(Run, ConvertsTheValueOfMainToInt) {
    EXPECT_EQ(run([] { return short{9}; }), 9);
    EXPECT_EQ(run([] { return true; }), 1);
}

TEST_P(Run, LetsAnExceptionOfMainOut) {
    EXPECT_THROW(run([] { throw std::domain_error("from main"); }), std::domain_error);
}

TEST_P(Run, LetsSomethingOutThatIsNoStdException) {
    EXPECT_THROW(run([] { throw 17; }), int);
}

TEST_P(Run, WorksAgainAfterAnException) {
    EXPECT_THROW(run([] { throw std::domain_error("from main"); }), std::domain_error);
    EXPECT_EQ(run([] { return 1; }), 1);
}

TEST_P(Run, RunsMainOnTheCallingThreadUntilItsFirstPark) {
    const std::thread::id caller = this_thread();
    run([&] { EXPECT_EQ(this_thread(), caller); });
}

TEST_P(Run, StaysOnTheCallingThreadForEverUnderAThreadLock) {
    const std::thread::id caller = this_thread();
    run([&] {
        const thread_lock stay;
        for (int i = 0; i != 100; ++i) {
            yield();
            spawn([] {}).join();
            ASSERT_EQ(this_thread(), caller);
        }
    });
}

TEST_P(Run, RunsTheOthersElsewhereWhileMainHoldsAThreadLock) {
    const std::thread::id caller = this_thread();
    run([&] {
        const thread_lock stay;
        std::vector<join_handle<std::thread::id>> others;
        for (int i = 0; i != 50; ++i) {
            others.push_back(spawn([] {
                yield();
                return this_thread();
            }));
        }
        for (auto& other : others) EXPECT_NE(other.join(), caller);
    });
}

// A main loop as a toolkit has it: it owns the thread, never parks for long, and coroutines feed it.
TEST_P(Run, WorksInsideAMainLoopThatOwnsItsThread) {
    const std::thread::id caller = this_thread();
    std::atomic<int> events{0};
    run([&] {
        const thread_lock stay;
        scope work;
        for (int i = 0; i != 20; ++i) {
            work.go([&] {
                for (int k = 0; k != 10; ++k) {
                    yield();
                    ++events;
                }
            });
        }
        while (events != 200) {
            ASSERT_EQ(this_thread(), caller);
            std::this_thread::yield();  // The toolkit's poll(), with a timeout.
            yield();
        }
        work.join();
    });
    EXPECT_EQ(events, 200);
}

TEST_P(Run, MayBeCalledFromAnyThread) {
    int value = 0;
    std::thread([&] { value = run([] { return spawn([] { return 11; }).join(); }); }).join();
    EXPECT_EQ(value, 11);
}

// The CPU of the one that the calling thread is bound to; -1 when it is bound to several.
int only_cpu() {
    cpu_set_t mine;
    EXPECT_EQ(::sched_getaffinity(0, sizeof(mine), &mine), 0);
    if (CPU_COUNT(&mine) != 1) return -1;
    unsigned cpu = 0;
    while (!CPU_ISSET(cpu, &mine)) ++cpu;
    return static_cast<int>(cpu);
}

TEST_P(Run, PinsEachThreadToTheCpuOfItsProcessorAndLeavesTheCallersMaskAlone) {
    cpu_set_t before;
    ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
    run(
        [&] {
            const int here = only_cpu();
            ASSERT_GE(here, 0);
            EXPECT_TRUE(CPU_ISSET(static_cast<unsigned>(here), &before));
            if (processors() != 2 || CPU_COUNT(&before) < 2) return;
            // Both at once, so on both processors.
            std::atomic<int> running{0};
            std::array<std::atomic<int>, 2> cpus{};
            scope both;
            for (auto& cpu : cpus) {
                both.go([&] {
                    for (++running; running != 2;) std::this_thread::yield();
                    cpu = only_cpu();
                });
            }
            both.join();
            EXPECT_NE(cpus[0], cpus[1]);
        },
        {.pin = true});
    cpu_set_t after;
    ASSERT_EQ(::sched_getaffinity(0, sizeof(after), &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST_P(Run, NamesItsMain) {
    run([] { EXPECT_TRUE(get_id()); });
}

TEST_P(Run, HasTheProcessorsItWasAskedFor) {
    EXPECT_EQ(processors(), 0u);
    run([] { EXPECT_EQ(processors(), GetParam()); });
    EXPECT_EQ(processors(), 0u);
}

TEST_P(Run, GivesMainAStackOfMegabytes) {
    run([] {
        volatile char frame[std::size_t{4} << 20];
        frame[0] = 1;
        frame[sizeof(frame) - 1] = 2;
        EXPECT_EQ(frame[0] + frame[sizeof(frame) - 1], 3);
    });
}

TEST_P(Run, KeepsErrnoOfMain) {
    run([] {
        set_errno(5);
        yield();
        EXPECT_EQ(errno_now(), 5);
    });
}

TEST_P(Run, CanBeCalledInsideACatchBlock) {
    try {
        throw std::runtime_error("outside");
    } catch (const std::exception& e) {
        run([] {
            try {
                throw std::domain_error("inside");
            } catch (const std::domain_error& inner) {
                yield();
                EXPECT_STREQ(inner.what(), "inside");
            }
        });
        EXPECT_STREQ(e.what(), "outside");
        EXPECT_NE(std::current_exception(), nullptr);
    }
}

}  // namespace
}  // namespace weft::test
