#include "os/forked.hpp"

#include "os/clock.hpp"
#include "os/signal.hpp"

#include <cerrno>
#include <cstddef>

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace weft::detail {
namespace {

constexpr std::size_t stack_size = std::size_t{1} << 20;
constexpr long look_every_ns = 1'000'000;

struct task {
    int (*f)(void*);
    void* argument;
};

int in_the_copy(void* what) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    reset_faults();
    const task& t = *static_cast<const task*>(what);
    ::syscall(SYS_exit_group, t.f(t.argument));  // No handler of exit() runs.
    return 0;
}

// Whether the copy has come to a good end. It sends no signal when it ends, and so is waited for by __WALL; whoever waits
// for all children of the process does not meet it.
bool ends_well(int pid, std::int64_t limit_ns) noexcept {
    const std::int64_t until = monotonic_ns() + limit_ns;
    int status = -1;
    for (;;) {
        const int ended = ::waitpid(pid, &status, WNOHANG | __WALL);
        if (ended == pid) break;
        if (ended < 0 && errno != EINTR) return false;
        if (monotonic_ns() > until) {
            ::kill(pid, SIGKILL);
            while (::waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {}
            break;
        }
        const timespec pause{.tv_sec = 0, .tv_nsec = look_every_ns};
        ::nanosleep(&pause, nullptr);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

bool run_forked(int (*f)(void*), void* argument, std::int64_t limit_ns) noexcept {
    void* const stack = ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) return false;
    task t{f, argument};
    const int pid = ::clone(in_the_copy, static_cast<std::byte*>(stack) + stack_size, 0, &t);
    const bool well = pid > 0 && ends_well(pid, limit_ns);
    ::munmap(stack, stack_size);
    return well;
}

}  // namespace weft::detail
