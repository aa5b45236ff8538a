#include "os/futex.hpp"

#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "os/clock.hpp"

#include <cerrno>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace weft::detail {
namespace {

constexpr std::int64_t hour_ns = 3'600'000'000'000;

}  // namespace

// Both keep errno, for they are called in the midst of things, with the program's errno in place.

[[gnu::noinline]] bool futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                                  std::int64_t deadline_ns) noexcept {
    WEFT_DEEP;
    // A signal ends only a sleep that has a limit. ThreadSanitizer needs it ended, to run the signal's handler.
    if (WEFT_TSAN && deadline_ns == never) deadline_ns = monotonic_ns() + hour_ns;
    timespec until{};
    if (deadline_ns != never) {
        if (deadline_ns < 0) deadline_ns = 0;
        until.tv_sec = deadline_ns / 1'000'000'000;
        until.tv_nsec = deadline_ns % 1'000'000'000;
    }
    // FUTEX_WAIT_BITSET rather than FUTEX_WAIT, for its absolute timeout.
    const int before = errno;
    const long result =
        ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected,
                  deadline_ns == never ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
    const bool in_time = result == 0 || errno != ETIMEDOUT;
    deliver_kept_signals();
    errno = before;
    return in_time;
}

[[gnu::noinline]] void futex_wake(const std::atomic<std::uint32_t>& word, int count) noexcept {
    WEFT_DEEP;
    const int before = errno;
    ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
    errno = before;
}

}  // namespace weft::detail
