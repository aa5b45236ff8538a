// However a program dies, one report says of what, who it was and where; and then it dies of the same.
#include "support/build.hpp"
#include "support/child.hpp"
#include "support/places.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <ostream>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <csetjmp>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t usual = std::size_t{256} * 1024;
// More than such a stack has, but no more than reaches its guard.
constexpr std::size_t too_much = split_stacks ? usual + 6'000 : usual - 6'000;
// Sanitizers have handlers of their own, which come after ours and end the process in their way; and below ours are theirs, so
// that the process is not copied to look for names.
constexpr bool sanitized = address_sanitizer || thread_sanitizer;

// ------------------------------------------------------------------------------- ways to die, each a function with a name

// Whether a name is in a report, it ought to be this one's: nothing is inlined, and no call is the last thing it does.
// And UndefinedBehaviourSanitizer does not end it first.
#if defined(__clang__)
#define WEFT_DIES [[gnu::noinline, clang::no_sanitize("undefined")]]
#else
#define WEFT_DIES [[gnu::noinline, gnu::noclone, gnu::no_sanitize("undefined")]]
#endif

WEFT_DIES void writes_to_null() {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
    asm volatile("");
}
WEFT_DIES void writes_wildly() {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): no pointer may have that value, on any CPU of today.
    volatile int* volatile nowhere = reinterpret_cast<int*>(std::uintptr_t{1} << 63);
    *nowhere = 1;
    asm volatile("");
}
WEFT_DIES void calls_null() {
    void (*volatile nothing)() = nullptr;
    nothing();
    asm volatile("");
}
WEFT_DIES void reads_a_cut_file() {
    std::FILE* const file = std::tmpfile();
    void* const mapped = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, ::fileno(file), 0);
    static_cast<void>(*static_cast<volatile char*>(mapped));
    asm volatile("");
}
WEFT_DIES void divides_by_zero() {
#if defined(__x86_64__)
    volatile int zero = 0;
    volatile int result = 1;
    result = result / zero;
#else
    ::raise(SIGFPE);
#endif
    asm volatile("");
}
WEFT_DIES void executes_nothing() {
#if defined(__x86_64__)
    asm volatile("ud2");
#else
    ::raise(SIGILL);
#endif
    asm volatile("");
}
WEFT_DIES void calls_abort() {
    std::abort();
    asm volatile("");
}
WEFT_DIES int recurses(int depth) {
    volatile char frame[512];
    frame[0] = static_cast<char>(depth);
    const int below = depth == 0 ? 0 : recurses(depth - 1);
    return below + frame[0];
}
WEFT_DIES void recurses_for_ever() {
    static_cast<void>(recurses(1 << 30));
    asm volatile("");
}
WEFT_DIES void has_a_large_frame() {
    volatile char frame[too_much];
    for (std::size_t i = 0; i != sizeof(frame); ++i) frame[i] = 1;
    asm volatile("");
}
WEFT_DIES void allocates_on_the_stack() {
    const volatile std::size_t size = too_much;
    auto* const bytes = static_cast<volatile char*>(__builtin_alloca(size));
    for (std::size_t i = 0; i != size; ++i) bytes[i] = 1;
    asm volatile("");
}
WEFT_DIES void calls_terminate() {
    std::terminate();
    asm volatile("");
}
WEFT_DIES void throws_a_domain_error() {
    throw std::domain_error("no such key");
    asm volatile("");
}
WEFT_DIES void lets_none_through() noexcept {
    throws_a_domain_error();
    asm volatile("");
}
WEFT_DIES void joins(join_handle<void>& from) {
    from.join();
    asm volatile("");
}
WEFT_DIES void joins_and_lets_none_through(join_handle<void>& from) noexcept {
    joins(from);
    asm volatile("");
}
// After a destructor has run, the compiler calls std::terminate as it calls anything, and no handler learns of the exception.
WEFT_DIES void lets_none_through_after_a_destructor() noexcept {
    struct on_the_way {
        ~on_the_way() { asm volatile(""); }
    };
    const on_the_way last;
    throws_a_domain_error();
    asm volatile("");
}
WEFT_DIES void sleeps_without_exception() noexcept {
    sleep_for(1h);
    asm volatile("");
}
void destroys_its_own_handle() {
    static join_handle<void> own;
    static std::atomic<bool> is_there{false};
    own = spawn({.name = "dies"}, [] {
        while (!is_there) yield();
        own = join_handle<void>();
    });
    is_there = true;
    sleep_for(1h);
}

