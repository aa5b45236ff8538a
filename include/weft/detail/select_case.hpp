// The cases of a select, with their types. Each is armed for one select_cells(), and then run or disarmed.
#pragma once

#include <weft/chan.hpp>
#include <weft/detail/channel_value.hpp>
#include <weft/detail/select_core.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace weft::detail {

struct no_action {
    template <class... A>
    void operator()(A&&...) const noexcept {}
};

template <class C>
struct channel_ends;
template <class T>
struct channel_ends<chan<T>> {
    using sent = T;
    using received = T;
};
template <class T>
struct channel_ends<sender<T>> {
    using sent = T;
};
template <class T>
struct channel_ends<receiver<T>> {
    using received = T;
};
template <class C>
using sent_through = typename channel_ends<C>::sent;
template <class C>
using received_through = typename channel_ends<C>::received;

/// The channel of a case: borrowed from an lvalue, or kept.
class case_channel {
public:
    explicit case_channel(const channel_handle& c) noexcept : core_(c.core_or_null()) {}
    explicit case_channel(channel_handle&& c) noexcept : core_(c.release()), kept_(true) {}
    case_channel(case_channel&& other) noexcept
        : core_(std::exchange(other.core_, nullptr)), kept_(std::exchange(other.kept_, false)) {}
    case_channel& operator=(case_channel&&) = delete;
    ~case_channel() {
        if (kept_) drop_handle(core_);
    }

    void keep() noexcept {
        if (!kept_) add_handle(core_);
        kept_ = true;
    }
    [[nodiscard]] channel_core* core() const noexcept { return core_; }

private:
    channel_core* core_;
    bool kept_ = false;
};

/// What the cases without a channel ask for.
struct select_plan {
    std::int64_t deadline = chan_waits;
    std::size_t at_deadline = no_case;

    void until(std::size_t index, std::int64_t when) noexcept {
        if (at_deadline != no_case && deadline <= when) return;
        deadline = when;
        at_deadline = index;
    }
    [[nodiscard]] std::size_t chosen(const selected& result) const noexcept {
        return result.index == no_case ? at_deadline : result.index;
    }
};

/// Calls `f` at the end unless it was dismissed.
template <class F>
class armed {
public:
    explicit armed(F f) : f_(std::move(f)) {}
    armed(const armed&) = delete;
    armed& operator=(const armed&) = delete;
    ~armed() {
        if (on_) f_();
    }
    void dismiss() noexcept { on_ = false; }

private:
    F f_;
    bool on_ = true;
};

template <class T, class F>
class recv_case {
    using value = std::conditional_t<std::is_void_v<T>, unit, T>;

public:
    recv_case(case_channel c, F f) : channel_(std::move(c)), f_(std::move(f)) {}
    // While it is not armed there is nothing in the parcel.
    recv_case(recv_case&& other) : channel_(std::move(other.channel_)), f_(std::move(other.f_)) {}

    void keep_channel() noexcept { channel_.keep(); }
    void arm(std::size_t, select_case& wish, select_plan&) noexcept {
        wish.channel = channel_.core();
        wish.cell = parcel_.cell();
    }
    void disarm() noexcept {}
    void run(const selected& result) {
        if constexpr (std::is_void_v<T>) {
            f_(take(result).has_value());
        } else {
            f_(take(result));
        }
    }

private:
    // Not inline: g++ would warn of every `*value` in a function of the program's, for what that would read if the
    // channel were closed.
    [[gnu::noinline]] std::optional<value> take(const selected& result) {
        std::optional<value> got;
        if (result.status == chan_status::ok) {
            parcel_.pass(*channel_.core(), result.as_received(),
                         [&](value&& v) { got.emplace(std::move(v)); });
        }
        return got;
    }

    case_channel channel_;
    [[no_unique_address]] F f_;
    incoming<value> parcel_;
};

/// `Kept` is T, or T& when the value is somebody else's.
template <class T, class Kept, class F>
class send_case {
    // Whether the value goes into a parcel before the channel is asked; see channel_value.hpp.
    static constexpr bool beforehand = in_cell<T> || std::is_nothrow_move_constructible_v<T>;

public:
    template <class V>
    send_case(case_channel c, V&& value, F f)
        : channel_(std::move(c)), value_(std::forward<V>(value)), f_(std::move(f)) {}
    send_case(send_case&& other)
        : channel_(std::move(other.channel_)), value_(std::forward<Kept>(other.value_)),
          f_(std::move(other.f_)) {}

    void keep_channel() noexcept { channel_.keep(); }
    void arm(std::size_t, select_case& wish, select_plan&) {
        wish.channel = channel_.core();
        wish.sends = true;
        if constexpr (beforehand) {
            parcel_.emplace(value_);
            wish.cell = parcel_->cell();
        } else {
            wish.source = std::addressof(value_);
        }
    }
    void disarm() noexcept {
        if constexpr (beforehand) {
            if (!parcel_) return;
            parcel_->give_back(value_);
            parcel_.reset();
        }
    }
    void run(const selected& result) {
        if (result.status == chan_status::closed) throw_channel_closed();
        if constexpr (beforehand) {
            parcel_->sent();
            parcel_.reset();
        } else if (result.permitted) {
            send_permitted<T>(*channel_.core(), result.permit, value_);
        }
        f_();
    }

private:
    case_channel channel_;
    Kept value_;
    [[no_unique_address]] F f_;
    struct nothing {};
    [[no_unique_address]] std::conditional_t<beforehand, std::optional<outgoing<T>>, nothing>
        parcel_;
};

template <class F>
class timeout_case {
public:
    timeout_case(std::chrono::nanoseconds d, F f) : after_(d), f_(std::move(f)) {}

    void keep_channel() noexcept {}
    void arm(std::size_t index, select_case&, select_plan& plan) noexcept {
        plan.until(index, chan_deadline(after_));
    }
    void disarm() noexcept {}
    void run(const selected&) { f_(); }

private:
    std::chrono::nanoseconds after_;
    [[no_unique_address]] F f_;
};

template <class F>
class otherwise_case {
public:
    explicit otherwise_case(F f) : f_(std::move(f)) {}

    void keep_channel() noexcept {}
    void arm(std::size_t index, select_case&, select_plan& plan) noexcept {
        plan.until(index, chan_tries);
    }
    void disarm() noexcept {}
    void run(const selected&) { f_(); }

private:
    [[no_unique_address]] F f_;
};

template <class C>
concept is_case = requires(C& c, select_case& wish, select_plan& plan, const selected& result) {
    c.arm(std::size_t{}, wish, plan);
    c.disarm();
    c.run(result);
    c.keep_channel();
};

/// A case of a select_set.
class any_case {
public:
    any_case() = default;
    any_case(const any_case&) = delete;
    any_case& operator=(const any_case&) = delete;
    virtual ~any_case() = default;
    virtual void arm(std::size_t index, select_case& wish, select_plan& plan) = 0;
    virtual void disarm() noexcept = 0;
    virtual void run(const selected& result) = 0;
};

template <class Case>
class case_holder final : public any_case {
public:
    explicit case_holder(Case&& one) : case_(std::move(one)) {}
    void arm(std::size_t index, select_case& wish, select_plan& plan) override {
        case_.arm(index, wish, plan);
    }
    void disarm() noexcept override { case_.disarm(); }
    void run(const selected& result) override { case_.run(result); }

private:
    Case case_;
};

}  // namespace weft::detail
