// Channels: how coroutines hand values to each other.
#pragma once

#include <weft/clock.hpp>
#include <weft/detail/channel_core.hpp>
#include <weft/detail/channel_handle.hpp>
#include <weft/detail/channel_value.hpp>
#include <weft/exceptions.hpp>

#include <chrono>
#include <cstddef>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace weft {

/// Thrown by sending on a closed channel, and by closing it again.
class channel_closed : public std::logic_error {
public:
    channel_closed()
        : std::logic_error("weft: the channel is closed; only who sends should close it, behind "
                           "the last value") {}
};

template <class T>
class sender;
template <class T>
class receiver;

namespace detail {

/// The sending members of chan and sender. Each is a cancellation point, close() excepted.
template <class Self, class T>
class sends {
public:
    /// Waits for room or, unbuffered, for a receiver. Throws channel_closed when the channel is, or is closed meanwhile.
    void send(T value) const { send_value<T>(channel(), std::move(value)); }

    /// These send only if, or as soon as, nothing keeps them; `value` is moved from only when they return true.
    /// Throw channel_closed like send().
    bool try_send(T& value) const { return send_value_until(channel(), value, chan_tries); }
    bool try_send(T&& value) const { return try_send(value); }
    bool try_send(const T& value) const requires std::is_copy_constructible_v<T> {
        T copy(value);
        return try_send(copy);
    }

    template <class Rep, class Period>
    bool send_for(T& value, std::chrono::duration<Rep, Period> d) const {
        return send_value_until(channel(), value, chan_deadline(d));
    }
    template <class Rep, class Period>
    bool send_for(T&& value, std::chrono::duration<Rep, Period> d) const {
        return send_for(value, d);
    }
    template <class Rep, class Period>
    bool
    send_for(const T& value,
             std::chrono::duration<Rep, Period> d) const requires std::is_copy_constructible_v<T> {
        T copy(value);
        return send_for(copy, d);
    }
    template <class Clock, class Duration>
    bool send_until(T& value, std::chrono::time_point<Clock, Duration> when) const {
        return chan_attempt_until(when, [&](std::int64_t deadline) {
                   return send_value_until(channel(), value, deadline) ? chan_status::ok
                                                                       : chan_status::timeout;
               }) == chan_status::ok;
    }
    template <class Clock, class Duration>
    bool send_until(T&& value, std::chrono::time_point<Clock, Duration> when) const {
        return send_until(value, when);
    }
    template <class Clock, class Duration>
    bool send_until(const T& value, std::chrono::time_point<Clock, Duration> when)
        const requires std::is_copy_constructible_v<T> {
        T copy(value);
        return send_until(copy, when);
    }

    /// Nothing more will be sent. What is buffered can still be received; whoever waits hears of it: receivers get
    /// nothing, senders channel_closed. Throws channel_closed when it is closed already.
    void close() const {
        if (!close_channel(channel())) throw_channel_closed();
    }

private:
    [[nodiscard]] channel_core& channel() const { return static_cast<const Self&>(*this).core(); }
};

template <class Self>
class sends<Self, void> {
public:
    void send() const { send_value<unit>(channel(), unit()); }
    bool try_send() const { return send_until_moment(chan_tries); }
    template <class Rep, class Period>
    bool send_for(std::chrono::duration<Rep, Period> d) const {
        return send_until_moment(chan_deadline(d));
    }
    template <class Clock, class Duration>
    bool send_until(std::chrono::time_point<Clock, Duration> when) const {
        return chan_attempt_until(when, [&](std::int64_t deadline) {
                   return send_until_moment(deadline) ? chan_status::ok : chan_status::timeout;
               }) == chan_status::ok;
    }
    void close() const {
        if (!close_channel(channel())) throw_channel_closed();
    }

private:
    bool send_until_moment(std::int64_t deadline) const {
        unit nothing;
        return send_value_until(channel(), nothing, deadline);
    }
    [[nodiscard]] channel_core& channel() const { return static_cast<const Self&>(*this).core(); }
};

/// Goes through what a channel still has to give. Receives when it is looked at, not when it is moved on: so what
/// ends early has taken nothing that it does not show. Holds the channel.
template <class T>
class channel_iterator {
public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;