struct way {
    const char* name;
    void (*die)();
    int signal;
    const char* headline;  // An expression; of the name of the coroutine and so on nothing.
    const char* function;  // Null: none that is the program's.

    friend void PrintTo(const way& one, std::ostream* out) { *out << one.name; }
};
const way null_write{"null", writes_to_null, SIGSEGV, "weft: SIGSEGV at 0x0 ", "writes_to_null()"};
const way aborts{"abort", calls_abort, SIGABRT, "weft: SIGABRT ", "calls_abort()"};
const way terminates{"terminate", calls_terminate, SIGABRT,
                     "weft: std::terminate .*, without an exception", "calls_terminate()"};
const way throws_out{"noexcept", lets_none_through, SIGABRT,
                     "weft: std::terminate .*: std::domain_error: no such key",
                     "lets_none_through()"};
const way ways[] = {
    null_write,
    {"wild", writes_wildly, SIGSEGV, "weft: SIGSEGV at an address that is none", "writes_wildly()"},
    {"call", calls_null, SIGSEGV, "weft: SIGSEGV at 0x0 ", "calls_null()"},
    {"bus", reads_a_cut_file, SIGBUS, "weft: SIGBUS at 0x[0-9a-f]+ ", "reads_a_cut_file()"},
    {"fpe", divides_by_zero, SIGFPE, "weft: SIGFPE ", "divides_by_zero()"},
    {"ill", executes_nothing, SIGILL, "weft: SIGILL ", "executes_nothing()"},
    aborts,
    {"recursion", recurses_for_ever, SIGABRT, "weft: stack overflow ", "recurses(int)"},
    {"frame", has_a_large_frame, SIGABRT, "weft: stack overflow ", "has_a_large_frame()"},
    {"alloca", allocates_on_the_stack, SIGABRT, "weft: stack overflow ",
     "allocates_on_the_stack()"},
    terminates,
    throws_out,
};

// ------------------------------------------------------------------------------------------------------- what is expected

// The reports there are: each has one line that begins so.
std::vector<std::string> headlines(const child_result& child) {
    static const std::regex first(
        "^weft: (SIG|std::terminate|stack overflow|uncaught exception)|: weft: check failed");
    std::vector<std::string> result;
    for (const std::string& line : child.lines_with("weft: ")) {
        if (std::regex_search(line, first)) result.push_back(line);
    }
    return result;
}

void expect_signal(const child_result& child, int signal) {
    if (sanitized) return;
    EXPECT_EQ(child.signal, signal) << child.exit_status << '\n' << child.err;
}

void expect_function(const child_result& child, const char* function) {
    if (sanitized || !WEFT_TEST_HAS_NAMES || function == nullptr) return;
    EXPECT_FALSE(child.lines_with(function).empty()) << function << " is not in:\n" << child.err;
}

void expect_report(const child_result& child, const way& how, const std::string& place) {
    const auto lines = headlines(child);
    ASSERT_EQ(lines.size(), 1u) << child.signal << ' ' << child.exit_status << '\n' << child.err;
    EXPECT_TRUE(std::regex_search(lines[0], std::regex(how.headline))) << how.headline << "\n"
                                                                       << lines[0];
    EXPECT_TRUE(std::regex_search(lines[0], std::regex(place))) << place << "\n" << lines[0];
    expect_function(child, how.function);
    expect_signal(child, how.signal);
}

void expect_created(const child_result& child, int first, int last) {
    const auto lines = headlines(child);
    ASSERT_EQ(lines.size(), 1u) << child.err;
    EXPECT_TRUE((line_range{"crash_test.cpp", first, last}.named_in(lines[0]))) << lines[0];
}

