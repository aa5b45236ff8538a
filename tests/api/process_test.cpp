// The process that weft runs in keeps what is its own: signals of its children, threads, address space, and its exit.
#include "support/child.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Process : public with_runtime {};
WEFT_TEST_PROCESSORS(Process);

// Which signals the calling thread blocks; a process that it starts inherits them.
bool blocks(int signal) {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return ::sigismember(&mask, signal) == 1;
}

void expect_open_ears() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD, SIGUSR1, SIGQUIT}) {
        EXPECT_FALSE(blocks(signal)) << signal;
    }
}

TEST_P(Process, ItsThreadsBlockNoSignals) {
    run([] {
        blocking([] { expect_open_ears(); });
        scope s;
        for (int i = 0; i != 16; ++i) {
            s.go([] {
                expect_open_ears();
                blocking([] { expect_open_ears(); });
            });
        }
        s.join();
    });
}

TEST_P(Process, ItsThreadsBlockWhatTheProgramDoes) {
    sigset_t mine;
    sigset_t before;
    ::sigemptyset(&mine);
    ::sigaddset(&mine, SIGUSR2);
    ::pthread_sigmask(SIG_BLOCK, &mine, &before);
    run([] {
        scope s;
        for (int i = 0; i != 16; ++i) {
            s.go([] { blocking([] { EXPECT_TRUE(blocks(SIGUSR2)); }); });
            s.go([] { EXPECT_TRUE(blocks(SIGUSR2)); });
        }
        s.join();
    });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_P(Process, ChildrenOfABlockingCallEndBySignal) {
    run([] {
        blocking([] {
            const pid_t child = ::fork();
            if (child == 0) {
                for (;;) ::pause();
            }
            EXPECT_EQ(::kill(child, SIGTERM), 0);
            int status = 0;
            EXPECT_EQ(::waitpid(child, &status, 0), child);
            EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
        });
    });
}

void exit_with(int status) {
    for (int i = 0; i != 8; ++i) {
        go([] {
            for (;;) yield();
        });
        go([] { sleep_for(1h); });
    }
    go([status] {
        sleep_for(1ms);
        std::exit(status);
    });
}

// After a spike of coroutines with threads of their own, also of some that end without unlocking, the threads go.
TEST_P(Process, ThreadsThatNobodyNeedsAnyMoreEnd) {
    run([] {
        for (int i = 0; i != 4; ++i) {
            alignas(thread_lock) static unsigned char lock[sizeof(thread_lock)];
            spawn([] {
                ::new (lock) thread_lock;
                yield();
            }).join();
        }
        wait_group ready(40);
        latch over(1);
        scope s;
        for (int i = 0; i != 40; ++i) {
            s.go([&] {
                const thread_lock mine;
                ready.done();
                over.wait();
            });
        }
        ready.wait();
        while (stats().threads < 40)
            yield();  // A machine that has started one may not have counted it yet.
        over.count_down();
        s.join();
        // The owner of a processor, one that spins, the monitor, one that has ended and is yet to be joined.
        while (stats().threads > 2 * processors() + 4) sleep_for(10ms);
        // And who comes then finds the machines that are left.
        for (int i = 0; i != 100; ++i) s.go([] { yield(); });
        s.join();
    });
}

// And after one of coroutines that block their threads, so that processors are added and taken out of use again.
TEST_P(Process, ThreadsOfSubstitutesEndToo) {
    run([] {
        const unsigned configured = processors();
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        constexpr std::uint64_t blocked = 12;
        scope s;
        for (std::uint64_t i = 0; i != blocked; ++i) {
            s.go([&] {
                char byte = 0;
                EXPECT_EQ(::read(ends[0], &byte, 1), 1);
            });
        }
        while (stats().threads < blocked) yield();
        const std::string all(blocked, 'x');
        EXPECT_EQ(::write(ends[1], all.data(), blocked), static_cast<ssize_t>(blocked));
        s.join();
        ::close(ends[0]);
        ::close(ends[1]);
        while (stats().threads > 2 * configured + 4) sleep_for(10ms);
    });
}

// Threads that block for about as long as it takes to notice stand in for each other, in chains and in rings.
TEST_P(Process, SubstitutesMayStandInForEachOther) {
    run([] {
        std::atomic<int> left{24};
        scope s;
        for (int i = 0; i != 2; ++i) {
            s.go([&] {
                while (left != 0) yield();
            });
        }
        for (useconds_t i = 0; i != 24; ++i) {
            s.go([&, i] {
                for (int turn = 0; turn != 4; ++turn) {
                    ::usleep(16'000 + 3'000 * (i % 5));
                    yield();
                }
                --left;
            });
        }
        s.join();
    });
}

// Under `ulimit -v`, at least half of it is still the program's own.
TEST_P(Process, LeavesMostOfALimitedAddressSpace) {
    if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << "it maps terabytes itself";
    static constexpr std::size_t limit = std::size_t{2} << 30;
    const options how = with_processors();
    const child_result seen = run_child([&] {
        const rlimit address_space{limit, limit};
        ::setrlimit(RLIMIT_AS, &address_space);
        return weft::run(
            [] {
                blocking([] {});
                std::vector<void*> all;
                for (std::size_t got = 0; got < limit / 2; got += std::size_t{1} << 20) {
                    all.push_back(std::malloc(std::size_t{1} << 20));
                    if (all.back() == nullptr) return 1;
                }
                for (void* const one : all) std::free(one);
                latch over(1);
                scope s;
                for (int i = 0; i != 1500; ++i) s.go([&] { over.wait(); });
                over.count_down();
                s.join();
                return 0;
            },
            how);
    });
    EXPECT_EQ(seen.exit_status, 0) << seen.err;
}

// exit() ends the process there and then, whoever calls it, also when that destroys the runtime.
TEST_P(Process, EndsByExitInACoroutine) {
    if (address_sanitizer) GTEST_SKIP() << "exit() looks for leaks, and what is alive then is one";
    const options how = with_processors();
    const child_result under_run = run_child([&] {
        return weft::run(
            [] {
                exit_with(3);
                sleep_for(1h);
            },
            how);
    });
    EXPECT_EQ(under_run.exit_status, 3) << under_run.err;
    const child_result under_static = run_child([&] {
        static runtime lasting(how);
        lasting.submit([] { exit_with(4); });
        for (;;) ::pause();
        return 0;
    });
    EXPECT_EQ(under_static.exit_status, 4) << under_static.err;
    const child_result in_a_call = run_child([&] {
        options soon = how;
        soon.shutdown_grace = 1ms;
        static runtime lasting(soon);
        lasting.submit([] { blocking([] { std::exit(5); }); });
        for (;;) ::pause();
        return 0;
    });
    EXPECT_EQ(in_a_call.exit_status, 5) << in_a_call.err;
}

}  // namespace
}  // namespace weft::test
