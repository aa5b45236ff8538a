// Exceptions that ended a coroutine and that nobody takes: in dumps at once, on stderr after a second. The second is that of
// a simulation's clock.
#include "support/child.hpp"
#include "support/dump.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <chrono>
#include <functional>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

join_handle<void> fails(const std::string& why) {
    return spawn({.name = "worker"}, [why] { throw std::runtime_error(why); });
}

void take(join_handle<void>& h) {
    try {
        h.join();
    } catch (...) {}
}

// What a simulation writes to stderr.
child_result simulated(const std::function<void()>& body, const child_options& how = {}) {
    child_result child = run_child(
        [&] {
            testing::simulate(1, body);
            return 0;
        },
        how);
    EXPECT_EQ(child.exit_status, 0) << child.err;
    return child;
}

using Unclaimed = plain_runtime;

TEST_F(Unclaimed, IsSaidOnceAfterASecond) {
    const child_result child = simulated([] {
        auto h = fails("disk full");
        sleep_for(10s);
        take(h);
    });
    const auto lines = child.lines_with("weft:");
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_TRUE(lines[0].starts_with("weft: coroutine 2 'worker' ended by std::runtime_error: disk "
                                     "full, not joined yet; created at "))
        << lines[0];
    EXPECT_NE(lines[0].find("unclaimed_test.cpp:"), std::string::npos) << lines[0];
}

TEST_F(Unclaimed, OfAnotherTypeNamesTheType) {
    const child_result child = simulated([] {
        auto h = spawn([] { throw 7; });
        sleep_for(2s);
        take(h);
    });
    EXPECT_EQ(child.lines_with("coroutine 2 ended by int, not joined yet").size(), 1u) << child.err;
}

TEST_F(Unclaimed, EachIsSaidAtItsOwnTime) {
    const child_result child = simulated([] {
        auto first = fails("first");
        sleep_for(500ms);
        auto second = fails("second");
        auto third = fails("third");
        sleep_for(600ms);
        weft::report::dump(std::cerr);
        take(third);
        sleep_for(10s);
        auto fourth = fails("fourth");
        sleep_for(2s);
        take(first);
        take(second);
        take(fourth);
    });
    const auto said = [&](const char* what) { return child.lines_with(what).size(); };
    // In the dump, and each by itself.
    EXPECT_EQ(said("first, not joined"), 2u) << child.err;
    EXPECT_EQ(said("second, not joined"), 2u) << child.err;
    EXPECT_EQ(said("third, not joined"), 1u) << child.err;
    EXPECT_EQ(said("fourth, not joined"), 1u) << child.err;
}

TEST_F(Unclaimed, AreSaidUpToAHundred) {
    const child_result child = simulated([] {
        std::vector<join_handle<void>> all;
        for (int i = 0; i != 150; ++i) all.push_back(fails("again"));
        sleep_for(2s);
        for (auto& h : all) take(h);
    });
    EXPECT_EQ(child.lines_with("again, not joined").size(), 100u);
}

TEST_F(Unclaimed, IsNotSaidWhenItIsTakenInTime) {
    const child_result child = simulated([] {
        auto h = fails("taken");
        sleep_for(900ms);
        take(h);
        sleep_for(5s);
    });
    EXPECT_EQ(child.err, "");
}

TEST_F(Unclaimed, IsNotSaidWhileSomebodyJoins) {
    const child_result child = simulated([] {
        auto h = spawn([] {
            sleep_for(3s);
            throw std::runtime_error("late");
        });
        take(h);
        sleep_for(5s);
    });
    EXPECT_EQ(child.err, "");
}

TEST_F(Unclaimed, IsNotSaidOfWhatAScopeTakes) {
    const child_result child = simulated([] {
        scope s;
        s.go([] { throw std::runtime_error("of the scope"); });
        try {
            sleep_for(5s);
            s.join();
        } catch (const std::runtime_error&) {}
    });
    EXPECT_EQ(child.err, "");
}

TEST_F(Unclaimed, IsNotSaidOfCancellationsAndValues) {
    const child_result child = simulated([] {
        auto cancelled_one = spawn([] { sleep_for(1h); });
        auto value = spawn([] { return 3; });
        yield();
        cancelled_one.request_stop();
        sleep_for(5s);
        take(cancelled_one);
        EXPECT_EQ(value.join(), 3);
    });
    EXPECT_EQ(child.err, "");
}

TEST_F(Unclaimed, IsNotSaidWhenTheProgramDoesNotWantIt) {
    const child_result child = simulated(
        [] {
            auto h = fails("hushed");
            sleep_for(5s);
            take(h);
        },
        {.environment = {{"WEFT_DEBUG", "unclaimed=0"}}});
    EXPECT_EQ(child.err, "");
}

// Its timer must not keep a deadlock from being found.
TEST_F(Unclaimed, LeavesNothingBehindOnceItIsTaken) {
    const child_result child = simulated([] {
        const auto begun = clock::now();
        for (int i = 0; i != 10; ++i) {
            auto h = fails("taken");
            take(h);
        }
        chan<int> never;
        try {
            (void)never.recv();
        } catch (const deadlock&) {
            EXPECT_EQ(clock::now(), begun);
        }
    });
    EXPECT_EQ(child.err, "");
}

class UnclaimedInReports : public with_runtime {};
WEFT_TEST_PROCESSORS(UnclaimedInReports);

TEST_P(UnclaimedInReports, IsInADumpAtOnce) {
    run([] {
        auto h = fails("disk full");
        for (;;) {
            std::ostringstream out;
            report::dump(out);
            const dump_blocks d(out.str());
            if (!d.others().empty()) {
                EXPECT_EQ(d.others().size(), 1u) << d.text();
                EXPECT_NE(d.others()[0].find("'worker' ended by std::runtime_error: disk full, not "
                                             "joined yet"),
                          std::string::npos)
                    << d.text();
                break;
            }
            yield();
        }
        take(h);
        std::ostringstream out;
        report::dump(out);
        EXPECT_TRUE(dump_blocks(out.str()).others().empty()) << out.str();
    });
}

TEST_P(UnclaimedInReports, IsInTheReportOfADeadlock) {
    const child_result child = run_child([] {
        return run([] {
            chan<int> results;
            auto h = fails("disk full");
            (void)results.recv();
        });
    });
    EXPECT_EQ(child.exit_status, 2) << child.err;
    const std::size_t report = child.err.find("weft: deadlock:");
    ASSERT_NE(report, std::string::npos) << child.err;
    EXPECT_NE(child.err.find("'worker' ended by std::runtime_error: disk full, not joined", report),
              std::string::npos)
        << child.err;
}

TEST_P(UnclaimedInReports, AHandleMayOutliveItsRuntime) {
    join_handle<void> kept;
    run([&] { kept = fails("kept"); });
    run([] { sleep_for(1ms); });
    EXPECT_THROW(kept.join(), std::runtime_error);
}

}  // namespace
}  // namespace weft::test
