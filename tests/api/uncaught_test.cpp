// An exception that nobody will see ends the process, and the report says whose it was.
#include "support/child.hpp"
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <exception>
#include <stdexcept>
#include <string>

#include <signal.h>
#include <unistd.h>

namespace weft::test {
namespace {

class Uncaught : public with_runtime {
protected:
    // The child died by std::terminate, and one line names coroutine, place and exception.
    static void reported(const child_result& child, const std::string& name,
                         const std::string& what, int first, int last) {
        EXPECT_EQ(child.signal, SIGABRT) << child.err;
        const auto lines = child.lines_with("uncaught exception");
        ASSERT_EQ(lines.size(), 1u) << child.err;
        for (const std::string& part : {"'" + name + "'", what}) {
            EXPECT_NE(lines[0].find(part), std::string::npos) << part << " in: " << lines[0];
        }
        EXPECT_TRUE((line_range{"uncaught_test.cpp", first, last}.named_in(lines[0]))) << lines[0];
    }
};
WEFT_TEST_PROCESSORS(Uncaught);

TEST_P(Uncaught, InADetachedCoroutineNamesItAndWhereItWasCreated) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] {
        return run([] {
            go({.name = "thrower"}, [] { throw std::domain_error("nobody is there"); });
            wait_for_cancel();
        });
    });
    reported(child, "thrower", "std::domain_error: nobody is there", first, __LINE__);
}

TEST_P(Uncaught, ByANameItGaveItself) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] {
        return run([] {
            go([] {
                set_name("renamed");
                throw std::domain_error("x");
            });
            wait_for_cancel();
        });
    });
    reported(child, "renamed", "std::domain_error: x", first, __LINE__);
}

TEST_P(Uncaught, ThatIsNoStdExceptionIsNamedByItsType) {
    constexpr int first = __LINE__;
    struct odd {};
    const child_result child = run_child([] {
        return run([] {
            go({.name = "odd"}, [] { throw odd(); });
            wait_for_cancel();
        });
    });
    reported(child, "odd", "odd", first, __LINE__);
}

TEST_P(Uncaught, InAnEndedCoroutineWhoseHandleIsDestroyed) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] {
        return run([] {
            const auto handle =
                spawn({.name = "unjoined"}, [] { throw std::domain_error("unseen"); });
        });
    });
    reported(child, "unjoined", "std::domain_error: unseen", first, __LINE__);
}

TEST_P(Uncaught, BehindADetach) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] {
        return run([] {
            std::atomic<bool> go_on{false};
            auto handle = spawn({.name = "detached"}, [&] {
                wait_until([&] { return go_on.load(); });
                throw std::domain_error("late");
            });
            handle.detach();
            go_on = true;
            wait_for_cancel();
        });
    });
    reported(child, "detached", "std::domain_error: late", first, __LINE__);
}

TEST_P(Uncaught, BeforeADetach) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] {
        return run([] {
            const std::uint64_t before = stats().coroutines;
            auto handle = spawn({.name = "ended"}, [] { throw std::domain_error("early"); });
            wait_until([&] { return stats().coroutines == before; });
            handle.detach();
        });
    });
    reported(child, "ended", "std::domain_error: early", first, __LINE__);
}

TEST_P(Uncaught, UnderARuntimeToo) {
    constexpr int first = __LINE__;
    const child_result child = run_child([]() -> int {
        const runtime up(with_processors());
        go({.name = "foreign"}, [] { throw std::domain_error("y"); });
        for (;;) ::pause();
    });
    reported(child, "foreign", "std::domain_error: y", first, __LINE__);
}

TEST_P(Uncaught, GoesThroughTheTerminateHandlerOfTheProgram) {
    const child_result child = run_child([] {
        std::set_terminate([] {
            try {
                throw;
            } catch (const std::domain_error&) {
                ::_exit(77);
            } catch (...) {}
            ::_exit(78);
        });
        return run([] {
            go([] { throw std::domain_error("z"); });
            wait_for_cancel();
        });
    });
    EXPECT_EQ(child.exit_status, 77) << child.err;
}

TEST_P(Uncaught, CancelledIsNoException) {
    run([] {
        std::atomic<int> destroyed{0};
        go([mine = tells_destroyed(destroyed)] { throw cancelled(); });
        wait_until([&] { return destroyed == 1; });
    });
}

}  // namespace
}  // namespace weft::test
