// Signals as values of a channel.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Signal : public with_runtime {};
WEFT_TEST_PROCESSORS(Signal);
using SignalPlain = plain_runtime;

void (*handler_of(int signal))(int) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    return action.sa_handler;
}

TEST_P(Signal, EachReceiverGetsEach) {
    run([] {
        receiver<int> one = signal_channel({SIGUSR1, SIGUSR2});
        receiver<int> other = signal_channel({SIGUSR1});
        auto waits = spawn([&] { return one.recv(); });
        sleep_for(1ms);
        ::kill(::getpid(), SIGUSR1);
        EXPECT_EQ(waits.join(), SIGUSR1);
        EXPECT_EQ(other.recv(), SIGUSR1);
        ::kill(::getpid(), SIGUSR2);
        EXPECT_EQ(one.recv(), SIGUSR2);
        sleep_for(2ms);
        EXPECT_FALSE(other.try_recv());
    });
}

TEST_P(Signal, ThoseThatComeWhileOneWaitsAreMergedAndNoneIsForgotten) {
    run([] {
        receiver<int> all = signal_channel({SIGUSR1, SIGUSR2, SIGHUP});
        for (unsigned round = 0; round != 20; ++round) {
            for (unsigned i = 0; i != 5; ++i) {
                for (const int signal : {SIGUSR1, SIGUSR2, SIGHUP}) ::kill(::getpid(), signal);
            }
            bool seen[65] = {};
            while (!seen[SIGUSR1] || !seen[SIGUSR2] || !seen[SIGHUP]) {
                const std::optional<int> one = all.recv_for(10s);
                ASSERT_TRUE(one) << "in round " << round;
                seen[*one] = true;
            }
            // One that came between may come once more.
            while (all.recv_for(3ms)) {}
        }
        ::kill(::getpid(), SIGHUP);
        EXPECT_EQ(all.recv(), SIGHUP);
    });
}

TEST_P(Signal, ItIsACaseOfSelectAndComesWhileOthersCompute) {
    run([] {
        receiver<int> end = signal_channel({SIGTERM});
        std::atomic<bool> stop{false};
        scope hogs;
        for (unsigned i = 0; i != 4; ++i) {
            hogs.go([&stop] {
                while (!stop) checkpoint();
            });
        }
        std::thread sender([] {
            std::this_thread::sleep_for(10ms);
            ::kill(::getpid(), SIGTERM);
        });
        int got = 0;
        EXPECT_EQ(select(on_timeout(20s), on_recv(end, [&](std::optional<int> s) { got = *s; })),
                  1u);
        EXPECT_EQ(got, SIGTERM);
        stop = true;
        hogs.join();
        blocking([&] { sender.join(); });
    });
}

std::atomic<int> handled{0};

TEST_P(Signal, WithTheLastReceiverTheOldDispositionIsBack) {
    ::signal(SIGUSR1, [](int) { ++handled; });
    const auto before = handler_of(SIGUSR1);
    run([&] {
        {
            receiver<int> other = signal_channel({SIGUSR1, SIGUSR2});
            {
                const receiver<int> one = signal_channel({SIGUSR1});
                EXPECT_NE(handler_of(SIGUSR1), before);
            }
            EXPECT_NE(handler_of(SIGUSR1), before);
            ::kill(::getpid(), SIGUSR1);
            EXPECT_EQ(other.recv(), SIGUSR1);
        }
        EXPECT_EQ(handler_of(SIGUSR1), before);
        EXPECT_EQ(handler_of(SIGUSR2), SIG_DFL);
        handled = 0;
        ::kill(::getpid(), SIGUSR1);
        wait_until([] { return handled.load() == 1; });
    });
    ::signal(SIGUSR1, SIG_DFL);
}

TEST_F(SignalPlain, AtTheEndOfTheRuntimeItIsBackToo) {
    std::vector<receiver<int>> kept;
    for (unsigned i = 0; i != 3; ++i) {
        run([&] {
            kept.push_back(signal_channel({SIGUSR1}));
            ::kill(::getpid(), SIGUSR1);
            EXPECT_EQ(kept.back().recv(), SIGUSR1);
        });
        EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
    }
    kept.clear();
}

TEST_F(SignalPlain, WhatCannotBeCaughtIsRefused) {
    EXPECT_THROW((void)signal_channel({SIGUSR1}), std::logic_error) << "no runtime";
    run([] {
        for (const int no : {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 0, -1, 65, 32}) {
            EXPECT_THROW((void)signal_channel({no}), std::invalid_argument) << no;
            EXPECT_THROW((void)signal_channel({SIGUSR1, no}), std::invalid_argument) << no;
        }
        EXPECT_THROW((void)signal_channel({}), std::invalid_argument);
        EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
    });
    EXPECT_THROW(testing::simulate(1, [] { (void)signal_channel({SIGUSR1}); }), std::logic_error);
}

TEST_F(SignalPlain, WhoeverWaitsForOneIsInNoDeadlock) {
    const pid_t here = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        ::usleep(700'000);
        ::kill(here, SIGUSR1);
        ::_exit(0);
    }
    // The signal may come before anybody would wait for it only if this process is that slow.
    run([] { EXPECT_EQ(signal_channel({SIGUSR1}).recv(), SIGUSR1); });
    int status = 0;
    ::waitpid(child, &status, 0);
}

}  // namespace
}  // namespace weft::test