child_result dies_in_coroutine(void (*die)(), const child_options& options = {}) {
    return run_child(
        [&] { return run([&] { spawn({.name = "dies"}, die).join(); }, {.max_stack = usual}); },
        options);
}

// ---------------------------------------------------------------------------------------------------------------- the matrix

class CrashOf : public ::testing::TestWithParam<way> {};
INSTANTIATE_TEST_SUITE_P(Ways, CrashOf, ::testing::ValuesIn(ways),
                         [](const auto& of) { return std::string(of.param.name); });

TEST_P(CrashOf, ACoroutine) {
    const way& how = GetParam();
    constexpr int first = __LINE__;
    const child_result child = run_child([&] {
        return run([&] { spawn({.name = "dies"}, how.die).join(); }, {.max_stack = usual});
    });
    expect_report(child, how, "coroutine [0-9]+ 'dies'");
    expect_created(child, first, __LINE__);
}

// What a noexcept function ends is the same wherever it is, so a few ways have to do for all places.
const way ways_anywhere[] = {null_write, aborts, throws_out};

class CrashIn : public ::testing::TestWithParam<way> {};
INSTANTIATE_TEST_SUITE_P(Ways, CrashIn, ::testing::ValuesIn(ways_anywhere),
                         [](const auto& of) { return std::string(of.param.name); });

TEST_P(CrashIn, Main) {
    constexpr int first = __LINE__;
    const child_result child = run_child([&] { return run([&] { GetParam().die(); }); });
    expect_report(child, GetParam(), "in coroutine [0-9]+ 'main', created at ");
    expect_created(child, first, __LINE__);
}

TEST_P(CrashIn, ABlockingCall) {
    const child_result child = run_child([&] {
        return run(
            [&] { spawn({.name = "dies"}, [&] { blocking([&] { GetParam().die(); }); }).join(); });
    });
    expect_report(child, GetParam(), "in a blocking call of coroutine [0-9]+ 'dies', created at ");
}

TEST_P(CrashIn, ABlockingCallInPlace) {
    const child_result child = run_child([&] {
        return run([&] {
            spawn({.name = "dies"}, [&] {
                // Short calls are soon made in place.
                for (int i = 0; i != 100; ++i)
                    blocking([&] {
                        if (i == 99) GetParam().die();
                    });
            }).join();
        });
    });
    expect_report(child, GetParam(), "in a blocking call of coroutine [0-9]+ 'dies', created at ");
}

TEST_P(CrashIn, ATimersFunction) {
    constexpr int first = __LINE__;
    const child_result child = run_child([&] {
        return run([&] {
            const timer t(1ms, [&] { GetParam().die(); });
            sleep_for(1h);
        });
    });
    expect_report(child, GetParam(), "in coroutine [0-9]+, created at ");
    expect_created(child, first, __LINE__);
}

TEST_P(CrashIn, AForeignThread) {
    const child_result child = run_child([&] {
        return run([&] {
            std::thread t([&] { GetParam().die(); });
            blocking([&] { t.join(); });
        });
    });
    expect_report(child, GetParam(), "which is none of weft's");
}

TEST_P(CrashIn, TheMainThreadBesideARuntime) {
    const child_result child = run_child([&] {
        const runtime up;
        GetParam().die();
        return 0;
    });
    expect_report(child, GetParam(), "in the main thread, in no coroutine");
}

TEST_P(CrashIn, ASimulation) {
    const child_result child = run_child([&] {
        testing::simulate(1, [&] { spawn({.name = "dies"}, [&] { GetParam().die(); }).join(); });
        return 0;
    });
    expect_report(child, GetParam(), "in coroutine [0-9]+ 'dies', created at ");
}

TEST_P(CrashIn, NoRuntimeIsNotOurs) {
    for (const bool before : {true, false}) {
        const child_result child = run_child([&] {
            if (!before) run([] { spawn([] {}).join(); });
            GetParam().die();
            return run([] {});
        });
        EXPECT_TRUE(child.lines_with("weft: ").empty()) << child.err;
        expect_signal(child, GetParam().signal);
    }
}

// ------------------------------------------------------------------------------------------------------------- other ways

