// What travels with a coroutine when it parks, and when it goes on on another thread: errno, the exceptions it is
// handling or unwinding by, its floating-point control words. And what does not: the identity of the thread.
#include "base/stress.hpp"
#include "sched/machine.hpp"
#include "sched/token_box.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cfenv>
#include <cstdint>
#include <exception>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

namespace weft::detail {
namespace {

// In functions of their own: no caller may keep the address across a switch.
[[gnu::noinline]] int read_errno() { return errno; }
[[gnu::noinline]] void write_errno(int value) { errno = value; }
[[gnu::noinline]] pid_t this_thread_id() { return ::gettid(); }

class Switch : public ::testing::TestWithParam<unsigned> {
protected:
    template <class F>
    void run_with_processors(F&& main) {
        const test::watchdog dog(stress_seconds());
        run(main, {.processors = GetParam()});
    }
};

TEST_P(Switch, ErrnoIsEachCoroutinesOwn) {
    run_with_processors([] {
        scope all;
        for (int i = 1; i != 20; ++i) {
            all.go([i] {
                EXPECT_EQ(read_errno(), 0) << "a new coroutine starts without an error";
                for (int n = 0; n != 200; ++n) {
                    write_errno(i);
                    yield();
                    ASSERT_EQ(read_errno(), i);
                }
            });
        }
        all.join();
    });
}

TEST_P(Switch, TwoParkedInCatchRethrowTheirOwn) {
    run_with_processors([] {
        scope all;
        for (int i = 0; i != 20; ++i) {
            all.go([i] {
                const std::string mine = "thrown by " + std::to_string(i);
                for (int n = 0; n != 50; ++n) {
                    std::string caught;
                    try {
                        try {
                            throw std::runtime_error(mine);
                        } catch (const std::exception&) {
                            yield();
                            throw;  // What is being handled: the wrong one, if that had stayed behind.
                        }
                    } catch (const std::exception& e) {
                        yield();
                        caught = e.what();
                        ASSERT_TRUE(std::current_exception());
                    }
                    ASSERT_EQ(caught, mine);
                    ASSERT_FALSE(std::current_exception());
                }
            });
        }
        all.join();
    });
}

TEST_P(Switch, HandlersMayBeNestedAndEndInAnyOrderAmongCoroutines) {
    run_with_processors([] {
        scope all;
        for (int i = 0; i != 10; ++i) {
            all.go([i] {
                for (int n = 0; n != 30; ++n) {
                    try {
                        throw i;
                    } catch (int outer) {
                        for (int k = 0; k != i % 3; ++k) yield();
                        try {
                            throw std::to_string(i);
                        } catch (const std::string& inner) {
                            for (int k = 0; k != i % 4; ++k) yield();
                            ASSERT_EQ(inner, std::to_string(i));
                        }
                        yield();
                        ASSERT_EQ(outer, i);
                        try {
                            std::rethrow_exception(std::current_exception());
                        } catch (int again) {
                            ASSERT_EQ(again, i);
                        }
                    }
                }
            });
        }
        all.join();
    });
}

TEST_P(Switch, UncaughtExceptionsCountsTheCoroutinesOwn) {
    // Parks while it unwinds.
    struct parks {
        ~parks() {
            EXPECT_EQ(std::uncaught_exceptions(), 1);
            for (int k = 0; k != 3; ++k) yield();
            EXPECT_EQ(std::uncaught_exceptions(), 1);
        }
    };
    run_with_processors([] {
        scope all;
        for (int i = 0; i != 10; ++i) {
            all.go([] {
                for (int n = 0; n != 30; ++n) {
                    try {
                        const parks p;
                        throw 1;
                    } catch (int) {}
                }
            });
            all.go([] {
                for (int n = 0; n != 90; ++n) {
                    ASSERT_EQ(std::uncaught_exceptions(), 0);
                    yield();
                }
            });
        }
        all.join();
    });
}

TEST_P(Switch, ANewCoroutineInheritsNoExceptionOfWhoeverRanBefore) {
    run_with_processors([] {
        try {
            throw 1;
        } catch (int) {
            auto child = spawn([] {
                EXPECT_FALSE(std::current_exception());
                EXPECT_EQ(std::uncaught_exceptions(), 0);
            });
            child.join();
            EXPECT_TRUE(std::current_exception());
        }
    });
}

TEST_P(Switch, TheCallersOwnExceptionIsThereAgainWhenRunReturns) {
    try {
        throw std::runtime_error("the caller's");
    } catch (const std::exception&) {
        run_with_processors([] {
            try {
                throw 1;
            } catch (int) {
                yield();
            }
        });
        try {
            throw;
        } catch (const std::exception& e) {
            EXPECT_STREQ(e.what(), "the caller's");
        }
    }
}

TEST_P(Switch, TheRoundingModeIsEachCoroutinesOwnAndTheDefaultAtFirst) {
    run_with_processors([] {
        std::fesetround(FE_UPWARD);
        scope all;
        for (const int mode : {FE_TOWARDZERO, FE_DOWNWARD, FE_TONEAREST, FE_UPWARD}) {
            all.go([mode] {
                EXPECT_EQ(std::fegetround(), FE_TONEAREST);
                std::fesetround(mode);
                for (int n = 0; n != 100; ++n) {
                    yield();
                    ASSERT_EQ(std::fegetround(), mode);
                }
            });
        }
        all.join();
        EXPECT_EQ(std::fegetround(), FE_UPWARD);
        std::fesetround(FE_TONEAREST);
    });
}

// One that ends hands its stack to the next, without a switch in between.
TEST_P(Switch, TheRoundingModeOfOneThatHasEndedIsNotThatOfTheNext) {
    run_with_processors([] {
        scope all;
        for (int i = 0; i != 200; ++i) {
            all.go([] {
                EXPECT_EQ(std::fegetround(), FE_TONEAREST);
                std::fesetround(FE_UPWARD);
            });
        }
        all.join();
    });
}

TEST_P(Switch, AfterASwitchTheThreadIsTheOneThatRunsUs) {
    run_with_processors([] {
        scope all;
        std::atomic<int> moved{0};
        for (int i = 0; i != 16; ++i) {
            all.go([&moved] {
                for (int n = 0; n != 500; ++n) {
                    const machine* const before = this_machine();
                    yield();
                    const machine* const now = this_machine();
                    if (now != before) moved.fetch_add(1);
                    ASSERT_EQ(now->block, this_thread_block());
                    ASSERT_EQ(now->current.get(), this_coroutine());
                    ASSERT_EQ(this_thread_block()->owner.load(), now);
                }
            });
        }
        all.join();
    });
}

TEST_P(Switch, ACoroutineWithAThreadLockStaysOnItsThread) {
    run_with_processors([] {
        scope all;
        for (int i = 0; i != 3; ++i) {
            all.go([] {
                const thread_lock here;
                const pid_t mine = this_thread_id();
                for (int n = 0; n != 50; ++n) {
                    yield();
                    ASSERT_EQ(this_thread_id(), mine);
                }
            });
        }
        for (int i = 0; i != 8; ++i) {
            all.go([] {
                for (int n = 0; n != 200; ++n) yield();
            });
        }
        all.join();
    });
}

TEST_P(Switch, LocalVariablesAndRegistersComeBackAsTheyWere) {
    run_with_processors([] {
        scope all;
        for (std::uint64_t i = 1; i != 20; ++i) {
            all.go([i] {
                std::uint64_t a = i, b = i * 3, c = i * 5, d = i * 7, e = i * 11, f = i * 13;
                double x = static_cast<double>(i);
                for (int n = 0; n != 200; ++n) {
                    a += b ^ c;
                    yield();
                    d += e ^ f;
                    x += 0.5;
                }
                std::uint64_t a2 = i, d2 = i * 7;
                for (int n = 0; n != 200; ++n) {
                    a2 += (i * 3) ^ (i * 5);
                    d2 += (i * 11) ^ (i * 13);
                }
                ASSERT_EQ(a, a2);
                ASSERT_EQ(d, d2);
                ASSERT_EQ(x, static_cast<double>(i) + 100);
            });
        }
        all.join();
    });
}

INSTANTIATE_TEST_SUITE_P(Processors, Switch, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::detail