    channel_iterator() noexcept : channel_(nullptr) {}
    explicit channel_iterator(const channel_handle& c) noexcept : channel_(c) {}
    channel_iterator(channel_iterator&&) = default;
    channel_iterator& operator=(channel_iterator&&) = default;

    [[nodiscard]] T& operator*() const {
        look();
        return *value_;
    }
    [[nodiscard]] T* operator->() const { return std::addressof(**this); }
    channel_iterator& operator++() {
        look();
        value_.reset();
        looked_ = false;
        return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const channel_iterator& i, std::default_sentinel_t) {
        i.look();
        return !i.value_.has_value();
    }

private:
    void look() const {
        if (looked_) return;
        const chan_status status =
            receive_value<T>(*handle_access::core_or_null(channel_), chan_waits,
                             [&](T&& v) { value_.emplace(std::move(v)); });
        if (status != chan_status::ok) conceal(value_);
        looked_ = true;
    }

    channel_handle channel_;
    mutable std::optional<T> value_;
    mutable bool looked_ = false;
};

/// The receiving members of chan and receiver. Each is a cancellation point. A value whose move throws stays in the
/// channel, as the next one to be received.
template <class Self, class T>
class receives {
public:
    /// Waits for a value; nullopt when the channel is closed and drained.
    std::optional<T> recv() const { return receive(chan_waits); }

    /// nullopt as well when nothing came (in time); the other forms tell which. They leave `into` alone then.
    std::optional<T> try_recv() const { return receive(chan_tries); }
    chan_status try_recv(T& into) const { return receive_into(into, chan_tries); }

    template <class Rep, class Period>
    std::optional<T> recv_for(std::chrono::duration<Rep, Period> d) const {
        return receive(chan_deadline(d));
    }
    template <class Rep, class Period>
    chan_status recv_for(T& into, std::chrono::duration<Rep, Period> d) const {
        return late(receive_into(into, chan_deadline(d)));
    }
    template <class Clock, class Duration>
    [[nodiscard]] std::optional<T> recv_until(std::chrono::time_point<Clock, Duration> when) const {
        std::optional<T> value;
        const chan_status status = chan_attempt_until(when, [&](std::int64_t deadline) {
            return receive_value<T>(channel(), deadline,
                                    [&](T&& v) { value.emplace(std::move(v)); });
        });
        if (status != chan_status::ok) conceal(value);
        return value;
    }
    template <class Clock, class Duration>
    chan_status recv_until(T& into, std::chrono::time_point<Clock, Duration> when) const {
        return chan_attempt_until(
            when, [&](std::int64_t deadline) { return receive_into(into, deadline); });
    }

    /// `for (T& value : channel)` until it is closed and drained.
    [[nodiscard]] channel_iterator<T> begin() const {
        static_cast<void>(channel());
        return channel_iterator<T>(static_cast<const Self&>(*this));
    }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    [[nodiscard]] channel_core& channel() const { return static_cast<const Self&>(*this).core(); }

    [[nodiscard]] std::optional<T> receive(std::int64_t deadline) const {
        std::optional<T> value;
        const chan_status status =
            receive_value<T>(channel(), deadline, [&](T&& v) { value.emplace(std::move(v)); });
        if (status != chan_status::ok) conceal(value);
        return value;
    }
    chan_status receive_into(T& into, std::int64_t deadline) const {
        return receive_value<T>(channel(), deadline, [&](T&& v) { into = std::move(v); });
    }
    static chan_status late(chan_status s) noexcept {
        return s == chan_status::empty ? chan_status::timeout : s;
    }
};

template <class Self>
class receives<Self, void> {
public:
    /// False when the channel is closed and drained.
    bool recv() const { return receive(chan_waits) == chan_status::ok; }
    chan_status try_recv() const { return receive(chan_tries); }
    template <class Rep, class Period>
    chan_status recv_for(std::chrono::duration<Rep, Period> d) const {
        const chan_status s = receive(chan_deadline(d));
        return s == chan_status::empty ? chan_status::timeout : s;
    }
    template <class Clock, class Duration>
    chan_status recv_until(std::chrono::time_point<Clock, Duration> when) const {
        return chan_attempt_until(when, [&](std::int64_t deadline) { return receive(deadline); });
    }

private:
    [[nodiscard]] channel_core& channel() const { return static_cast<const Self&>(*this).core(); }
    chan_status receive(std::int64_t deadline) const {
        return receive_value<unit>(channel(), deadline, [](unit&&) {});
    }
};

template <class T>
using carried = std::conditional_t<std::is_void_v<T>, unit, T>;

}  // namespace detail

