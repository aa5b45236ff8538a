// weft_dump(), which debuggers call.
#include "report/debug_layout.hpp"

#include "support/child.hpp"
#include "support/runtime_fixture.hpp"

#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"

#include <weft/weft.hpp>

#include <chrono>
#include <mutex>
#include <stdexcept>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class WeftDump : public with_runtime {};
WEFT_TEST_PROCESSORS(WeftDump);

TEST_P(WeftDump, HasALineForEach) {
    const child_result child = run_child([] {
        return run([] {
            chan<int> c;
            auto receives = spawn({.name = "receives"}, [&] { (void)c.recv(); });
            auto fails = spawn({.name = "fails"}, [] { throw std::runtime_error("no disk"); });
            sleep_for(20ms);
            weft_dump();
            c.close();
            receives.join();
            try {
                fails.join();
            } catch (const std::runtime_error&) {}
            return 0;
        });
    });
    EXPECT_EQ(child.exit_status, 0) << child.err;
    EXPECT_EQ(child.lines_with("coroutine 1 'main' [running], created at ").size(), 1u)
        << child.err;
    EXPECT_EQ(child.lines_with("'receives' [chan receive 0x").size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with("'fails' ended by St13runtime_error: no disk").size(), 1u)
        << child.err;
    EXPECT_EQ(child.lines_with("2 coroutines").size(), 1u) << child.err;
}

// A thread that is stopped may hold whatever it likes.
TEST_P(WeftDump, TakesNoLock) {
    const child_result child = run_child([] {
        return run([] {
            detail::coroutine_extras* const extras = detail::peek_extras(*detail::this_coroutine());
            const std::scoped_lock hold(extras->lock);
            weft_dump();
            return 0;
        });
    });
    EXPECT_EQ(child.exit_status, 0) << child.err;
    EXPECT_EQ(child.lines_with("coroutine 1 'main' [running]").size(), 1u) << child.err;
}

TEST(WeftDumpOutside, SaysThatThereAreNone) {
    const child_result child = run_child([] {
        weft_dump();
        return 0;
    });
    EXPECT_EQ(child.err, "0 coroutines\n");
}

}  // namespace
}  // namespace weft::test
