// Calls that can't be meant. The overloads that take them are deleted, and say by what they return
// what to write instead.
#pragma once

#include <weft/detail/call_site.hpp>

#include <chrono>
#include <type_traits>

namespace weft {
struct spawn_options;
}  // namespace weft

namespace weft::detail {

/// A function that a coroutine can begin with.
template <class F>
concept coroutine_function = std::is_invocable_v<std::decay_t<F>>;

template <class T>
inline constexpr bool is_spawn_options = std::is_convertible_v<T, const spawn_options&>;
template <class T>
inline constexpr bool is_call_site = std::is_same_v<std::remove_cvref_t<T>, call_site>;

template <class... A>
inline constexpr bool starts_coroutine = false;
template <class F>
inline constexpr bool starts_coroutine<F> = coroutine_function<F>;
template <class A, class B>
inline constexpr bool starts_coroutine<A, B> = (coroutine_function<A> && is_call_site<B>) ||
                                               (is_spawn_options<A> && coroutine_function<B>);
template <class A, class B, class C>
inline constexpr bool starts_coroutine<A, B, C> =
    is_spawn_options<A>&& coroutine_function<B>&& is_call_site<C>;

/// go(f, 3), as with std::thread, or a function that wants arguments.
template <class... A>
concept wrong_coroutine_call = sizeof...(A) != 0 && !starts_coroutine<A...>;

/// A time without its unit, as in on_timeout(5).
template <class Rep, class Period>
void take_time(const std::chrono::duration<Rep, Period>&);
template <class Clock, class Duration>
void take_time(const std::chrono::time_point<Clock, Duration>&);
template <class T>
concept wrong_time = !requires(const T& t) {
    take_time(t);
};

// The deleted overloads return these, because compilers print the return type.
struct capture_the_arguments_instead {};
struct give_a_duration_such_as_5ms {};

}  // namespace weft::detail
