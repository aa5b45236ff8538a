// Making sockets.
#pragma once

#include <weft/net.hpp>

#include "io/descriptor.hpp"

namespace weft::detail {

/// Keep-alive after so many seconds without traffic, and no delay. Not for unix sockets.
[[nodiscard]] int set_tcp_options(int fd, std::chrono::seconds keep_alive) noexcept;

/// A number that is closed unless it is released.
class number_hold {
public:
    explicit number_hold(int fd) noexcept : fd_(fd) {}
    ~number_hold();
    number_hold(const number_hold&) = delete;
    number_hold& operator=(const number_hold&) = delete;
    [[nodiscard]] int get() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_;
};

}  // namespace weft::detail
