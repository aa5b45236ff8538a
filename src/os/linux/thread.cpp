#include "os/thread.hpp"

#include "base/assert.hpp"

#include <cerrno>
#include <cstring>

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
    const int kept = errno;
    const int error = ::pthread_create(&handle, nullptr, body, argument);
    errno = kept;
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

cpu_mask cpu_mask::of_this_thread() noexcept {
    cpu_mask mask;
    static_assert(sizeof(mask.bits_) == sizeof(cpu_set_t));
    ::sched_getaffinity(0, sizeof(mask.bits_), reinterpret_cast<cpu_set_t*>(mask.bits_.data()));
    return mask;
}

void cpu_mask::pin_this_thread(unsigned index) const noexcept {
    cpu_set_t allowed;
    std::memcpy(&allowed, bits_.data(), sizeof(allowed));
    const auto count = static_cast<unsigned>(CPU_COUNT(&allowed));
    if (count == 0) return;
    index %= count;
    for (unsigned cpu = 0; cpu != CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &allowed) || index-- != 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        ::sched_setaffinity(0, sizeof(one), &one);
        return;
    }
}

void cpu_mask::apply_to_this_thread() const noexcept {
    ::sched_setaffinity(0, sizeof(bits_), reinterpret_cast<const cpu_set_t*>(bits_.data()));
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
