// longjmp over segments, signal handlers beside them, and shared objects with split code of their own.
#include "split/segments.hpp"
#include "stack/live_ranges.hpp"

#include <atomic>
#include <chrono>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {
namespace {

[[gnu::noinline]] int descend(int frames) {
    volatile char frame[300];
    frame[0] = 1;
    return frames == 0 ? 0 : descend(frames - 1) + frame[0];
}

// Of what the compiler knows nothing, such as that it never returns.
template <class F>
[[gnu::noipa]] void call(const F& f) {
    f();
}

template <class F>
[[gnu::noinline]] int descend_and(int frames, const F& f) {
    volatile char frame[300];
    frame[0] = 1;
    if (frames == 0) {
        call(f);
        return 0;
    }
    return descend_and(frames - 1, f) + frame[0];
}

// In a function of its own: a function with setjmp must keep nothing in registers.
[[gnu::noinline]] std::size_t segments_here() { return chain_length(&newest_segment()); }

TEST(SplitJumps, LeaveTheSegmentsBetween) {
    in_coroutine([] {
        static std::jmp_buf back;
        const std::size_t before = segments_here();
        for (static int i = 0; i < 200; ++i) {
            if (setjmp(back) == 0) {
                descend_and(i, [] { std::longjmp(back, 1); });
                FAIL() << "longjmp came back";
            }
            EXPECT_EQ(segments_here(), before);
            EXPECT_EQ(descend(30), 30) << "the limit is that of this segment again";
        }
    });
}

TEST(SplitJumps, ByTheirOtherNames) {
    in_coroutine([] {
        static sigjmp_buf back;
        for (static int i = 0; i < 20; ++i) {
            if (sigsetjmp(back, i % 2) == 0) {
                descend_and(50, [] { siglongjmp(back, 1); });
                FAIL() << "siglongjmp came back";
            }
            if (_setjmp(back) == 0) {
                descend_and(50, [] { _longjmp(back, 1); });
                FAIL() << "_longjmp came back";
            }
        }
        EXPECT_EQ(descend(100), 100);
    });
}

TEST(SplitJumps, WithinASegmentLeaveNone) {
    in_coroutine([] {
        static std::jmp_buf back;
        const segment* const here = &newest_segment();
        static int round = 0;
        if (setjmp(back) < 3) std::longjmp(back, ++round);
        EXPECT_EQ(&newest_segment(), here);
    });
}

TEST(SplitJumps, OfAThreadAreItsOwn) {
    static std::jmp_buf back;
    if (setjmp(back) == 0) std::longjmp(back, 1);
}

TEST(SplitJumps, AChildOfVforkLeavesTheParentsSegmentsAlone) {
    in_coroutine([] {
        const segment* const here = &newest_segment();
        std::uintptr_t limit = 0;
        asm volatile("movq %%fs:0x70, %0" : "=r"(limit));
        const pid_t child = vfork();
        if (child == 0) _exit(descend(30) == 30 ? 7 : 1);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(WEXITSTATUS(status), 7);
        std::uintptr_t now = 0;
        asm volatile("movq %%fs:0x70, %0" : "=r"(now));
        EXPECT_EQ(now, limit);
        EXPECT_EQ(&newest_segment(), here);
    });
}

// It runs on the scheduler stack, and so does what the runtime does for it: further down, however deep it is.
TEST(SplitBlocking, MayBeDeep) {
    struct deep {
        [[gnu::noinline]] static long call() {
            volatile char frame[400'000];
            for (std::size_t i = 0; i < sizeof frame; i += 1000) frame[i] = 1;
            std::timed_mutex m;
            if (m.try_lock_for(std::chrono::seconds(1))) m.unlock();
            weft::sleep_for(std::chrono::microseconds(1));
            long sum = 0;
            for (std::size_t i = 0; i < sizeof frame; i += 1000) sum += frame[i];
            return sum;
        }
    };
    in_coroutine([] {
        for (int i = 0; i != 20; ++i) {
            EXPECT_EQ(weft::blocking([] { return deep::call(); }), 400);
        }
    });
}

// Handlers that were compiled for split stacks and ask for no alternate stack.
class SplitSignals : public ::testing::Test {
protected:
    static inline std::atomic<int> handled{0};
    static inline std::atomic<std::uintptr_t> where{0};

    static void deep(int) {
        char here = 0;
        where = reinterpret_cast<std::uintptr_t>(&here);
        handled += descend(20);
    }
    static void with_information(int, siginfo_t* info, void*) {
        handled += info->si_signo == SIGUSR2 ? descend(10) : 1000;
    }
    ~SplitSignals() override {
        std::signal(SIGUSR1, SIG_DFL);
        std::signal(SIGUSR2, SIG_DFL);
    }
};

TEST_F(SplitSignals, RunOnTheThreadsAlternateStack) {
    in_coroutine([] {
        handled = 0;
        std::signal(SIGUSR1, &deep);
        struct sigaction action {};
        action.sa_sigaction = &with_information;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGUSR2, &action, nullptr);
        for (int i = 0; i != 100; ++i) {
            descend_and(i, [] {
                std::raise(SIGUSR1);
                EXPECT_FALSE(newest_segment().holds(where));
                std::raise(SIGUSR2);
            });
        }
        EXPECT_EQ(handled, 100 * 30);
        EXPECT_EQ(descend(50), 50);
    });
}

TEST_F(SplitSignals, AreShownAsTheyWereInstalled) {
    EXPECT_EQ(std::signal(SIGUSR1, &deep), SIG_DFL);
    EXPECT_EQ(std::signal(SIGUSR1, SIG_IGN), &deep);
    struct sigaction action {};
    struct sigaction before {};
    action.sa_sigaction = &with_information;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
    EXPECT_EQ(before.sa_handler, SIG_IGN);
    ASSERT_EQ(sigaction(SIGUSR1, nullptr, &before), 0);
    EXPECT_EQ(before.sa_sigaction, &with_information);
    EXPECT_EQ(before.sa_flags & ~0x04000000, SA_SIGINFO | SA_RESTART);  // SA_RESTORER is libc's.
    EXPECT_EQ(sigaction(SIGKILL, &action, nullptr), -1);
    EXPECT_EQ(sigaction(10'000, &action, nullptr), -1);
}

TEST_F(SplitSignals, MayLeaveByLongjmp) {
    in_coroutine([] {
        static sigjmp_buf back;
        static std::atomic<int> left{0};
        std::signal(SIGUSR1, [](int) {
            ++left;
            siglongjmp(back, 1);
        });
        for (static int i = 0; i < 100; ++i) {
            if (sigsetjmp(back, 1) == 0) {
                descend_and(i % 40, [] { std::raise(SIGUSR1); });
                FAIL() << "the handler returned";
            }
            EXPECT_EQ(descend(30), 30);
        }
        EXPECT_EQ(left, 100);
    });
}

TEST_F(SplitSignals, MeetGrowingAtAnyInstruction) {
    in_coroutine([] {
        handled = 0;
        std::signal(SIGALRM, &deep);
        const itimerval often{{0, 200}, {0, 200}};
        setitimer(ITIMER_REAL, &often, nullptr);
        // Until it was interrupted some hundred times.
        while (handled < 20 * 300) ASSERT_EQ(descend(25), 25);
        const itimerval never{};
        setitimer(ITIMER_REAL, &never, nullptr);
        std::signal(SIGALRM, SIG_IGN);
    });
}

TEST(SplitModule, OpenedAtRunTimeGrowsThrowsAndParks) {
    void* const module = dlopen(WEFT_SPLIT_MODULE, RTLD_NOW);
    ASSERT_NE(module, nullptr) << dlerror();
    const auto work = reinterpret_cast<int (*)(chan<int>&)>(dlsym(module, "weft_test_module_work"));
    const auto fail = reinterpret_cast<void (*)(int)>(dlsym(module, "weft_test_module_fail"));
    ASSERT_NE(work, nullptr);
    ASSERT_NE(fail, nullptr);
    weft::run([&] {
        chan<int> results;
        auto worker = spawn([&] { return work(results); });
        EXPECT_EQ(results.recv(), 500);
        EXPECT_EQ(worker.join(), 507);
        spawn([&] {
            EXPECT_THROW(fail(200), std::runtime_error);
            EXPECT_EQ(descend(100), 100);
        }).join();
    });
}

// Everything that a parked coroutine holds on its stack is in its live ranges: also what is only in a register when it
// parks, in memory that a frame asked for at run time, and in frames of several segments.
TEST(SplitLiveRanges, HoldAllThatIsReachable) {
    weft::run([] {
        static std::uintptr_t planted[3];
        detail::coroutine* waiter = nullptr;
        auto handle = spawn([&] {
            waiter = detail::this_coroutine();
            std::uintptr_t first = planted[0] = 0x1111'2222'3333'0001;
            asm volatile("" : "+r"(first));  // No constant any more.
            descend_and(40, [&] {
                auto* const large = static_cast<std::uintptr_t*>(__builtin_alloca(20'000));
                large[77] = planted[1] = 0x1111'2222'3333'0002;
                asm volatile("" : : "r"(large) : "memory");
                std::uintptr_t kept = planted[2] = 0x1111'2222'3333'0003;
                asm volatile("" : "+r"(kept));
                sleep_for(std::chrono::hours(1));
                asm volatile("" : : "r"(kept), "r"(large) : "memory");
            });
            asm volatile("" : : "r"(first));
        });
        wait_until([&] {
            return waiter != nullptr &&
                   waiter->state.load(std::memory_order_acquire) == detail::co_state::parked;
        });
        // One processor would do: nothing else runs it meanwhile.
        bool found[3] = {};
        for_each_live_range(
            waiter->context, *waiter->stack.get().newest(), [&](std::span<const std::byte> range) {
                const std::span words(reinterpret_cast<const std::uintptr_t*>(range.data()),
                                      range.size() / sizeof(std::uintptr_t));
                for (const std::uintptr_t word : words) {
                    for (std::size_t i = 0; i != 3; ++i) found[i] = found[i] || word == planted[i];
                }
            });
        for (std::size_t i = 0; i != 3; ++i) EXPECT_TRUE(found[i]) << i;
        handle.request_stop();
        EXPECT_THROW(handle.join(), coroutine_cancelled);
    });
}

}  // namespace
}  // namespace weft::test
