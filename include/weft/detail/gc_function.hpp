// weft::gc::function<R(A...)>: a callable whose captures may hold gc::ptr.
#pragma once

#include <weft/detail/channel_value.hpp>
#include <weft/detail/gc_make.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

namespace weft::detail {

template <class R, class... A>
struct gc_callable {
    using invoker = R (*)(gc_callable&, A&&...);
    explicit gc_callable(invoker f) noexcept : invoke(f) {}
    const invoker invoke;
};

template <class F, class R, class... A>
struct gc_closure final : gc_callable<R, A...> {
    using base = gc_callable<R, A...>;

    template <class Callable>
    // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): only made from a function.
    explicit gc_closure(Callable&& from) : base(&call), callee(std::forward<Callable>(from)) {}

    static R call(base& self, A&&... a) {
        F& f = static_cast<gc_closure&>(self).callee;
        if constexpr (std::is_void_v<R>) {
            std::invoke(f, std::forward<A>(a)...);
        } else {
            return std::invoke(f, std::forward<A>(a)...);
        }
    }

    F callee;
};

}  // namespace weft::detail

namespace weft::gc {

template <class Signature>
class function;

/// As std::function, but the closure lies in the collected heap, where its captures are traced; std::function hides
/// them in malloc memory. One word. Copies share one closure, as copies of a std::shared_ptr share their object: a
/// mutable closure changes for all of them, and those who call it at the same time must agree on that. So a copy
/// never throws, and the callable need not be copyable.
///
/// To construct one of a callable is a gc::make(), and may throw what that throws.
template <class R, class... A>
class function<R(A...)> {
    template <class F>
    static constexpr bool takes = !std::same_as<std::remove_cvref_t<F>, function> &&
                                  std::is_invocable_r_v<R, std::decay_t<F>&, A...>;

public:
    using result_type = R;

    constexpr function() noexcept = default;
    constexpr function(std::nullptr_t) noexcept {}
    function(const function&) noexcept = default;
    function(function&&) noexcept = default;
    template <class F>
    // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): takes<F> excludes it.
    requires takes<F> function(F&& f) {
        using callee = std::decay_t<F>;
        if constexpr (std::is_pointer_v<callee> || std::is_member_pointer_v<callee>) {
            if (f == nullptr) return;
        }
        closure_ = make<weft::detail::gc_closure<callee, R, A...>>(std::forward<F>(f));
    }
    function& operator=(const function&) noexcept = default;
    function& operator=(function&&) noexcept = default;
    function& operator=(std::nullptr_t) noexcept {
        closure_ = nullptr;
        return *this;
    }
    template <class F>
    requires takes<F> function& operator=(F&& f) {
        closure_ = function(std::forward<F>(f)).closure_;
        return *this;
    }

    /// std::bad_function_call if it is empty.
    R operator()(A... a) const {
        auto* const closure = closure_.get();
        if (closure == nullptr) throw std::bad_function_call();
        return closure->invoke(*closure, std::forward<A>(a)...);
    }
    [[nodiscard]] explicit operator bool() const noexcept { return closure_ != nullptr; }

    void swap(function& other) noexcept { closure_.swap(other.closure_); }
    friend void swap(function& a, function& b) noexcept { a.swap(b); }
    [[nodiscard]] friend bool operator==(const function& f, std::nullptr_t) noexcept {
        return f.closure_ == nullptr;
    }

private:
    ptr<weft::detail::gc_callable<R, A...>> closure_;
};

template <class R, class... A>
function(R (*)(A...)) -> function<R(A...)>;

}  // namespace weft::gc

namespace weft::detail {

template <class Signature>
inline constexpr bool bitwise_movable<gc::function<Signature>> = true;
template <class Signature>
inline constexpr bool gc_has_barrier<gc::function<Signature>> = true;

template <class>
struct gc_call_signature {};
template <class R, class C, bool N, class... A>
struct gc_call_signature<R (C::*)(A...) noexcept(N)> {
    using type = R(A...);
};
template <class R, class C, bool N, class... A>
struct gc_call_signature<R (C::*)(A...) const noexcept(N)> {
    using type = R(A...);
};
template <class R, class C, bool N, class... A>
struct gc_call_signature<R (C::*)(A...)& noexcept(N)> {
    using type = R(A...);
};
template <class R, class C, bool N, class... A>
struct gc_call_signature<R (C::*)(A...) const& noexcept(N)> {
    using type = R(A...);
};

}  // namespace weft::detail

namespace weft::gc {
template <class F>
function(F) -> function<typename weft::detail::gc_call_signature<decltype(&F::operator())>::type>;
}  // namespace weft::gc
