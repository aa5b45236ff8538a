// By a handler and not by a signalfd: for that every thread of the process would have to block the signal, also those that are not ours.
#include "os/caught_signal.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <thread>

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace weft::detail {
namespace {

constexpr int signals_max = 64;

std::atomic<std::uint64_t> caught{0};
std::atomic<int> bell{-1};
std::atomic<unsigned> handlers{
    0};  // Under way. The bell is closed when there is none, because its number may then be another's.
std::array<struct sigaction, signals_max + 1> before;

void on_caught(int signal) {
    const int kept = errno;
    handlers.fetch_add(1, std::memory_order_seq_cst);
    caught.fetch_or(std::uint64_t{1} << (signal - 1), std::memory_order_release);
    if (const int fd = bell.load(std::memory_order_seq_cst); fd >= 0) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof(one));
    }
    handlers.fetch_sub(1, std::memory_order_release);
    errno = kept;
}

bool is_ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == &on_caught;
}

}  // namespace

bool can_catch_signal(int signal) noexcept {
    if (signal < 1 || signal > signals_max) return false;
    // SIGURG is the collector's (os/nudge.hpp), which could not interrupt a thread any more.
    for (const int no :
         {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGURG}) {
        if (signal == no) return false;
    }
    return signal < __SIGRTMIN || signal >= SIGRTMIN;  // The C library's own.
}

int open_signal_bell() noexcept {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return -errno;
    caught.store(0, std::memory_order_relaxed);
    bell.store(fd, std::memory_order_seq_cst);
    return fd;
}

void close_signal_bell() noexcept {
    const int fd = bell.exchange(-1, std::memory_order_seq_cst);
    if (fd < 0) return;
    while (handlers.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
    ::close(fd);
}

int catch_signal(int signal) noexcept {
    struct sigaction action {};
    action.sa_handler = &on_caught;
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    ::sigfillset(&action.sa_mask);
    return ::sigaction(signal, &action, &before[static_cast<std::size_t>(signal)]) == 0 ? 0
                                                                                        : -errno;
}

void release_signal(int signal) noexcept {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) != 0 || !is_ours(now)) return;
    ::sigaction(signal, &before[static_cast<std::size_t>(signal)], nullptr);
}

std::uint64_t take_caught_signals() noexcept {
    return caught.exchange(0, std::memory_order_acquire);
}

}  // namespace weft::detail