TEST(Crash, ByAFailedCheckHasTheCheckAndTheCoroutine) {
    const child_result child = dies_in_coroutine(destroys_its_own_handle);
    ASSERT_EQ(headlines(child).size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with(" 'dies', created at ").size(), 1u) << child.err;
    expect_signal(child, SIGABRT);
}

TEST(Crash, ByAnUncaughtExceptionHasOneReport) {
    const child_result child = run_child([] {
        return run([] {
            go({.name = "dies"}, throws_a_domain_error);
            sleep_for(1h);
        });
    });
    ASSERT_EQ(headlines(child).size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with(" 'dies', created at ").size(), 1u) << child.err;
    expect_signal(child, SIGABRT);
}

TEST(Crash, ByAnExceptionThatLeavesAForeignThread) {
    const child_result child = run_child([] {
        return run([] {
            std::thread t(throws_a_domain_error);
            blocking([&] { t.join(); });
        });
    });
    expect_report(child,
                  {"", nullptr, SIGABRT, "weft: std::terminate .*: std::domain_error: no such key",
                   "throws_a_domain_error()"},
                  "which is none of weft's");
}

TEST(Crash, ByAnExceptionThatComesToANoexceptFunctionAfterADestructor) {
    const child_result child = dies_in_coroutine(lets_none_through_after_a_destructor);
    expect_report(child,
                  {"", nullptr, SIGABRT,
                   "weft: std::terminate .*(: std::domain_error: no such key| while an exception "
                   "was on its way: it "
                   "came to a function that is noexcept, or a destructor called std::terminate)",
                   "lets_none_through_after_a_destructor()"},
                  "in coroutine [0-9]+ 'dies', created at ");
}

TEST(Crash, ByCancelledOutOfANoexceptFunctionSaysWhatThatMeans) {
    const child_result child = run_child([] {
        return run([] {
            auto sleeper = spawn({.name = "dies"}, sleeps_without_exception);
            yield();
            sleep_for(1ms);
            sleeper.request_stop();
            sleeper.join();
        });
    });
    expect_report(child,
                  {"", nullptr, SIGABRT, "weft: std::terminate .*: weft::cancelled",
                   "sleeps_without_exception()"},
                  "in coroutine [0-9]+ 'dies', created at ");
    EXPECT_EQ(child.lines_with("weft::no_cancel").size(), 1u) << child.err;
}

TEST(Crash, OnTheGuardOfAnotherStackIsNoOverflow) {
    if (split_stacks) GTEST_SKIP() << "segments lie elsewhere";
    const child_result child = run_child([] {
        return run([] {
            std::atomic<bool> has_a_stack{false};
            go([&] {
                has_a_stack = true;
                sleep_for(1h);
            });
            while (!has_a_stack) yield();
            auto second = spawn({.name = "dies"}, [] {
                const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
                // NOLINTNEXTLINE(performance-no-int-to-ptr): of the neighbour below.
                *reinterpret_cast<volatile char*>((here & ~(usual - 1)) - usual + 64) = 1;
            });
            second.join();
        });
    });
    if (child.exit_status == 0) GTEST_SKIP() << "this kernel has no guards";
    expect_report(
        child, {"", nullptr, SIGSEGV, "weft: SIGSEGV at .* .the guard of another stack.", nullptr},
        "coroutine [0-9]+ 'dies'");
}

TEST(Crash, OfADeepRecursionShowsBothEndsOfIt) {
    if (sanitized || !WEFT_TEST_HAS_NAMES) GTEST_SKIP() << "no names";
    const child_result child = dies_in_coroutine(recurses_for_ever);
    const std::size_t shown = child.lines_with("recurses(int)").size();
    EXPECT_GE(shown, 10u) << child.err;
    EXPECT_LE(shown, 15u) << child.err;
    EXPECT_EQ(child.lines_with("... ").size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with("recurses_for_ever()").size(), 1u) << child.err;
}

