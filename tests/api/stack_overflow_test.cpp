// Recursion without end: a report with a name, and never a bare SIGSEGV.
#include "support/build.hpp"
#include "support/child.hpp"
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <signal.h>

namespace weft::test {
namespace {

[[gnu::noinline]] int recurse(int depth) {
    volatile char frame[512];
    frame[0] = static_cast<char>(depth);
    const int below = depth == 0 ? 0 : recurse(depth - 1);
    return below + frame[0];
}

[[gnu::noinline]] void fill(volatile char* bytes, std::size_t count) {
    for (std::size_t i = 0; i != count; ++i) bytes[i] = 1;
}

constexpr int without_end = 1 << 30;

// A reserved stack ends where options.stack_size says, a split one where options.max_stack does.
constexpr std::size_t usual = std::size_t{256} * 1024;

class StackOverflow : public with_runtime {
protected:
    static void reported(const child_result& child, const std::string& name,
                         const std::string& limit, int first, int last) {
        EXPECT_EQ(child.signal, SIGABRT) << child.err;
        const auto lines = child.lines_with("stack overflow in coroutine ");
        ASSERT_EQ(lines.size(), 1u) << child.err;
        const std::string rest = " '" + name + "' (limit " + limit + "), created at ";
        EXPECT_NE(lines[0].find(rest), std::string::npos) << rest << " in: " << lines[0];
        EXPECT_TRUE((line_range{"stack_overflow_test.cpp", first, last}.named_in(lines[0])))
            << lines[0];
    }
};
WEFT_TEST_PROCESSORS(StackOverflow);

TEST_P(StackOverflow, IsReportedWithNameLimitAndCreationSite) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] {
        return run([] { spawn({.name = "parser"}, [] { recurse(without_end); }).join(); },
                   {.max_stack = usual});
    });
    reported(child, "parser", "256 KiB", first, __LINE__);
}

TEST_P(StackOverflow, KnowsTheLimitOfTheCoroutine) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] {
        return run(
            [] {
                spawn({.name = "large", .stack_size = std::size_t{1} << 20}, [] {
                    recurse(without_end);
                }).join();
            },
            {.max_stack = std::size_t{1} << 20});
    });
    reported(child, "large", "1 MiB", first, __LINE__);
}

TEST_P(StackOverflow, OfMainIsReportedToo) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] { return run([] { recurse(without_end); }); });
    reported(child, "main", "8 MiB", first, __LINE__);
}

TEST_P(StackOverflow, UnderARuntimeIsReportedToo) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] {
        runtime up(with_processors({.max_stack = usual}));
        spawn({.name = "submitted"}, [] { recurse(without_end); }).join();
        return 0;
    });
    reported(child, "submitted", "256 KiB", first, __LINE__);
}

TEST_P(StackOverflow, BehindAMigrationIsReportedToo) {
    constexpr int first = __LINE__;
    const child_result child = run_child([] {
        return run(
            [] {
                scope s;
                for (int i = 0; i != 20; ++i) {
                    s.go([] {
                        for (int k = 0; k != 20; ++k) yield();
                    });
                }
                s.go({.name = "mover"}, [] {
                    for (int k = 0; k != 20; ++k) yield();
                    recurse(without_end);
                });
                s.join();
            },
            {.max_stack = usual});
    });
    reported(child, "mover", "256 KiB", first, __LINE__);
}

TEST_P(StackOverflow, OnABorrowedStackIsReported) {
    const child_result child = run_child([] {
        return run(
            [] {
                spawn({.name = "borrower"}, [] {
                    on_big_stack([] { recurse(without_end); });
                }).join();
            },
            {.max_stack = usual});
    });
    EXPECT_EQ(child.signal, SIGABRT) << child.err;
    EXPECT_EQ(child.lines_with("stack overflow in coroutine ").size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with("'borrower'").size(), 1u) << child.err;
}

TEST_P(StackOverflow, WithoutAGuardInTheKernelIsStillReported) {
    if (split_stacks) GTEST_SKIP() << "a split stack looks before it grows";
    constexpr int first = __LINE__;
    const child_result child = run_child(
        [] {
            return run([] {
                // One that waits, so that what lies below the stack of the next is a stack as well.
                std::atomic<bool> waits{false};
                go([&] {
                    waits = true;
                    wait_for_cancel();
                });
                wait_until([&] { return waits.load(); });
                spawn({.name = "parser"}, [] {
                    // Down to the lowest word of the stack, which starts at a multiple of its size.
                    char here = 0;
                    const auto top = reinterpret_cast<std::uintptr_t>(&here);
                    constexpr std::uintptr_t size = std::uintptr_t{256} * 1024;
                    const std::size_t depth = (top & (size - 1)) + 64;
                    fill(static_cast<volatile char*>(__builtin_alloca(depth)), depth);
                }).join();
            });
        },
        {.environment = {{"WEFT_DEBUG", "guard=canary"}}});
    reported(child, "parser", "256 KiB", first, __LINE__);
}

TEST_P(StackOverflow, AFaultElsewhereIsNotOurs) {
    const child_result child = run_child([] {
        return run([] {
            spawn([] {
                volatile int* volatile nowhere = nullptr;
                *nowhere = 1;
            }).join();
        });
    });
    if (!address_sanitizer && !thread_sanitizer) {
        EXPECT_EQ(child.signal, SIGSEGV) << child.err;
    }
    EXPECT_EQ(child.lines_with("stack overflow").size(), 0u) << child.err;
}

TEST_P(StackOverflow, RecursionThatFitsIsFine) {
    run([] { spawn([] { recurse(address_sanitizer || thread_sanitizer ? 50 : 300); }).join(); });
}

}  // namespace
}  // namespace weft::test
