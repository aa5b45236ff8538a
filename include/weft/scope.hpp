// Structured concurrency: coroutines that do not outlive the block that started them.
#pragma once

#include <weft/detail/call_site.hpp>
#include <weft/detail/scope_core.hpp>
#include <weft/detail/wrong_call.hpp>
#include <weft/exceptions.hpp>
#include <weft/go.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace weft {

inline namespace WEFT_STACK_KIND {

/// No child outlives it. Children may themselves call go() and spawn() on it, also while it is
/// joined. The first exception that leaves a child cancels the others and is rethrown by join();
/// children that end by `cancelled` are no exception. Works on foreign threads too, which then
/// block.
///
/// Declare it after what its children use, because an exception between go() and join() destroys
/// the later locals first.
class [[nodiscard]] scope {
public:
    [[nodiscard]] explicit scope(scope_options options = {}) : core_(options.limit) {}

    /// Cancels and joins, uncancellably, when not joined; an exception of a child is then dropped.
    ~scope() = default;

    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

    /// Starts a child. With a limit it first waits for a place, which is a cancellation point. (So a
    /// child that adds children to its own full scope waits for a place while it holds one.)
    template <class F>
    void go(F&& f, call_site where = call_site::current()) {
        detail::spawn_task(std::forward<F>(f), nullptr, &core_, detail::spawn_mode::detached,
                           where);
    }
    template <class F>
    void go(const spawn_options& options, F&& f, call_site where = call_site::current()) {
        detail::spawn_task(std::forward<F>(f), &options, &core_, detail::spawn_mode::detached,
                           where);
    }
    template <class... A>
    requires detail::wrong_coroutine_call<A...> detail::capture_the_arguments_instead go(A&&...)
    = delete;

    /// The same with a handle, whose destructor cancels the child and joins it. An exception of the
    /// child reaches the handle's join() and fails the scope as well.
    template <class F, class R = std::invoke_result_t<std::decay_t<F>>>
    [[nodiscard]] join_handle<R> spawn(F&& f, call_site where = call_site::current()) {
        return detail::join_access::make<R>(detail::spawn_task(
            std::forward<F>(f), nullptr, &core_, detail::spawn_mode::joinable, where));
    }
    template <class F, class R = std::invoke_result_t<std::decay_t<F>>>
    [[nodiscard]] join_handle<R> spawn(const spawn_options& options, F&& f,
                                       call_site where = call_site::current()) {
        return detail::join_access::make<R>(detail::spawn_task(
            std::forward<F>(f), &options, &core_, detail::spawn_mode::joinable, where));
    }

    template <class... A>
    requires detail::wrong_coroutine_call<A...> detail::capture_the_arguments_instead spawn(A&&...)
    = delete;

    /// Waits until every child has ended; rethrows the first exception of one. A cancellation
    /// point. Before it throws `cancelled` it cancels the children, and the coroutine that made the
    /// scope waits for them, uncancellably: no child is left then. std::logic_error on a foreign
    /// thread while there is a simulation.
    void join() { core_.join(); }

    /// Requests stop on every child, and on later ones as they start. No effect on a foreign thread while
    /// there is a simulation.
    void cancel() noexcept { core_.cancel(); }

private:
    detail::scope_core core_;
};

/// Calls f(scope), waits until every child has ended, and returns what f returned. The first
/// exception of a child, or of f itself, which cancels the children, is rethrown after that. Safer
/// than a scope among other locals: what is declared outside of f outlives the children. The locals
/// of f itself do not.
template <class F>
auto with_scope(scope_options options, F&& f) -> std::invoke_result_t<F, scope&> {
    using R = std::invoke_result_t<F, scope&>;
    scope children(options);
    if constexpr (std::is_void_v<R>) {
        std::invoke(std::forward<F>(f), children);
        children.join();
    } else if constexpr (std::is_reference_v<R>) {
        R result = std::invoke(std::forward<F>(f), children);
        children.join();
        return static_cast<R>(result);
    } else {
        R result = std::invoke(std::forward<F>(f), children);
        children.join();
        return result;
    }
}
template <class F>
auto with_scope(F&& f) -> std::invoke_result_t<F, scope&> {
    return with_scope(scope_options(), std::forward<F>(f));
}

}  // namespace WEFT_STACK_KIND

namespace detail {

class deadline_stop;

/// A cancel scope with a deadline: past it the coroutine's cancellation points throw `cancelled`.
class [[nodiscard]] deadline_section {
public:
    explicit deadline_section(clock::time_point deadline);
    ~deadline_section();
    deadline_section(const deadline_section&) = delete;
    deadline_section& operator=(const deadline_section&) = delete;

    /// Whether a `cancelled` that arrives here was caused by this deadline and by nothing outside.
    [[nodiscard]] bool expired_alone() const noexcept;

private:
    friend struct deadline_access;
    coroutine* self_;
    deadline_section* outer_ = nullptr;
    clock::time_point deadline_;
    deadline_stop* stop_ = nullptr;  // Of the tokens that were asked for here.
};

}  // namespace detail

/// Runs f here. Once `d` has passed its cancellation points throw `cancelled`, and when that leaves f,
/// with_timeout throws timed_out. Only its own expiry does: an outer deadline or a request to stop
/// passes through as `cancelled`. If f returns a value, that value wins. std::logic_error outside of
/// coroutines.
template <class Rep, class Period, class F>
auto with_timeout(const std::chrono::duration<Rep, Period>& d, F&& f) -> std::invoke_result_t<F> {
    const detail::deadline_section section(detail::deadline_after(detail::to_nanoseconds(d)));
    try {
        return std::invoke(std::forward<F>(f));
    } catch (const cancelled&) {
        if (section.expired_alone()) throw timed_out();
        throw;
    }
}

}  // namespace weft
