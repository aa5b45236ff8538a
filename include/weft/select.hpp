// Waiting for several channels at once.
#pragma once

#include <weft/chan.hpp>
#include <weft/detail/select_case.hpp>
#include <weft/detail/select_core.hpp>
#include <weft/detail/stack_kind.hpp>
#include <weft/detail/wrong_call.hpp>
#include <weft/exceptions.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft {

inline namespace WEFT_STACK_KIND {
template <class R>
class join_handle;
}

namespace detail {

struct coroutine;

/// A channel that is closed when `c` has ended; the reference is the caller's. std::logic_error for null, and while
/// somebody joins it.
[[nodiscard]] channel_core* end_channel_of(coroutine* c);

template <class F>
struct ended_action {
    [[no_unique_address]] F f;
    void operator()(bool) { f(); }
};

}  // namespace detail

/// A case that receives: calls f(std::optional<T>), without a value when the channel is closed and drained; of a
/// chan<void> f(bool); or f(), if that is all that f takes. An lvalue channel must outlive the case, an rvalue is kept in it: on_recv(after(1s), f).
template <class Channel, class F = detail::no_action>
[[nodiscard]] auto on_recv(Channel&& c, F f = {}) {
    static_assert(detail::receives_from<Channel>,
                  "weft::on_recv(channel, f): what it receives from is a chan or a receiver");
    using T = detail::received_through<std::remove_cvref_t<Channel>>;
    static_assert(
        detail::takes_received<F, T>,
        "weft::on_recv(channel, f): f takes std::optional<T>, which is empty when the channel is "
        "closed; of a chan<void> a bool; or nothing");
    return detail::recv_case<T, F>(detail::case_channel(std::forward<Channel>(c)), std::move(f));
}

/// A case that sends `value` and then calls f(). An lvalue is referenced and must outlive the case, an rvalue is stored
/// in it; it is moved from only when the case is chosen. (So one value may be in several cases.) In a select_set a
/// value that is stored is sent once; then the case is never ready again. select throws channel_closed when it
/// meets a closed channel.
template <class Channel, class F = detail::no_action>
requires(!std::is_void_v<detail::sent_by<Channel>>)
    [[nodiscard]] auto on_send(Channel&& c, detail::sent_by<Channel>& value, F f = {}) {
    using T = detail::sent_by<Channel>;
    return detail::send_case<T, T&, F>(detail::case_channel(std::forward<Channel>(c)), value,
                                       std::move(f));
}
template <class Channel, class F = detail::no_action>
requires(!std::is_void_v<detail::sent_by<Channel>>)
    [[nodiscard]] auto on_send(Channel&& c, detail::sent_by<Channel>&& value, F f = {}) {
    using T = detail::sent_by<Channel>;
    return detail::send_case<T, T, F>(detail::case_channel(std::forward<Channel>(c)),
                                      std::move(value), std::move(f));
}
template <class Channel, class F = detail::no_action>
requires std::is_copy_constructible_v<detail::sent_by<Channel>>
[[nodiscard]] auto on_send(Channel&& c, const detail::sent_by<Channel>& value, F f = {}) {
    using T = detail::sent_by<Channel>;
    return detail::send_case<T, T, F>(detail::case_channel(std::forward<Channel>(c)), value,
                                      std::move(f));
}

/// The same for chan<void>.
template <class Channel, class F = detail::no_action>
requires std::is_void_v<typename detail::channel_ends<std::remove_cvref_t<Channel>>::sent>
[[nodiscard]] auto on_send(Channel&& c, F f = {}) {
    return detail::send_case<detail::unit, detail::unit, F>(
        detail::case_channel(std::forward<Channel>(c)), detail::unit(), std::move(f));
}

/// A case that can go on once the coroutine has ended, however it did: calls f(). The handle's
/// join() fetches the result, or the exception, and does not wait then. (In a select_set remove the case then, because it can go on from there on.) The
/// handle may go before the case. std::logic_error when it is not joinable, or is being joined. Needs <weft/go.hpp>.
template <class R, class F = detail::no_action>
[[nodiscard]] auto on_join(const join_handle<R>& handle, F f = {}) {
    static_assert(std::is_invocable_v<F&>, "weft::on_join(handle, f): f takes no arguments");
    detail::channel_handle end(detail::end_channel_of(coroutine_of(handle)));
    return detail::recv_case<void, detail::ended_action<F>>(detail::case_channel(std::move(end)),
                                                            {std::move(f)});
}

