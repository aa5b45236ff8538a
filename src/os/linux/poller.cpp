#include "os/poller.hpp"

#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "os/clock.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace weft::detail {
namespace {

// No pointer to a descriptor, and no number with a tag.
constexpr std::uint64_t bell_word = ~std::uint64_t{0};
constexpr std::size_t events_most = 64;

// The kernel may end a sleep in epoll late by a thousandth of its length. So a long one is made of two: one that is shorter by more
// than that, and the rest.
constexpr std::int64_t exact_below = 20'000'000;
constexpr std::int64_t shortened_by = 512;

constexpr std::uint32_t edge_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

// No more than poll_one() asks for: what tells of more would be armed again and again.
constexpr std::uint32_t single_events(std::uint32_t what) noexcept {
    std::uint32_t events = EPOLLONESHOT;
    if ((what & poll_in) != 0) events |= EPOLLIN;
    if ((what & poll_out) != 0) events |= EPOLLOUT;
    return events;
}

// An error or the end wakes both sides: each finds out by itself what it is.
constexpr std::uint32_t what_of(std::uint32_t events) noexcept {
    std::uint32_t what = 0;
    if ((events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) what |= poll_in;
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) what |= poll_out;
    if ((events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) what |= poll_end;
    return what;
}

int control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t who) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u64 = who;
    const int before = errno;
    const int result = ::epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : -errno;
    errno = before;
    return result;
}

// By a raw call, for C libraries that do not have it yet. Kernels before 5.11 neither: milliseconds then.
int sleep_for_events(int epoll, epoll_event* out, int count, std::int64_t ns) noexcept {
    timespec time{};
    if (ns != never) {
        time.tv_sec = ns / 1'000'000'000;
        time.tv_nsec = ns % 1'000'000'000;
    }
    const long n = ::syscall(SYS_epoll_pwait2, epoll, out, count, ns == never ? nullptr : &time,
                             nullptr, std::size_t{0});
    if (n >= 0 || errno != ENOSYS) return static_cast<int>(n);
    const std::int64_t ms =
        ns == never ? -1 : std::min<std::int64_t>((ns + 999'999) / 1'000'000, 3'600'000);
    return ::epoll_wait(epoll, out, count, static_cast<int>(ms));
}

}  // namespace

int poller::open() noexcept {
    const int before = errno;
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    bell_ = epoll_ >= 0 ? ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    int error = bell_ >= 0 ? 0 : -errno;
    errno = before;
    // An edge each time it is rung, so nobody ever reads it.
    if (error == 0) error = control(epoll_, EPOLL_CTL_ADD, bell_, EPOLLIN | EPOLLET, bell_word);
    if (error != 0) close();
    return error;
}

void poller::close() noexcept {
    const int before = errno;
    if (bell_ >= 0) ::close(bell_);
    if (epoll_ >= 0) ::close(epoll_);
    epoll_ = bell_ = -1;
    errno = before;
}

int poller::watch(int fd, std::uint64_t who) noexcept {
    const int error = control(epoll_, EPOLL_CTL_ADD, fd, edge_events, who);
    // The number and its file are known already, if the program has duplicated what another descriptor had.
    return error == -EEXIST ? control(epoll_, EPOLL_CTL_MOD, fd, edge_events, who) : error;
}

int poller::watch_once(int fd, std::uint64_t who, std::uint32_t what) noexcept {
    return control(epoll_, EPOLL_CTL_ADD, fd, single_events(what), who);
}

int poller::watch_again(int fd, std::uint64_t who, std::uint32_t what) noexcept {
    return control(epoll_, EPOLL_CTL_MOD, fd, single_events(what), who);
}

int poller::watch_inner(const poller& inner, std::uint64_t who) noexcept {
    return control(epoll_, EPOLL_CTL_ADD, inner.epoll_, EPOLLIN | EPOLLET, who);
}

void poller::forget(int fd) noexcept {
    static_cast<void>(control(epoll_, EPOLL_CTL_DEL, fd, 0, 0));
}

std::size_t poller::wait(std::span<poll_event> out, std::int64_t until) noexcept {
    std::array<epoll_event, events_most> ready;
    const auto most = static_cast<int>(std::min(out.size(), ready.size()));
    const int before = errno;
    int n = 0;
    for (bool rest = true; rest;) {
        rest = false;
        std::int64_t ns = until;
        if (until != never) {
            ns = until <= 0 ? 0 : std::max<std::int64_t>(until - monotonic_ns(), 0);
            if (ns > exact_below) {
                ns -= ns / shortened_by;
                rest = true;
            }
        }
        n = sleep_for_events(epoll_, ready.data(), most, ns);
        if (n != 0) break;
    }
    deliver_kept_signals();
    errno = before;
    std::size_t count = 0;
    for (int i = 0; i < n; ++i) {
        if (ready[static_cast<std::size_t>(i)].data.u64 == bell_word) continue;
        const epoll_event& event = ready[static_cast<std::size_t>(i)];
        out[count++] = {event.data.u64, what_of(event.events)};
    }
    return count;
}

[[gnu::noinline]] void poller::interrupt() noexcept {
    WEFT_DEEP;
    const int before = errno;
    const std::uint64_t one = 1;
    // Full after 2^64 - 2 of these.
    [[maybe_unused]] const ssize_t written = ::write(bell_, &one, sizeof(one));
    errno = before;
}

bool poller::anything_ready() const noexcept { return poll_one(epoll_, poll_in) > 0; }

[[gnu::noinline]] int poll_one(int fd, std::uint32_t what) noexcept {
    WEFT_DEEP;
    pollfd one{};
    one.fd = fd;
    if ((what & poll_in) != 0) one.events |= POLLIN;
    if ((what & poll_out) != 0) one.events |= POLLOUT;
    const int before = errno;
    int n = 0;
    do n = ::poll(&one, 1, 0);
    while (n < 0 && errno == EINTR);
    const int error = n < 0 ? -errno : (one.revents & POLLNVAL) != 0 ? -EBADF : 0;
    errno = before;
    if (error != 0) return error;
    return n > 0 ? 1 : 0;
}

}  // namespace weft::detail
