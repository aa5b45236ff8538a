// Waiting for many descriptors at once.
//
// Two kinds of entries. An *edge* entry tells once of each change, for as long as the descriptor is open. A *single* entry tells once
// and is then silent until it is armed again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

enum poll_what : std::uint32_t {
    poll_in = 1,   // Something can be read, or that it has ended.
    poll_out = 2,  // Something can be written, or nothing ever again.
    poll_end =
        4,  // The other side will send no more, an error, or urgent data: a short transfer does not mean "empty" now.
};

struct poll_event {
    std::uint64_t who;
    std::uint32_t what;
};

class poller {
public:
    constexpr poller() noexcept = default;
    poller(const poller&) = delete;
    poller& operator=(const poller&) = delete;

    // All that can fail return 0 or the negative number of the error. None changes errno.

    [[nodiscard]] int open() noexcept;
    void close() noexcept;

    /// Adds an edge entry for reading and writing.
    [[nodiscard]] int watch(int fd, std::uint64_t who) noexcept;
    /// Adds a single entry.
    [[nodiscard]] int watch_once(int fd, std::uint64_t who, std::uint32_t what) noexcept;
    /// Arms it again, whatever it has told of. -ENOENT: there is no such entry.
    [[nodiscard]] int watch_again(int fd, std::uint64_t who, std::uint32_t what) noexcept;
    void forget(int fd) noexcept;
    /// Adds another poller: an edge entry for its having something ready.
    [[nodiscard]] int watch_inner(const poller& inner, std::uint64_t who) noexcept;

    /// Fills `out` with what is ready, or sleeps until something is, until interrupt(), or until `until` on monotonic_ns()'s
    /// clock (in the past: it does not sleep). Returns how many events. May return none for no reason.
    [[nodiscard]] std::size_t wait(std::span<poll_event> out, std::int64_t until) noexcept;
    /// Any thread. An interrupt that comes while nobody waits ends the next wait.
    void interrupt() noexcept;
    [[nodiscard]] bool anything_ready() const noexcept;

private:
    int epoll_ = -1;
    int bell_ = -1;
};

/// Whether any of `what` is there now, by one system call without the poller. Negative: the number of an error.
[[nodiscard]] int poll_one(int fd, std::uint32_t what) noexcept;

}  // namespace weft::detail
