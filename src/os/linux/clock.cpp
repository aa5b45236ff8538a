#include "os/clock.hpp"

#include <cerrno>

#include <time.h>

namespace weft::detail {

std::int64_t monotonic_ns() noexcept {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

[[gnu::noinline]] void sleep_thread_until(std::int64_t when_ns) noexcept {
    const timespec when{when_ns / 1'000'000'000, when_ns % 1'000'000'000};
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr) == EINTR) {}
}

}  // namespace weft::detail
