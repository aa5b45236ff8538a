#include "os/clock.hpp"

#include <cerrno>

#include <time.h>

namespace weft::detail {

namespace {

std::int64_t read(clockid_t clock) noexcept {
    timespec now;
    ::clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

std::int64_t monotonic_ns() noexcept { return read(CLOCK_MONOTONIC); }
std::int64_t thread_cpu_ns() noexcept { return read(CLOCK_THREAD_CPUTIME_ID); }
std::int64_t process_cpu_ns() noexcept { return read(CLOCK_PROCESS_CPUTIME_ID); }

[[gnu::noinline]] void sleep_thread_until(std::int64_t when_ns) noexcept {
    const timespec when{when_ns / 1'000'000'000, when_ns % 1'000'000'000};
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr) == EINTR) {}
}

}  // namespace weft::detail
