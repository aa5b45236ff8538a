// What a program can get wrong about the runtime: std::logic_error, and words that help.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Misuse : public plain_runtime {
protected:
    // The text of the logic_error that `f` throws.
    static std::string complaint(const std::function<void()>& f) {
        try {
            f();
        } catch (const std::logic_error& e) {
            return e.what();
        }
        ADD_FAILURE() << "no std::logic_error";
        return {};
    }
    static bool mentions(const std::string& text, std::string_view part) {
        return text.find(part) != std::string::npos;
    }
};

TEST_F(Misuse, GoWithoutARuntimeSaysHowToStartOne) {
    const std::string text = complaint([] { go([] {}); });
    EXPECT_PRED2(mentions, text, "no runtime is up");
    EXPECT_PRED2(mentions, text, "weft::run");
}

TEST_F(Misuse, SpawnWithoutARuntimeIsALogicError) {
    EXPECT_PRED2(mentions, complaint([] { (void)spawn([] {}); }), "no runtime is up");
}

TEST_F(Misuse, ScopeGoWithoutARuntimeIsALogicErrorAndTheScopeIsFine) {
    scope s;
    EXPECT_PRED2(mentions, complaint([&] { s.go([] {}); }), "no runtime is up");
    s.join();
}

TEST_F(Misuse, RunInsideRunIsALogicError) {
    weft::run(
        [] { EXPECT_PRED2(mentions, complaint([] { weft::run([] {}); }), "inside a coroutine"); });
}

TEST_F(Misuse, RunInsideAnyCoroutineIsALogicError) {
    weft::run([] { spawn([] { EXPECT_NE(complaint([] { weft::run([] {}); }), ""); }).join(); });
}

TEST_F(Misuse, RuntimeInsideACoroutineIsALogicError) {
    weft::run([] { EXPECT_NE(complaint([] { const runtime second; }), ""); });
}

TEST_F(Misuse, ASecondRuntimeIsALogicErrorAndTheFirstGoesOn) {
    runtime first;
    EXPECT_PRED2(mentions, complaint([] { const runtime second; }), "a runtime is up");
    EXPECT_PRED2(mentions, complaint([] { weft::run([] {}); }), "a runtime is up");
    EXPECT_EQ(first.submit([] { return 4; }).get(), 4);
}

TEST_F(Misuse, SimulateWhileARuntimeIsUpIsALogicError) {
    const runtime first;
    EXPECT_NE(complaint([] { weft::testing::simulate(1, [] {}); }), "");
}

TEST_F(Misuse, SimulateInsideACoroutineIsALogicError) {
    weft::run([] { EXPECT_NE(complaint([] { weft::testing::simulate(1, [] {}); }), ""); });
}

TEST_F(Misuse, WithTimeoutOutsideOfCoroutinesIsALogicError) {
    EXPECT_NE(complaint([] { with_timeout(1s, [] {}); }), "");
}

TEST_F(Misuse, LogicErrorsLeaveNothingBehindThatKeepsTheNextRunFromStarting) {
    complaint([] { go([] {}); });
    weft::run([] { complaint([] { weft::run([] {}); }); });
    EXPECT_EQ(weft::run([] { return 2; }), 2);
}

class OptionsThatMakeNoSense : public Misuse {
protected:
    // Both ways to start complain and leave nothing; the message names the option.
    static void refused(const options& wrong, std::string_view name) {
        EXPECT_PRED2(mentions, complaint([&] { weft::run([] {}, wrong); }), name);
        EXPECT_PRED2(mentions, complaint([&] { const runtime r(wrong); }), name);
        EXPECT_EQ(weft::run([] { return 3; }), 3);
    }
};

TEST_F(OptionsThatMakeNoSense, TooManyProcessors) {
    refused({.processors = 100'000}, "processors");
}
TEST_F(OptionsThatMakeNoSense, ANegativeTimerSlack) {
    refused({.timer_slack = -1ns}, "timer_slack");
}
TEST_F(OptionsThatMakeNoSense, ATimerSlackAboveASecond) {
    refused({.timer_slack = 1s + 1ns}, "timer_slack");
}
TEST_F(OptionsThatMakeNoSense, NoTimeSlice) { refused({.preempt_after = 0ns}, "preempt_after"); }
TEST_F(OptionsThatMakeNoSense, ANegativeTimeSlice) {
    refused({.preempt_after = -5ms}, "preempt_after");
}
TEST_F(OptionsThatMakeNoSense, AnEndlessStack) {
    refused({.stack_size = std::size_t{1} << 62}, "stack_size");
}
TEST_F(OptionsThatMakeNoSense, AGcPercentBelowMinusOne) {
    refused({.gc_percent = -2}, "gc_percent");
}
TEST_F(OptionsThatMakeNoSense, ANegativeGrace) {
    refused({.shutdown_grace = -1s}, "shutdown_grace");
}
TEST_F(OptionsThatMakeNoSense, NoPlaceForBlockingCalls) {
    refused({.max_blocking = 0}, "max_blocking");
}

TEST_F(OptionsThatMakeNoSense, ASpawnedStackAboveMaxStack) {
    weft::run(
        [] {
            EXPECT_PRED2(mentions, complaint([] {
                             (void)spawn({.stack_size = std::size_t{8} << 20}, [] {});
                         }),
                         "max_stack");
        },
        {.max_stack = std::size_t{1} << 20});
}

TEST_F(OptionsThatMakeNoSense, ASpawnedStackAboveTheLargestThereIs) {
    weft::run(
        [] {
            for (const unsigned log2 : {35u, 36u, 46u, 63u}) {
                const spawn_options large{.stack_size = std::size_t{1} << log2};
                EXPECT_PRED2(mentions, complaint([&] { (void)spawn(large, [] {}); }), "stack_size");
                EXPECT_PRED2(mentions, complaint([&] { go(large, [] {}); }), "stack_size");
            }
            EXPECT_EQ(spawn([] { return 1; }).join(), 1);
        },
        {.max_stack = ~std::size_t{0}});
}

TEST_F(Misuse, OptionsAtTheirLimitsAreTaken) {
    options o;
    o.processors = 1;
    o.stack_size = 1;
    o.gc_percent = -1;
    o.max_blocking = 1;
    o.shutdown_grace = std::chrono::nanoseconds::max();
    o.preempt_after = std::chrono::nanoseconds::max();
    o.pin = true;
    EXPECT_EQ(weft::run([] { return spawn([] { return blocking([] { return 6; }); }).join(); }, o),
              6);
}

}  // namespace
}  // namespace weft::test