TEST(Crash, WithADamagedStackEndsAsWell) {
    const child_result child = run_child([] {
        return run([] {
            spawn({.name = "dies"}, [] {
                auto* const frame =
                    static_cast<volatile std::uintptr_t*>(__builtin_frame_address(0));
                for (int i = -4; i != 8; ++i) frame[i] = 0x4141414141414141;
                writes_to_null();
                asm volatile("");
            }).join();
        });
    });
    if (address_sanitizer) return;
    ASSERT_EQ(headlines(child).size(), 1u) << child.err;
    expect_signal(child, SIGSEGV);
}

TEST(Crash, OfTwoThreadsAtOnceHasOneReport) {
    const child_result child = run_child([] {
        return run([] {
            std::atomic<int> ready{0};
            const auto die = [&] {
                ++ready;
                while (ready != 3) {}
                writes_to_null();
            };
            std::thread a(die);
            std::thread b(die);
            std::thread c(die);
            sleep_for(1h);
        });
    });
    EXPECT_EQ(headlines(child).size(), 1u) << child.err;
    expect_signal(child, SIGSEGV);
}

TEST(Crash, BySignalsThatSomebodySends) {
    for (const int signal : {SIGSEGV, SIGABRT, SIGFPE}) {
        const child_result child = run_child(
            [&] { return run([&] { spawn({.name = "dies"}, [&] { ::raise(signal); }).join(); }); });
        const auto lines = headlines(child);
        ASSERT_EQ(lines.size(), 1u) << child.err;
        EXPECT_NE(lines[0].find(" 'dies', created at "), std::string::npos) << lines[0];
        expect_signal(child, signal);
    }
}

TEST(Crash, OfAForkedChildIsReportedByTheChild) {
    const child_result child = run_child([] {
        return run([] {
            spawn({.name = "parent"}, [] {
                const pid_t pid = ::fork();
                if (pid == 0) writes_to_null();
                int status = 0;
                ::waitpid(pid, &status, 0);
                if (!sanitized && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV))
                    std::_Exit(3);
                std::_Exit(7);
            }).join();
        });
    });
    EXPECT_EQ(headlines(child).size(), 1u) << child.err;
    EXPECT_EQ(child.exit_status, 7) << child.err;
}

class ThrowStack : public ::testing::Test {
protected:
    // The line after "thrown here"; empty when there is none.
    static std::string shown(const child_result& child) {
        const std::string before = "weft: thrown here:\n";
        const std::size_t at = child.err.find(before);
        if (at == std::string::npos) return "";
        const std::size_t from = at + before.size();
        return child.err.substr(from, child.err.find('\n', from) - from);
    }
    // The innermost frame that is shown is the one that throws.
    static void expect_thrown_by(const child_result& child, const std::string& function) {
        EXPECT_EQ(child.lines_with("weft: thrown here:").size(), 1u) << child.err;
        if (sanitized || !WEFT_TEST_HAS_NAMES) return;
        EXPECT_TRUE(shown(child).ends_with(function)) << child.err;
    }
    template <class F>
    static child_result run_noting(F f) {
        return run_child([f] { return run(f); }, {.environment = {{"WEFT_DEBUG", "throwstack=1"}}});
    }
};

TEST_F(ThrowStack, OfAnUncaughtException) {
    const child_result child = run_noting([] {
        go({.name = "dies"}, throws_a_domain_error);
        sleep_for(1h);
    });
    EXPECT_EQ(headlines(child).size(), 1u) << child.err;
    expect_thrown_by(child, "throws_a_domain_error()");
    expect_signal(child, SIGABRT);
}

TEST_F(ThrowStack, IsNotKeptUnlessAskedFor) {
    const child_result child = run_child([] {
        return run([] {
            go({.name = "dies"}, throws_a_domain_error);
            sleep_for(1h);
        });
    });
    EXPECT_EQ(headlines(child).size(), 1u) << child.err;
    EXPECT_EQ(shown(child), "");
}

// By a join and, through a scope, by another: it is the first throw that tells.
TEST_F(ThrowStack, IsTheFirstOneHoweverOftenItIsThrownAgain) {
    const child_result child = run_noting([] {
        go({.name = "dies"}, [] {
            scope s;
            s.go([] { spawn(throws_a_domain_error).join(); });
            s.join();
        });
        sleep_for(1h);
    });
    EXPECT_EQ(child.lines_with(" 'dies', created at ").size(), 1u) << child.err;
    expect_thrown_by(child, "throws_a_domain_error()");
}