/// A handle to a channel of T, or of mere signals (chan<void>). Copies name the same channel, the
/// last one frees it and destroys what is left inside. Any coroutine and any thread may use it at
/// any time, also before a runtime is up; threads block as threads do. A single handle, like a
/// shared_ptr, is not to be assigned by one and used by another.
///
/// Unbuffered (capacity 0), send and recv meet; otherwise up to `capacity` values wait in the
/// buffer. Values come out in the order in which they went in, and who waited first is served
/// first. A moved-from handle names no channel: its operations throw std::logic_error, in a select
/// it blocks for ever, and as a bool it is false.
///
/// Small trivially copyable types, std::unique_ptr and std::shared_ptr lie in the channel itself;
/// other values get a box of their own on the heap of the runtime on their way. Semantics are those
/// of Go's channels.
template <class T>
class chan : public detail::handle_of<chan<T>>,
             public detail::sends<chan<T>, T>,
             public detail::receives<chan<T>, T> {
public:
    /// Unbuffered.
    chan() : chan(0) {}
    /// Throws std::bad_alloc.
    explicit chan(std::size_t capacity) : detail::handle_of<chan<T>>(make(capacity)) {}

    /// Of no channel, as when moved from: for a case of select that is not to be chosen for now.
    [[nodiscard]] static chan none() noexcept { return chan(no_channel()); }

private:
    struct no_channel {};
    explicit chan(no_channel) noexcept : detail::handle_of<chan<T>>(nullptr) {}
    friend detail::sends<chan<T>, T>;
    friend detail::receives<chan<T>, T>;

    // Only here must T be complete: a message may hold the channel for its answer.
    static detail::channel_core* make(std::size_t capacity) {
        using value = detail::carried<T>;
        static_assert(std::is_object_v<value> && std::is_move_constructible_v<value> &&
                          !std::is_const_v<value> && !std::is_array_v<value>,
                      "weft::chan carries objects that can be moved");
        return detail::make_channel(capacity, detail::cell_size_of<value>, !detail::in_cell<value>,
                                    detail::in_cell<value> && detail::gc_traced<value>,
                                    detail::cell_destructor<value>());
    }
};

/// The sending end of a channel.
template <class T>
class sender : public detail::handle_of<sender<T>>, public detail::sends<sender<T>, T> {
public:
    /// Of no channel, as when moved from.
    sender() noexcept : handle(nullptr) {}
    sender(const chan<T>& c) noexcept : handle(c) {}
    sender(chan<T>&& c) noexcept : handle(std::move(c)) {}

private:
    using handle = detail::handle_of<sender<T>>;
    friend detail::sends<sender<T>, T>;
};

/// The receiving end of a channel.
template <class T>
class receiver : public detail::handle_of<receiver<T>>, public detail::receives<receiver<T>, T> {
public:
    /// Of no channel, as when moved from.
    receiver() noexcept : handle(nullptr) {}
    receiver(const chan<T>& c) noexcept : handle(c) {}
    receiver(chan<T>&& c) noexcept : handle(std::move(c)) {}

private:
    using handle = detail::handle_of<receiver<T>>;
    friend detail::receives<receiver<T>, T>;
};

/// Closes a channel on the way out of a block, unless somebody has closed it already. Has no effect on a handle without a
/// channel, nor on a foreign thread while there is a simulation.
class [[nodiscard]] closing {
public:
    template <class T>
    [[nodiscard]] explicit closing(const chan<T>& c) noexcept : c_(c) {}
    template <class T>
    [[nodiscard]] explicit closing(const sender<T>& c) noexcept : c_(c) {}
    ~closing();
    closing(const closing&) = delete;
    closing& operator=(const closing&) = delete;

private:
    detail::channel_handle c_;
};

}  // namespace weft

#include <weft/select.hpp>
