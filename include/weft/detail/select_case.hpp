// The cases of a select, with their types. All are armed for one select_cells(), and then one is run.
#pragma once

#include <weft/detail/channel_handle.hpp>
#include <weft/detail/channel_value.hpp>
#include <weft/detail/select_core.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace weft {

template <class T>
class chan;
template <class T>
class sender;
template <class T>
class receiver;

}  // namespace weft

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
/// What a reference to a channel sends; not deduced from the value, so that this is converted where it is written.
template <class C>
using sent_by = typename channel_ends<std::remove_cvref_t<C>>::sent;
template <class C>
using received_through = typename channel_ends<C>::received;
template <class C>
concept receives_from = requires {
    typename channel_ends<std::remove_cvref_t<C>>::received;
};

/// Whether f takes what a case receives. In this order, because a generic lambda may not even be
/// tried with what it is not called with.
template <class F, class T>
inline constexpr bool takes_received =
    std::disjunction_v<std::is_invocable<F&, std::optional<T>>, std::is_invocable<F&>>;
template <class F>
inline constexpr bool takes_received<F, void> =
    std::disjunction_v<std::is_invocable<F&, bool>, std::is_invocable<F&>>;

/// The channel of a case: borrowed from an lvalue, or kept.
class case_channel {
public:
    explicit case_channel(const channel_handle& c) noexcept
        : core_(handle_access::core_or_null(c)) {}
    explicit case_channel(channel_handle&& c) noexcept
        : core_(handle_access::release(c)), kept_(true) {}
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
        if (deadline <= when) return;  // A try waits for no timeout.
        deadline = when;
        at_deadline = index;
    }
    void otherwise(std::size_t index) noexcept {
        deadline = chan_tries;
        at_deadline = index;
    }
    [[nodiscard]] std::size_t chosen(const selected& result) const noexcept {
        return result.index == no_case ? at_deadline : result.index;
    }
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
    void run(const selected& result) {
        // What f takes is asked for in order: a generic lambda may not even be tried with another.
        if constexpr (std::is_void_v<T>) {
            if constexpr (std::is_invocable_v<F&, bool>) {
                f_(take(result).has_value());
            } else {
                take(result);
                f_();
            }
        } else if constexpr (std::is_invocable_v<F&, std::optional<value>>) {
            f_(take(
                result));  // Its parameter is what is taken: a move that throws leaves the value in the channel.
        } else {
            take(result);
            f_();
        }
    }

private:
    // Not inline: g++ would warn of every `*value` in a function of the program's, for what that would read if the
    // channel were closed.
    [[gnu::noinline]] std::optional<value> take(const selected& result) {
        std::optional<value> got;
        if (result.status == chan_status::ok) {
            parcel_.pass(*channel_.core(), result.got,
                         [&](value&& v) { got.emplace(std::move(v)); });
        }
        return got;
    }

    case_channel channel_;
    [[no_unique_address]] F f_;
    incoming<value> parcel_;
};

/// `Kept` is T, or T& when the value is somebody else's. The value stays where it is until it is sent.
template <class T, class Kept, class F>
class send_case {
public:
    template <class V>
    send_case(case_channel c, V&& value, F f)
        : channel_(std::move(c)), value_(std::forward<V>(value)), f_(std::move(f)) {}
    send_case(send_case&& other)
        : channel_(std::move(other.channel_)), value_(std::forward<Kept>(other.value_)),
          f_(std::move(other.f_)), sent_(other.sent_) {}

    void keep_channel() noexcept { channel_.keep(); }
    void arm(std::size_t, select_case& wish, select_plan&) noexcept {
        // What a case has stored it can send but once.
        wish.channel = sent_ ? nullptr : channel_.core();
        wish.sends = true;
        shade_leaving(value_);
        if constexpr (in_cell<T>) {
            wish.cell = const_cast<void*>(static_cast<const void*>(std::addressof(value_)));
        } else {
            wish.source = std::addressof(value_);
        }
    }
    void run(const selected& result) {
        if (result.status == chan_status::closed) throw_channel_closed();
        if constexpr (in_cell<T>) {
            forget(value_);
        } else if (result.permitted) {
            send_permitted<T>(*channel_.core(), result.permit, value_);
        }
        sent_ = !std::is_reference_v<Kept>;
        f_();
    }

private:
    case_channel channel_;
    Kept value_;
    [[no_unique_address]] F f_;
    bool sent_ = false;
};

/// `When` is a duration, counted from each wait, or a moment.
template <class When, class F>
class timeout_case {
public:
    timeout_case(When when, F f) : when_(when), f_(std::move(f)) {}

    void keep_channel() noexcept {}
    void arm(std::size_t index, select_case&, select_plan& plan) {
        plan.until(index, chan_deadline(when_));
    }
    void run(const selected&) { f_(); }

private:
    When when_;
    [[no_unique_address]] F f_;
};

template <class F>
class otherwise_case {
public:
    explicit otherwise_case(F f) : f_(std::move(f)) {}

    void keep_channel() noexcept {}
    void arm(std::size_t index, select_case&, select_plan& plan) noexcept { plan.otherwise(index); }
    void run(const selected&) { f_(); }

private:
    [[no_unique_address]] F f_;
};

template <class C>
concept is_case = requires(C& c, select_case& wish, select_plan& plan, const selected& result) {
    c.arm(std::size_t{}, wish, plan);
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
    virtual void run(const selected& result) = 0;
};

template <class Case>
class case_holder final : public any_case {
public:
    explicit case_holder(Case&& one) : case_(std::move(one)) {}
    void arm(std::size_t index, select_case& wish, select_plan& plan) override {
        case_.arm(index, wish, plan);
    }
    void run(const selected& result) override { case_.run(result); }

private:
    Case case_;
};

}  // namespace weft::detail