TEST_F(ThrowStack, OfWhatComesToANoexceptFunction) {
    const child_result child = run_noting([] {
        auto failing = spawn(throws_a_domain_error);
        joins_and_lets_none_through(failing);
    });
    EXPECT_EQ(headlines(child).size(), 1u) << child.err;
    expect_thrown_by(child, "throws_a_domain_error()");
}

// Neither exceptions that the program catches nor cancellations take the place of those that matter.
TEST_F(ThrowStack, IsThereAfterManyThatNobodyReports) {
    const child_result child = run_noting([] {
        auto failing = spawn(throws_a_domain_error);
        for (int i = 0; i != 500; ++i) {
            try {
                throw std::runtime_error("caught");
            } catch (const std::runtime_error&) {}
            auto stopped = spawn([] { sleep_for(1h); });
            yield();
            stopped.request_stop();
            try {
                stopped.join();
            } catch (const cancelled&) {}
        }
        failing.detach();
        sleep_for(1h);
    });
    EXPECT_EQ(headlines(child).size(), 1u) << child.err;
    expect_thrown_by(child, "throws_a_domain_error()");
}

// An object may lie where another has been.
TEST_F(ThrowStack, IsThatOfTheLastObjectAtItsAddress) {
    const child_result child = run_noting([] {
        for (int i = 0; i != 200; ++i) {
            try {
                spawn([] { throw std::domain_error("joined"); }).join();
            } catch (const std::domain_error&) {}
        }
        go(throws_a_domain_error);
        sleep_for(1h);
    });
    expect_thrown_by(child, "throws_a_domain_error()");
}

// The exception that was joined is gone; another one, which ends no coroutine, may lie where it was.
TEST_F(ThrowStack, IsNotThatOfAnotherObjectThatIsGone) {
    const child_result child = run_noting([] {
        for (int i = 0; i != 200; ++i) {
            try {
                spawn([] { throw std::domain_error("joined"); }).join();
            } catch (const std::domain_error&) {}
        }
        lets_none_through();
    });
    EXPECT_EQ(headlines(child).size(), 1u) << child.err;
    EXPECT_EQ(shown(child), "") << child.err;
}

TEST_F(ThrowStack, IsCutOfADeepThrow) {
    const child_result child = run_noting([] {
        struct deep {
            WEFT_DIES static void go_down(int n) {
                if (n == 0) throws_a_domain_error();
                if (n > 0) go_down(n - 1);
                asm volatile("");
            }
        };
        go({.name = "dies"}, [] { deep::go_down(500); });
        sleep_for(1h);
    });
    expect_thrown_by(child, "throws_a_domain_error()");
}

TEST(Crash, NothingIsSaidUnderCrashOff) {
    for (const way& how : {null_write, aborts, terminates}) {
        const child_result child =
            dies_in_coroutine(how.die, {.environment = {{"WEFT_DEBUG", "crash=0"}}});
        EXPECT_TRUE(headlines(child).empty()) << child.err;
        expect_signal(child, how.signal);
    }
    const child_result child =
        dies_in_coroutine(recurses_for_ever, {.environment = {{"WEFT_DEBUG", "crash=0"}}});
    EXPECT_EQ(child.lines_with("weft: stack overflow ").size(), 1u) << child.err;
}

// Run by the next one only.
TEST(Crash, DISABLED_Dies) {
    run([] { spawn({.name = "dies"}, writes_to_null).join(); });
}

