#include "os/thread_probe.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace weft::detail {
namespace {

int open_of(int thread_id, const char* what) noexcept {
    char path[64];
    (void)std::snprintf(path, sizeof(path), "/proc/self/task/%d/%s", thread_id, what);
    return ::open(path, O_RDONLY | O_CLOEXEC);
}

}  // namespace

int this_thread_id() noexcept { return static_cast<int>(::syscall(SYS_gettid)); }

thread_state thread_probe::state(int thread_id) noexcept {
    if (thread_id_ != thread_id) close();
    if (file_ < 0) {
        file_ = open_of(thread_id, "stat");
        if (file_ < 0) return thread_state::unknown;
        thread_id_ = thread_id;
    }
    // "123 (name) S ...": the name may hold anything, so the state stands behind the last parenthesis.
    char text[128];
    const ssize_t size = ::pread(file_, text, sizeof(text) - 1, 0);
    if (size <= 0) return thread_state::unknown;
    text[size] = '\0';
    const char* const end_of_name = std::strrchr(text, ')');
    if (end_of_name == nullptr || end_of_name[1] != ' ') return thread_state::unknown;
    switch (end_of_name[2]) {
    case 'R':
        return thread_state::running;
    case 'S':
    case 'D':
        return thread_state::sleeping;
    default:
        return thread_state::other;
    }
}

std::int64_t thread_probe::cpu_ns(int thread_id) noexcept {
    // The clock of a thread by its number, as glibc's pthread_getcpuclockid() makes it.
    const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(thread_id) << 3) | 6U);
    timespec time;
    if (::clock_gettime(clock, &time) != 0) return -1;
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string_view thread_probe::wait_channel(int thread_id, std::span<char> buffer) noexcept {
    const int file = open_of(thread_id, "wchan");
    if (file < 0) return {};
    const ssize_t size = ::read(file, buffer.data(), buffer.size());
    ::close(file);
    if (size <= 0) return {};
    const std::string_view name(buffer.data(), static_cast<std::size_t>(size));
    return name == "0" ? std::string_view() : name;
}

thread_probe::place thread_probe::waits_at(int thread_id) noexcept {
    const int file = open_of(thread_id, "syscall");
    if (file < 0) return {};
    char text[256];
    const ssize_t size = ::read(file, text, sizeof(text) - 1);
    ::close(file);
    if (size <= 0) return {};
    text[size] = '\0';
    // "202 0x7f.. 0x80 ... SP PC": the call, its arguments; or "running".
    char* arguments = nullptr;
    const long call = std::strtol(text, &arguments, 10);
    const std::uintptr_t futex =
        call == SYS_futex ? std::strtoull(arguments, nullptr, 16) : std::uintptr_t{0};
    char* pc = std::strrchr(text, ' ');
    if (pc == nullptr) return {};
    *pc++ = '\0';
    char* const sp = std::strrchr(text, ' ');
    if (sp == nullptr) return {};
    return {std::strtoull(pc, nullptr, 16), std::strtoull(sp + 1, nullptr, 16), futex};
}

void thread_probe::close() noexcept {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
    thread_id_ = 0;
}

}  // namespace weft::detail
