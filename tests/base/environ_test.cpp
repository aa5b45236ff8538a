// WEFT_PROCS and its like, and the WEFT_DEBUG list: what is taken, and the one line for whatever is not.
#include "base/environ.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

namespace weft::detail {
namespace {

class Environ : public ::testing::Test {
protected:
    // Reads an environment of these variables, and keeps what is printed.
    environment read(std::initializer_list<const char*> variables) {
        std::vector<const char*> block(variables);
        block.push_back(nullptr);
        ::testing::internal::CaptureStderr();
        const environment result = read_environment(block.data());
        printed = ::testing::internal::GetCapturedStderr();
        return result;
    }
    [[nodiscard]] auto lines() const { return std::count(printed.begin(), printed.end(), '\n'); }

    std::string printed;
};

TEST_F(Environ, AnEmptyOneLeavesEveryDefault) {
    const environment e = read({"PATH=/bin", "HOME=/root"});
    EXPECT_EQ(e.processors, 0u);
    EXPECT_FALSE(e.has_gc_percent);
    EXPECT_EQ(e.memory_limit, 0u);
    EXPECT_EQ(e.schedtrace_ms, 0u);
    EXPECT_EQ(e.stall_ms, 0u);
    EXPECT_FALSE(e.guard_canary);
    EXPECT_TRUE(e.sigquit);
    EXPECT_FALSE(e.sigquit_always);
    EXPECT_FALSE(e.dump_full);
    EXPECT_TRUE(e.unclaimed);
    EXPECT_TRUE(e.crash);
    EXPECT_EQ(e.steal_seed, 0u);
    EXPECT_EQ(printed, "");
}

TEST_F(Environ, TakesWhatIsSaidOfReports) {
    EXPECT_TRUE(read({"WEFT_DEBUG=dump=full"}).dump_full);
    EXPECT_FALSE(read({"WEFT_DEBUG=dump=full,dump=grouped"}).dump_full);
    EXPECT_FALSE(read({"WEFT_DEBUG=unclaimed=0"}).unclaimed);
    EXPECT_TRUE(read({"WEFT_DEBUG=throwstack=1"}).throw_stack);
    EXPECT_FALSE(read({"WEFT_DEBUG=throwstack=1,throwstack=0"}).throw_stack);
    EXPECT_TRUE(read({"WEFT_DEBUG=sigquit=1"}).sigquit_always);
    EXPECT_FALSE(read({"WEFT_DEBUG=sigquit=0"}).sigquit);
    EXPECT_EQ(printed, "");
    EXPECT_FALSE(read({"WEFT_DEBUG=dump=all"}).dump_full);
    EXPECT_EQ(lines(), 1) << printed;
}

TEST_F(Environ, TakesATimerSlackInAnyUnit) {
    EXPECT_EQ(read({"WEFT_TIMER_SLACK=70us"}).timer_slack_ns, 70'000);
    EXPECT_EQ(read({"WEFT_TIMER_SLACK=1ms"}).timer_slack_ns, 1'000'000);
    EXPECT_EQ(read({"WEFT_TIMER_SLACK=1s"}).timer_slack_ns, 1'000'000'000);
    EXPECT_EQ(read({"WEFT_TIMER_SLACK=5ns"}).timer_slack_ns, 5);
    const environment none = read({"WEFT_TIMER_SLACK=0"});
    EXPECT_TRUE(none.has_timer_slack);
    EXPECT_EQ(none.timer_slack_ns, 0);
    EXPECT_EQ(printed, "");
}

TEST_F(Environ, ATimerSlackThatMakesNoSenseGivesOneLine) {
    for (const char* const bad :
         {"WEFT_TIMER_SLACK=", "WEFT_TIMER_SLACK=50", "WEFT_TIMER_SLACK=ms",
          "WEFT_TIMER_SLACK=-1ms", "WEFT_TIMER_SLACK=1001ms", "WEFT_TIMER_SLACK=2s",
          "WEFT_TIMER_SLACK=1 ms", "WEFT_TIMER_SLACK=99999999999999999999ns"}) {
        EXPECT_FALSE(read({bad}).has_timer_slack) << bad;
        EXPECT_EQ(lines(), 1) << printed;
        EXPECT_NE(printed.find(bad), std::string::npos) << printed;
    }
}

TEST_F(Environ, TakesEveryVariable) {
    const environment e = read({"WEFT_PROCS=12", "WEFT_GC_PERCENT=-1", "WEFT_MEMORY_LIMIT=2G"});
    EXPECT_EQ(e.processors, 12u);
    EXPECT_TRUE(e.has_gc_percent);
    EXPECT_EQ(e.gc_percent, -1);
    EXPECT_EQ(e.memory_limit, std::uint64_t{2} << 30);
    EXPECT_EQ(printed, "");
}

TEST_F(Environ, TakesEveryKeyOfTheDebugList) {
    const environment e =
        read({"WEFT_DEBUG=schedtrace=1000,stall=50ms,guard=canary,stealseed=7,sigquit=0,crash=0"});
    EXPECT_FALSE(e.sigquit);
    EXPECT_FALSE(e.crash);
    EXPECT_EQ(e.schedtrace_ms, 1000u);
    EXPECT_EQ(e.stall_ms, 50u);
    EXPECT_TRUE(e.guard_canary);
    EXPECT_EQ(e.steal_seed, 7u);
    EXPECT_EQ(printed, "");
}

TEST_F(Environ, MemoryComesInBytesOrWithAUnit) {
    EXPECT_EQ(read({"WEFT_MEMORY_LIMIT=1000"}).memory_limit, 1000u);
    EXPECT_EQ(read({"WEFT_MEMORY_LIMIT=3K"}).memory_limit, 3u << 10);
    EXPECT_EQ(read({"WEFT_MEMORY_LIMIT=5M"}).memory_limit, 5u << 20);
}

TEST_F(Environ, GapsInTheListAreNothing) {
    EXPECT_EQ(read({"WEFT_DEBUG=,,stealseed=3,"}).steal_seed, 3u);
    EXPECT_EQ(printed, "");
    static_cast<void>(read({"WEFT_DEBUG="}));
    EXPECT_EQ(printed, "");
}

TEST_F(Environ, TheLastOfTwoWins) {
    EXPECT_EQ(read({"WEFT_DEBUG=stealseed=1,stealseed=2"}).steal_seed, 2u);
}

TEST_F(Environ, AnUnknownVariableGetsOneLineThatNamesIt) {
    static_cast<void>(read({"WEFT_PROCESSORS=4"}));
    EXPECT_EQ(printed, "weft: unknown environment variable WEFT_PROCESSORS ignored\n");
}

TEST_F(Environ, AnUnknownKeyGetsOneLineThatNamesIt) {
    const environment e = read({"WEFT_DEBUG=shedtrace=5,stealseed=9"});
    EXPECT_EQ(printed, "weft: unknown WEFT_DEBUG key shedtrace ignored\n");
    EXPECT_EQ(e.steal_seed, 9u) << "the rest is read all the same";
}

TEST_F(Environ, ABadValueGetsOneLineThatNamesKeyAndValueAndTheDefaultStays) {
    struct {
        const char* variable;
        const char* key;
    } const cases[] = {
        {"WEFT_PROCS=0", "WEFT_PROCS=0"},
        {"WEFT_PROCS=1025", "WEFT_PROCS=1025"},
        {"WEFT_PROCS=four", "WEFT_PROCS=four"},
        {"WEFT_PROCS=4x", "WEFT_PROCS=4x"},
        {"WEFT_PROCS=", "WEFT_PROCS="},
        {"WEFT_PROCS=-1", "WEFT_PROCS=-1"},
        {"WEFT_PROCS=99999999999999999999", "WEFT_PROCS=9"},
        {"WEFT_GC_PERCENT=-2", "WEFT_GC_PERCENT=-2"},
        {"WEFT_MEMORY_LIMIT=K", "WEFT_MEMORY_LIMIT=K"},
        {"WEFT_MEMORY_LIMIT=99999999999999G", "WEFT_MEMORY_LIMIT=9"},
        {"WEFT_DEBUG=schedtrace", "schedtrace="},
        {"WEFT_DEBUG=schedtrace=0", "schedtrace=0"},
        {"WEFT_DEBUG=stall=5s", "stall=5s"},
        {"WEFT_DEBUG=guard=none", "guard=none"},
        {"WEFT_DEBUG=sigquit=no", "sigquit=no"},
        {"WEFT_DEBUG=crash=2", "crash=2"},
        {"WEFT_DEBUG=stealseed=", "stealseed="},
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(one.variable);
        const environment e = read({one.variable});
        EXPECT_EQ(lines(), 1) << printed;
        EXPECT_NE(printed.find(std::string("weft: ") + one.key), std::string::npos) << printed;
        EXPECT_NE(printed.find("ignored: expected "), std::string::npos) << printed;
        EXPECT_EQ(e.processors, 0u);
        EXPECT_FALSE(e.has_gc_percent);
        EXPECT_EQ(e.memory_limit, 0u);
        EXPECT_EQ(e.schedtrace_ms, 0u);
        EXPECT_EQ(e.stall_ms, 0u);
        EXPECT_FALSE(e.guard_canary);
    }
}

TEST_F(Environ, EveryFaultGetsALineOfItsOwn) {
    static_cast<void>(read({"WEFT_PROCS=x", "WEFT_NO=1", "WEFT_DEBUG=a=1,stall=0"}));
    EXPECT_EQ(lines(), 4) << printed;
}

TEST_F(Environ, WhatBelongsToTheTestsIsLeftAlone) {
    static_cast<void>(read({"WEFT_STRESS_SEED=1", "WEFT_STRESS_SCALE=2", "WEFTY=3"}));
    EXPECT_EQ(printed, "");
}

}  // namespace
}  // namespace weft::detail
