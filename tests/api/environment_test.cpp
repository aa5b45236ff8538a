// What the environment says, and what is said of it.
#include "support/child.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <string>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Environment : public plain_runtime {
protected:
    // Runs a runtime under `variables`; its exit status is the number of processors.
    static child_result with(std::vector<std::pair<std::string, std::string>> variables,
                             const options& o = {}) {
        return run_child(
            [&] { return weft::run([] { return static_cast<int>(processors()); }, o); },
            {.environment = std::move(variables)});
    }
    // One line, which holds all of `parts`.
    static void says_once(const child_result& child, const std::vector<std::string>& parts) {
        EXPECT_EQ(child.lines_with("").size(), 1u) << child.err;
        for (const std::string& part : parts) {
            EXPECT_EQ(child.lines_with(part).size(), 1u) << part << " in: " << child.err;
        }
    }
};

TEST_F(Environment, ProcsSetsTheNumberOfProcessors) {
    const child_result child = with({{"WEFT_PROCS", "5"}});
    EXPECT_EQ(child.exit_status, 5);
    EXPECT_EQ(child.err, "");
}

TEST_F(Environment, OptionsComeBeforeProcs) {
    EXPECT_EQ(with({{"WEFT_PROCS", "5"}}, {.processors = 3}).exit_status, 3);
}

TEST_F(Environment, WithoutProcsThereIsAtLeastOneProcessor) { EXPECT_GE(with({}).exit_status, 1); }

TEST_F(Environment, BadProcsGiveOneLineThatNamesKeyAndValue) {
    for (const char* const bad :
         {"", "0", "-1", "many", "4x", "4.5", " 4", "999999999999999999999"}) {
        const child_result child = with({{"WEFT_PROCS", bad}});
        says_once(child, {"WEFT_PROCS", bad});
        EXPECT_EQ(child.exit_status, with({}).exit_status) << "the default holds, for " << bad;
    }
}

TEST_F(Environment, AnUnknownVariableGivesOneLineThatNamesIt) {
    const child_result child = with({{"WEFT_PROCESSORS", "4"}});
    says_once(child, {"WEFT_PROCESSORS", "unknown"});
}

TEST_F(Environment, StressVariablesAreNotComplainedOf) {
    EXPECT_EQ(with({{"WEFT_STRESS_SEED", "1"}, {"WEFT_STRESS_SCALE", "x"}}).err, "");
}

TEST_F(Environment, VariablesOfOthersAreNotComplainedOf) {
    EXPECT_EQ(with({{"WEFTY", "1"}, {"XWEFT_PROCS", "1"}, {"weft_procs", "x"}}).err, "");
}

TEST_F(Environment, CollectorVariablesAreTakenAndChecked) {
    EXPECT_EQ(with({{"WEFT_GC_PERCENT", "-1"}, {"WEFT_MEMORY_LIMIT", "512M"}}).err, "");
    says_once(with({{"WEFT_GC_PERCENT", "half"}}), {"WEFT_GC_PERCENT", "half"});
    says_once(with({{"WEFT_MEMORY_LIMIT", "12Q"}}), {"WEFT_MEMORY_LIMIT", "12Q"});
}

TEST_F(Environment, ATimerSlackIsTakenAndChecked) {
    EXPECT_EQ(with({{"WEFT_TIMER_SLACK", "1ms"}}).err, "");
    says_once(with({{"WEFT_TIMER_SLACK", "1"}}), {"WEFT_TIMER_SLACK", "1"});
    says_once(with({{"WEFT_TIMER_SLACK", "2s"}}), {"WEFT_TIMER_SLACK", "2s", "up to 1s"});
}

TEST_F(Environment, AnUnknownDebugKeyGivesOneLineAndTheOthersHold) {
    const child_result child = with({{"WEFT_DEBUG", "nonsense=1,stealseed=3"}});
    says_once(child, {"WEFT_DEBUG", "nonsense"});
}

TEST_F(Environment, ABadDebugValueGivesOneLineThatNamesTheKey) {
    says_once(with({{"WEFT_DEBUG", "schedtrace=soon"}}), {"schedtrace", "soon"});
    says_once(with({{"WEFT_DEBUG", "guard=wall"}}), {"guard", "wall"});
}

TEST_F(Environment, SchedtraceWritesLinesOfKeysAndValues) {
    const child_result child =
        run_child([] { return weft::run([] { sleep_for(50ms); }, {.processors = 2}); },
                  {.environment = {{"WEFT_DEBUG", "schedtrace=5"}}});
    EXPECT_EQ(child.exit_status, 0);
    const auto lines = child.lines_with("weft schedtrace ");
    ASSERT_GE(lines.size(), 1u) << child.err;
    EXPECT_EQ(lines.size(), child.lines_with("").size()) << child.err;
    for (const std::string& line : lines) {
        for (const char* const key : {" ms=", " processors=2", " idle=", " threads=", " spinning=",
                                      " blocked=", " coroutines=", " runnable=", " global=",
                                      " spawned=", " switches=", " parks=", " steals="}) {
            EXPECT_NE(line.find(key), std::string::npos) << key << " in: " << line;
        }
    }
}

}  // namespace
}  // namespace weft::test
