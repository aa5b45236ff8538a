#include "os/thread.hpp"

#include "base/assert.hpp"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

namespace weft::detail {

std::error_code start_thread(thread_handle& handle, void* (*body)(void*), void* argument) {
    // Faults of the thread itself must reach it: everything else is blocked while it is created, and so
    // in it.
    sigset_t blocked;
    sigset_t before;
    ::sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
        ::sigdelset(&blocked, fault);
    }
    ::pthread_sigmask(SIG_SETMASK, &blocked, &before);
    const int error = ::pthread_create(&handle, nullptr, body, argument);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return {error, std::system_category()};
}

void join_thread(thread_handle handle) noexcept {
    WEFT_CHECK(::pthread_join(handle, nullptr) == 0);
}

void name_this_thread(const char* name) noexcept { ::pthread_setname_np(::pthread_self(), name); }

std::uint64_t set_timer_slack(std::uint64_t ns) noexcept {
    const int before = ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    ::prctl(PR_SET_TIMERSLACK, ns, 0, 0, 0);
    return before > 0 ? static_cast<std::uint64_t>(before) : 0;
}

void pin_this_thread(unsigned index) noexcept {
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
    const auto count = static_cast<unsigned>(CPU_COUNT(&allowed));
    if (count == 0) return;
    index %= count;
    for (int cpu = 0; cpu != CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(static_cast<unsigned>(cpu), &allowed) || index-- != 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<unsigned>(cpu), &one);
        ::sched_setaffinity(0, sizeof(one), &one);
        return;
    }
}

unsigned count_threads() noexcept {
    DIR* const tasks = ::opendir("/proc/self/task");
    if (tasks == nullptr) return 0;
    unsigned count = 0;
    while (const dirent* entry = ::readdir(tasks)) {
        if (entry->d_name[0] != '.') ++count;
    }
    ::closedir(tasks);
    return count;
}

stack_bounds this_thread_stack() noexcept {
    pthread_attr_t attributes;
    void* bottom = nullptr;
    std::size_t size = 0;
    if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
        ::pthread_attr_getstack(&attributes, &bottom, &size);
        ::pthread_attr_destroy(&attributes);
    }
    return {bottom, size};
}

}  // namespace weft::detail
