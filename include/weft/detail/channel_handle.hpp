// What names a channel, whatever it carries, and until when its operations wait.
#pragma once

#include <weft/clock.hpp>
#include <weft/detail/channel_core.hpp>
#include <weft/detail/timed.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace weft::detail {

/// A counted reference to a channel, or none when moved from.
class channel_handle {
public:
    explicit channel_handle(channel_core* adopted) noexcept : core_(adopted) {}
    channel_handle(const channel_handle& other) noexcept : core_(other.core_) { add_handle(core_); }
    channel_handle(channel_handle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    channel_handle& operator=(const channel_handle& other) noexcept {
        channel_handle(other).swap(*this);
        return *this;
    }
    channel_handle& operator=(channel_handle&& other) noexcept {
        channel_handle(std::move(other)).swap(*this);
        return *this;
    }
    ~channel_handle() { drop_handle(core_); }

    /// Whether it names a channel.
    [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }

    /// How many values are buffered; of use for reports only, for it may have changed by now. 0 when unbuffered.
    [[nodiscard]] std::size_t size() const { return core().count.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t capacity() const { return core().capacity; }
    [[nodiscard]] bool closed() const { return core().closed.load(std::memory_order_relaxed); }

protected:
    void swap(channel_handle& other) noexcept { std::swap(core_, other.core_); }
    [[nodiscard]] channel_core& core() const {
        if (core_ == nullptr) [[unlikely]]
            throw_no_channel();
        return *core_;
    }

private:
    friend struct handle_access;

    channel_core* core_;
};

/// For what may see the channel of a handle whatever it carries.
struct handle_access {
    [[nodiscard]] static channel_core* core_or_null(const channel_handle& h) noexcept {
        return h.core_;
    }
    /// Leaves `h` without a channel; the reference is the caller's.
    [[nodiscard]] static channel_core* release(channel_handle& h) noexcept {
        return std::exchange(h.core_, nullptr);
    }
};

/// A handle of one type: it swaps and compares with its like only.
template <class Self>
class handle_of : public channel_handle {
public:
    void swap(Self& other) noexcept { channel_handle::swap(other); }
    /// Whether both name the same channel.
    friend bool operator==(const Self& a, const Self& b) noexcept {
        return handle_access::core_or_null(a) == handle_access::core_or_null(b);
    }

protected:
    explicit handle_of(channel_core* adopted) noexcept : channel_handle(adopted) {}
    explicit handle_of(const channel_handle& other) noexcept : channel_handle(other) {}
    explicit handle_of(channel_handle&& other) noexcept : channel_handle(std::move(other)) {}
};

/// The moment `d` from now, for a channel operation.
template <class Rep, class Period>
[[nodiscard]] std::int64_t chan_deadline(std::chrono::duration<Rep, Period> d) noexcept {
    const std::chrono::nanoseconds wait = to_nanoseconds(d);
    if (wait.count() <= 0) return chan_tries;
    return deadline_after(wait).time_since_epoch().count();
}

/// The same for a moment.
template <class Clock, class Duration>
[[nodiscard]] std::int64_t chan_deadline(std::chrono::time_point<Clock, Duration> when) {
    return chan_deadline(time_left(when, now_by<Clock>()));
}

/// Repeats `attempt(deadline)` until it does not time out, or time_is_up().
template <class Clock, class Duration, class Attempt>
chan_status chan_attempt_until(std::chrono::time_point<Clock, Duration> when, Attempt&& attempt) {
    for (;;) {
        const std::int64_t deadline = chan_deadline(when);
        const chan_status status = attempt(deadline);
        if (status == chan_status::ok || status == chan_status::closed) return status;
        if (deadline == chan_tries || time_is_up(when)) return chan_status::timeout;
    }
}

}  // namespace weft::detail