/// The case that is chosen when no other could go on for so long, counted from each wait.
template <class Rep, class Period, class F = detail::no_action>
[[nodiscard]] auto on_timeout(std::chrono::duration<Rep, Period> d, F f = {}) {
    static_assert(std::is_invocable_v<F&>, "weft::on_timeout(d, f): f takes no arguments");
    return detail::timeout_case<std::chrono::duration<Rep, Period>, F>(d, std::move(f));
}
/// Or until `when`. (A clock that is set while the select waits does not move the end of the wait.)
template <class Clock, class Duration, class F = detail::no_action>
[[nodiscard]] auto on_timeout(std::chrono::time_point<Clock, Duration> when, F f = {}) {
    static_assert(std::is_invocable_v<F&>, "weft::on_timeout(when, f): f takes no arguments");
    return detail::timeout_case<std::chrono::time_point<Clock, Duration>, F>(when, std::move(f));
}

/// The case that is chosen when no other can go on at once.
template <class F = detail::no_action>
[[nodiscard]] auto otherwise(F f = {}) {
    static_assert(std::is_invocable_v<F&>, "weft::otherwise(f): f takes no arguments");
    return detail::otherwise_case<F>(std::move(f));
}

template <class When, class F = detail::no_action>
requires detail::wrong_time<When> detail::give_a_duration_such_as_5ms on_timeout(const When&,
                                                                                 F = {})
= delete;

/// Waits until one of the cases can go on, lets that one go on, calls its function, and returns its index. Among
/// several that can it picks at random, each as likely; the others are as if they had not been there. The function
/// runs behind all that: exceptions leave select, and it may use the same channels. A cancellation point. From any
/// coroutine or thread.
///
/// Allocates nothing but the boxes of values that need one. The same channel may be in several cases. Without any it
/// blocks until it is cancelled.
template <class... Cases>
requires(detail::is_case<std::remove_cvref_t<Cases>>&&...) std::size_t select(Cases&&... cases) {
    constexpr std::size_t count = sizeof...(Cases);
    const auto all = std::tie(cases...);
    std::array<detail::select_case, count> table;
    detail::select_plan plan;
    const auto each = [&](auto&& f) {
        [&]<std::size_t... I>(std::index_sequence<I...>) { (f(I, std::get<I>(all)), ...); }
        (std::make_index_sequence<count>());
    };
    each([&](std::size_t i, auto& one) { one.arm(i, table[i], plan); });
    const detail::selected result = detail::select_cells(table.data(), count, plan.deadline);
    const std::size_t chosen = plan.chosen(result);
    each([&](std::size_t i, auto& one) {
        if (i == chosen) one.run(result);
    });
    return chosen;
}

/// The same over cases that are known only at run time. Cases stay from one wait to the next; channels are kept, lvalue
/// or not. Movable; to be used by one coroutine or thread at a time. A function that a wait calls may add and
/// remove cases, its own too, and may wait on the set again.
class [[nodiscard]] select_set {
public:
    select_set() = default;
    /// A set that was moved from is empty.
    select_set(select_set&& other) noexcept
        : cases_(std::move(other.cases_)), size_(std::exchange(other.size_, 0)),
          first_free_(std::exchange(other.first_free_, 0)),
          lock_order_(std::move(other.lock_order_)) {
        other.cases_.clear();
        other.lock_order_.clear();
    }
    select_set& operator=(select_set&& other) noexcept {
        // What was here is destroyed when the set is whole again: a destructor may use it.
        const select_set before(std::move(*this));
        cases_ = std::move(other.cases_);
        other.cases_.clear();
        size_ = std::exchange(other.size_, 0);
        first_free_ = std::exchange(other.first_free_, 0);
        lock_order_ = std::move(other.lock_order_);
        other.lock_order_.clear();
        return *this;
    }
    ~select_set() = default;

    /// Returns the index of the case: that of one that was removed, or else the next.
    template <class Case>
    requires detail::is_case<Case> std::size_t add(Case one) {
        one.keep_channel();
        return insert(detail::make_carried<detail::case_holder<Case>, Case>(std::move(one)));
    }

    /// Throws std::out_of_range when there is no such case.
    void remove(std::size_t index);

    /// How many cases there are.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// As select(). With no case at all it blocks until it is cancelled.
    std::size_t wait();
    /// nullopt when no case can go on at once.
    std::optional<std::size_t> try_wait();

private:
    std::size_t insert(std::shared_ptr<detail::any_case> one);
    std::size_t run(bool waits);

    std::vector<std::shared_ptr<detail::any_case>> cases_;  // Null: removed.
    std::size_t size_ = 0;
    std::size_t first_free_ = 0;  // No case before it was removed.
    std::vector<std::uint32_t>
        lock_order_;  // Of the last wait, when there are many; see lock_order.hpp.
};

}  // namespace weft
