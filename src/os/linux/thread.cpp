#include "os/thread.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace weft::detail {

signal_mask signal_mask::of_this_thread() noexcept {
    signal_mask mask;
    static_assert(sizeof(mask.bits_) == sizeof(sigset_t));
    ::pthread_sigmask(SIG_SETMASK, nullptr, reinterpret_cast<sigset_t*>(mask.bits_.data()));
    return mask;
}

void signal_mask::apply_to_this_thread() const noexcept {
    ::pthread_sigmask(SIG_SETMASK, reinterpret_cast<const sigset_t*>(bits_.data()), nullptr);
}

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

void detach_thread(thread_handle handle) noexcept { WEFT_CHECK(::pthread_detach(handle) == 0); }

std::array<char, 16> name_of_this_thread() noexcept {
    std::array<char, 16> name{};
    ::prctl(PR_GET_NAME, name.data(), 0, 0, 0);
    return name;
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

namespace {

// each(number) for every thread, as the kernel writes it. False: they can't be listed.
template <class F>
bool for_each_task(F&& each) noexcept {
    DIR* const tasks = ::opendir("/proc/self/task");
    if (tasks == nullptr) return false;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread has this stream.
    while (const dirent* entry = ::readdir(tasks)) {
        if (entry->d_name[0] != '.') each(std::string_view(entry->d_name));
    }
    ::closedir(tasks);
    return true;
}

}  // namespace

unsigned count_threads() noexcept {
    unsigned count = 0;
    return for_each_task([&count](std::string_view) { ++count; }) ? count : 0;
}

void for_each_thread(const std::function<void(int, std::string_view)>& each) noexcept {
    for_each_task([&each](std::string_view task) {
        int number = 0;
        std::from_chars(task.data(), task.data() + task.size(), number);
        char path[64];
        (void)std::snprintf(path, sizeof(path), "/proc/self/task/%d/comm", number);
        char name[17] = "";
        ssize_t size = 0;
        if (const int file = ::open(path, O_RDONLY | O_CLOEXEC); file >= 0) {
            size = ::read(file, name, sizeof(name));
            ::close(file);
        }
        const auto length =
            static_cast<std::size_t>(std::max<ssize_t>(size - 1, 0));  // No newline.
        each(number, {name, length});
    });
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
