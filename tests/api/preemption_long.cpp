// A machine that is loaded from outside: threads that are not run are not stuck.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <array>
#include <chrono>
#include <cstdint>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

TEST(PreemptionLong, ProgramsThatComputeBesideAddNoProcessor) {
    std::array<pid_t, 8> beside{};
    for (pid_t& child : beside) {
        child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) {}
        }
    }
    run([] {
        const auto until = weft::clock::now() + 30s;
        scope s;
        for (unsigned i = 0; i != 2 * processors(); ++i) {
            s.go([&] {
                std::uint64_t x = 1;
                while (weft::clock::now() < until) {
                    for (int k = 0; k != 10'000; ++k) x = x * 6364136223846793005U + 1;
                    asm volatile("" : : "r"(x));
                    checkpoint();
                }
            });
        }
        while (weft::clock::now() < until) sleep_for(1ms);
        s.join();
        EXPECT_EQ(stats().compensations, 0u);
    });
    for (const pid_t child : beside) ::kill(child, SIGKILL);
    for (const pid_t child : beside) ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace weft::test