TEST(Crash, OfAStrippedProgramHasThePlacesInIt) {
    if (sanitized) GTEST_SKIP() << "instrumented programs start with a wrapper";
    const std::string copy = ::testing::TempDir() + "weft-stripped-" + std::to_string(::getpid());
    const std::string strip = "strip -o " + copy + " /proc/" + std::to_string(::getpid()) + "/exe";
    // NOLINTNEXTLINE(cert-env33-c): a test.
    if (std::system((strip + " 2>/dev/null").c_str()) != 0) GTEST_SKIP() << "no strip here";
    const child_result child = run_child([&] {
        ::execl(copy.c_str(), copy.c_str(), "--gtest_filter=Crash.DISABLED_Dies",
                "--gtest_also_run_disabled_tests", nullptr);
        return 3;
    });
    std::remove(copy.c_str());
    ASSERT_EQ(headlines(child).size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with(" 'dies', created at ").size(), 1u) << child.err;
    EXPECT_FALSE(child.lines_with(copy + ":0x").empty()) << child.err;
    expect_signal(child, SIGSEGV);
}

// ------------------------------------------------------------------------------------------- the program's own handlers

void own_handler(int) {
    static_cast<void>(::write(STDERR_FILENO, "own handler\n", 12));
    ::_exit(42);
}
void own_informed_handler(int, siginfo_t* info, void* context) {
    if (info->si_addr != nullptr || context == nullptr) ::_exit(43);
    own_handler(0);
}
void install(void (*informed)(int, siginfo_t*, void*)) {
    struct sigaction action {};
    action.sa_sigaction = informed;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(SIGSEGV, &action, nullptr);
}

TEST(CrashHandler, OfBeforeTheRuntimeComesAfterTheReport) {
    for (const bool informed : {false, true}) {
        const child_result child = run_child([&] {
            if (informed) {
                install(own_informed_handler);
            } else {
                ::signal(SIGSEGV, own_handler);
            }
            return run([] { spawn(writes_to_null).join(); });
        });
        EXPECT_EQ(headlines(child).size(), 1u) << child.err;
        EXPECT_EQ(child.lines_with("own handler").size(), 1u) << child.err;
        EXPECT_EQ(child.exit_status, 42) << child.err;
    }
}

TEST(CrashHandler, OfWhileTheRuntimeIsUpIsAlone) {
    const child_result child = run_child([] {
        return run([] {
            install(own_informed_handler);
            spawn(writes_to_null).join();
        });
    });
    EXPECT_TRUE(headlines(child).empty()) << child.err;
    EXPECT_EQ(child.exit_status, 42) << child.err;
}

TEST(CrashHandler, IsThereAgainWhenTheRuntimeHasStopped) {
    const child_result child = run_child([] {
        install(own_informed_handler);
        run([] {});
        writes_to_null();
        return 0;
    });
    EXPECT_TRUE(headlines(child).empty()) << child.err;
    EXPECT_EQ(child.exit_status, 42) << child.err;
}

std::jmp_buf before_the_fault;

TEST(CrashHandler, MayGoOnWithTheProgram) {
    if (sanitized) GTEST_SKIP() << "a jump out of a handler confuses them";
    const child_result child = run_child([] {
        install([](int, siginfo_t*, void*) { ::siglongjmp(before_the_fault, 1); });
        return run([] {
            return spawn([] {
                       volatile int survived = 0;
                       while (survived != 3) {
                           if (sigsetjmp(before_the_fault, 1) == 0) writes_to_null();
                           survived = survived + 1;
                       }
                       return static_cast<int>(survived);
                   })
                .join();
        });
    });
    // The first is reported, in case that it does not.
    EXPECT_EQ(headlines(child).size(), 1u) << child.err;
    EXPECT_EQ(child.exit_status, 3) << child.err;
}

TEST(CrashHandler, OfTerminateComesAfterTheReport) {
    const child_result child = run_child([] {
        std::set_terminate([] { ::_exit(std::current_exception() ? 44 : 45); });
        return run([] { spawn(lets_none_through).join(); });
    });
    EXPECT_EQ(headlines(child).size(), 1u) << child.err;
    EXPECT_EQ(child.exit_status, 44) << child.err;
}

TEST(CrashHandler, OfTerminateIsThereAgainWhenTheRuntimeHasStopped) {
    const child_result child = run_child([] {
        std::set_terminate([] { ::_exit(45); });
        run([] {});
        std::terminate();
        return 0;
    });
    EXPECT_TRUE(headlines(child).empty()) << child.err;
    EXPECT_EQ(child.exit_status, 45) << child.err;
}

}  // namespace
}  // namespace weft::test
