// Coroutines: starting them, joining them, and what they can do to themselves.
//
// Unless a function says otherwise it may be called from a coroutine and from any other thread; the
// latter blocks as a thread does where a coroutine would park.
#pragma once

#include <weft/clock.hpp>
#include <weft/detail/call_site.hpp>
#include <weft/detail/task.hpp>
#include <weft/detail/thread_block.hpp>
#include <weft/detail/timed.hpp>
#include <weft/detail/wrong_call.hpp>
#include <weft/exceptions.hpp>

#include <atomic>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <iosfwd>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weft {

class id;

namespace detail {
class join_access;
id make_id(std::uint64_t) noexcept;
}  // namespace detail

/// Names a coroutine. Ids number the coroutines of a process in the order of their spawning, roughly,
/// and are never used twice. A default-constructed one names none.
class id {
public:
    constexpr id() noexcept = default;
    friend constexpr auto operator<=>(const id&, const id&) noexcept = default;
    [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return value_ != 0; }

    template <class Char, class Traits>
    friend std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                                        const id& which) {
        return out << which.value_;
    }

private:
    friend id detail::make_id(std::uint64_t) noexcept;
    constexpr explicit id(std::uint64_t value) noexcept : value_(value) {}

    std::uint64_t value_ = 0;
};

/// For set_affinity_hint() and spawn_options::affinity. Out of range as an unsigned, which clears too.
inline constexpr int no_affinity = -1;

struct spawn_options {
    std::string_view name = {};  // Copied. Shown in reports.
    int affinity = no_affinity;  // A processor to prefer; see set_affinity_hint().
    std::size_t stack_size = 0;  // 0: options.stack_size. Rounded up to a power of two.
};

namespace detail {

inline id make_id(std::uint64_t value) noexcept { return id(value); }

/// Waits until `c` has ended; throws `cancelled` when the calling coroutine is asked to stop first,
/// std::logic_error when it is `c` itself.
void join_wait(coroutine& c);
/// Asks `c` to stop and waits for its end, uncancellably; ends in the uncaught-exception report if
/// `c` ended by an exception. Gives the descriptor back.
void stop_and_join(coroutine& c) noexcept;
/// After join_wait: rethrows what ended `c`, unless it ended by returning.
void rethrow_outcome(coroutine& c);
void detach(coroutine& c) noexcept;

/// The one coroutine that a handle may join. Its owner alone changes it; stop() may be called
/// beside a join, and then pins the coroutine, so that the join does not give it back meanwhile.
class join_link {
public:
    join_link() noexcept = default;
    explicit join_link(coroutine* c) noexcept : c_(c) {}

    [[nodiscard]] coroutine* get() const noexcept { return c_.load(std::memory_order_relaxed); }
    /// Returns the coroutine and leaves none.
    [[nodiscard]] coroutine* take() noexcept {
        coroutine* const c = get();
        c_.store(nullptr, std::memory_order_relaxed);
        return c;
    }
    void put(coroutine* c) noexcept { c_.store(c, std::memory_order_relaxed); }

    /// Asks the coroutine to stop, if there is one still.
    void stop() noexcept;
    /// After join_wait(): gives the descriptor back. Destroys a result that has not been taken.
    void release(bool result_taken) noexcept;

private:
    class pin;
    std::atomic<coroutine*> c_{nullptr};
    std::atomic<std::uint32_t> pins_{0};
};
[[nodiscard]] std::uint64_t id_of(const coroutine& c) noexcept;
[[noreturn]] void throw_not_joinable();

}  // namespace detail

inline namespace WEFT_STACK_KIND {

/// Owns the right to join one coroutine, as std::jthread does for a thread. Movable; not to be used
/// by two threads at once, but for request_stop(), which may be called while another coroutine or
/// thread is in join().
template <class R>
class [[nodiscard]] join_handle {
public:
    join_handle() noexcept = default;
    join_handle(join_handle&& other) noexcept : link_(other.link_.take()) {}
    join_handle& operator=(join_handle&& other) noexcept {
        if (this != &other) {
            finish();
            link_.put(other.link_.take());
        }
        return *this;
    }

    /// Requests stop and joins, uncancellably, when still joinable. An exception that nobody joined
    /// ends in the uncaught-exception report.
    ~join_handle() { finish(); }

    /// Waits for the end and returns the result, or rethrows what ended the coroutine; throws
    /// coroutine_cancelled if that was `cancelled`. Once, from any thread: std::logic_error when not
    /// joinable. A cancellation point; if it throws `cancelled` the handle stays joinable.
    R join() {
        detail::coroutine* const c = link_.get();
        if (c == nullptr) detail::throw_not_joinable();
        detail::join_wait(*c);
        struct guard {
            detail::join_link& link;
            bool taken = false;
            ~guard() { link.release(taken); }
        } release{link_};
        detail::rethrow_outcome(*c);
        release.taken = true;
        return static_cast<detail::result_slot<R>*>(detail::frame_of(*c))->take();
    }

    [[nodiscard]] bool joinable() const noexcept { return link_.get() != nullptr; }

    /// Lets the coroutine go on alone; its result is dropped, and an exception that escapes it
    /// terminates. No effect when not joinable.
    void detach() noexcept {
        if (detail::coroutine* const c = link_.take()) detail::detach(*c);
    }

    /// Asks the coroutine to stop: its cancellation points throw `cancelled` from now on, and its
    /// stop token says so. No effect when not joinable or when it has ended. May be called while
    /// another coroutine or thread is in join(); the handle must live until this has returned.
    void request_stop() noexcept { link_.stop(); }

    [[nodiscard]] id get_id() const noexcept {
        const detail::coroutine* const c = link_.get();
        return c == nullptr ? id() : detail::make_id(detail::id_of(*c));
    }

private:
    friend class detail::join_access;
    friend detail::coroutine* coroutine_of(const join_handle& handle) noexcept {
        return handle.link_.get();
    }
    explicit join_handle(detail::coroutine& c) noexcept : link_(&c) {}

    void finish() noexcept {
        if (detail::coroutine* const c = link_.take()) detail::stop_and_join(*c);
    }

    detail::join_link link_;
};

}  // namespace WEFT_STACK_KIND

namespace detail {
class join_access {
public:
    template <class R>
    static join_handle<R> make(coroutine& c) noexcept {
        return join_handle<R>(c);
    }
};
}  // namespace detail

inline namespace WEFT_STACK_KIND {

/// Starts a coroutine that nobody joins. An exception that escapes it terminates the process, after a
/// report. std::logic_error when no runtime is up.
template <class F>
void go(F&& f, call_site where = call_site::current()) {
    detail::spawn_task(std::forward<F>(f), nullptr, nullptr, detail::spawn_mode::detached, where);
}
template <class F>
void go(const spawn_options& options, F&& f, call_site where = call_site::current()) {
    detail::spawn_task(std::forward<F>(f), &options, nullptr, detail::spawn_mode::detached, where);
}

/// Not go(f, a, b): capture instead, as in weft::go([=] { f(a, b); }).
template <class... A>
requires detail::wrong_coroutine_call<A...> detail::capture_the_arguments_instead go(A&&...)
= delete;

/// Starts a coroutine to be joined.
template <class F, class R = std::invoke_result_t<std::decay_t<F>>>
[[nodiscard]] join_handle<R> spawn(F&& f, call_site where = call_site::current()) {
    return detail::join_access::make<R>(detail::spawn_task(std::forward<F>(f), nullptr, nullptr,
                                                           detail::spawn_mode::joinable, where));
}
template <class F, class R = std::invoke_result_t<std::decay_t<F>>>
[[nodiscard]] join_handle<R> spawn(const spawn_options& options, F&& f,
                                   call_site where = call_site::current()) {
    return detail::join_access::make<R>(detail::spawn_task(std::forward<F>(f), &options, nullptr,
                                                           detail::spawn_mode::joinable, where));
}
template <class... A>
requires detail::wrong_coroutine_call<A...> detail::capture_the_arguments_instead spawn(A&&...)
= delete;

}  // namespace WEFT_STACK_KIND

/// Lets others run first. A cancellation point. On a foreign thread: std::this_thread::yield().
void yield();

/// A safepoint for loops that call nothing else of weft: yields when the coroutine has run long enough,
/// throws `cancelled` when it was asked to stop. About three loads and a branch otherwise.
[[gnu::always_inline]] inline void checkpoint() {
    if (detail::safepoint_due()) [[unlikely]]
        detail::safepoint_slow();
}

namespace detail {
void sleep_until(clock::time_point when);
void sleep_for(std::chrono::nanoseconds d);
}  // namespace detail

/// Waits until `when` has passed; never less. A cancellation point, also when it has passed already.
template <class Clock, class Duration>
void sleep_until(const std::chrono::time_point<Clock, Duration>& when) {
    if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
        detail::sleep_until(clock::time_point(detail::to_nanoseconds(when.time_since_epoch())));
    } else {
        do {
            detail::sleep_for(detail::time_left(when, Clock::now()));
        } while (!detail::time_is_up(when));
    }
}

/// Waits for `d`, or longer. A cancellation point, also when `d` is not positive.
template <class Rep, class Period>
void sleep_for(const std::chrono::duration<Rep, Period>& d) {
    detail::sleep_for(detail::to_nanoseconds(d));
}

/// The calling coroutine's id; a default one on other threads.
[[nodiscard]] id get_id() noexcept;

/// Names the calling coroutine in reports. The name is copied, and cut at 63 bytes.
void set_name(std::string_view name);

/// The name that set_name() or spawn_options::name gave, for logs; it is empty if nothing did, and on other threads. The view is
/// valid until the next set_name() or the coroutine's end.
[[nodiscard]] std::string_view get_name() noexcept;

[[nodiscard]] inline bool in_coroutine() noexcept {
    return detail::look(detail::this_thread_block()->current) != nullptr;
}

/// Prefers `processor` for this coroutine whenever it becomes ready. Soft: others may still take it.
/// Out of range is ignored; no_affinity clears.
void set_affinity_hint(unsigned processor) noexcept;

/// The calling coroutine's stop token: it stops when the coroutine is asked to. One that was asked for inside a with_timeout() also
/// stops when the earliest deadline around has passed, so what runs in blocking() can be told; it is of use until that section
/// is left. From a foreign thread: one that never stops. Throws std::bad_alloc.
[[nodiscard]] std::stop_token get_stop_token();

/// Returns the earliest deadline of the with_timeout() that the caller is in, to pass on to what takes a deadline of its own.
/// There is none outside of those, and on foreign threads.
[[nodiscard]] std::optional<clock::time_point> deadline() noexcept;

/// Returns how long that is away, by weft::clock; 0 when it has passed.
[[nodiscard]] std::optional<std::chrono::nanoseconds> time_left() noexcept;

/// No implicit preemption in this block; explicit yields and parks still happen.
struct [[nodiscard]] no_preempt {
    [[nodiscard]] no_preempt() noexcept;
    ~no_preempt();
    no_preempt(const no_preempt&) = delete;
    no_preempt& operator=(const no_preempt&) = delete;
};

/// No cancellation point throws in this block: for clean-up that must block.
struct [[nodiscard]] no_cancel {
    [[nodiscard]] no_cancel() noexcept;
    ~no_cancel();
    no_cancel(const no_cancel&) = delete;
    no_cancel& operator=(const no_cancel&) = delete;
};

/// While it lives the calling coroutine stays on this OS thread, and no other coroutine runs on it. For
/// GUI toolkits and libraries that keep state in the thread. Nests. No effect on foreign threads.
struct [[nodiscard]] thread_lock {
    [[nodiscard]] thread_lock();
    ~thread_lock();
    thread_lock(const thread_lock&) = delete;
    thread_lock& operator=(const thread_lock&) = delete;
};

namespace detail {

/// A call through a plain function pointer, on another stack or thread: what f returns or throws comes back here.
template <class F>
struct carried_call {
    using R = std::invoke_result_t<F>;

    explicit carried_call(F& callee) noexcept : f(callee) {}

    static void run(void* argument) {
        auto& c = *static_cast<carried_call*>(argument);
        try {
            auto invoke = [&c]() -> R { return std::invoke(std::forward<F>(c.f)); };
            c.result.fill(invoke);
        } catch (...) {
            c.error = std::current_exception();
        }
    }
    R finish() {
        if (error) std::rethrow_exception(std::move(error));
        return result.take();
    }

    std::remove_reference_t<F>& f;
    result_slot<R> result;
    std::exception_ptr error;
};

/// Calls f(argument) on a borrowed stack of at least `bytes`; f must not throw.
void call_on_big_stack(void (*f)(void*), void* argument, std::size_t bytes);

/// What has been learned of one place in the program that calls blocking(): how long its calls take.
struct blocking_site {
    std::atomic<std::uint32_t> typical_ns{unknown};
    static constexpr std::uint32_t unknown = ~std::uint32_t{0};
};

/// Calls f(argument), which must not throw, as a declared blocking call of the calling coroutine.
void call_blocking(blocking_site& site, void (*f)(void*), void* argument);

/// How an await looks again and again: sleeping in between, for an eighth of the time that it has waited so far, from 20 us to
/// 10 ms.
class await_pause {
public:
    /// A cancellation point, and a scheduling point under simulate.
    void operator()();

private:
    std::int64_t waited_ns_ = 0;
};

[[nodiscard]] bool simulated() noexcept;
/// A blocking call under simulate, which runs in place.
class simulated_call {
public:
    simulated_call() noexcept;
    ~simulated_call();
    simulated_call(const simulated_call&) = delete;
    simulated_call& operator=(const simulated_call&) = delete;

private:
    bool marked_ = false;
};

}  // namespace detail

/// Runs f on a borrowed stack of at least `bytes`, given back on return. For libraries that need more
/// than a coroutine has. f may park. On a foreign thread f runs in place.
template <class F>
decltype(auto) on_big_stack(F&& f, std::size_t bytes = std::size_t{64} * 1024) {
    detail::carried_call<F> call{f};
    detail::call_on_big_stack(&detail::carried_call<F>::run, &call, bytes);
    return call.finish();
}

/// A declared blocking call: the processor goes on without us. f runs on a thread that may block, one of at most
/// options.max_blocking; further calls wait their turn, first come first served. (Where calls from here have
/// mostly been over within 10 us it runs in place, until it takes longer.) Inside, the thread counts as
/// foreign: weft operations block it. Nested, or on a foreign thread: just calls f. Not interruptible.
template <class F>
decltype(auto) blocking(F&& f) {
    if (!in_coroutine()) return std::invoke(std::forward<F>(f));
    if (detail::simulated()) {
        const detail::simulated_call in_place;
        const no_cancel to_the_end;
        return std::invoke(std::forward<F>(f));
    }
    // One for each type of f: a lambda's is its place.
    static constinit detail::blocking_site site;
    detail::carried_call<F> call{f};
    detail::call_blocking(site, &detail::carried_call<F>::run, &call);
    return call.finish();
}

/// Waits for the future without stalling a processor or taking up a thread: it is polled, ever more rarely; a future
/// that takes long is noticed up to an eighth of its time late, and 10 ms at most. A cancellation point.
template <class T>
T await(std::future<T> future) {
    using namespace std::chrono_literals;
    if (in_coroutine()) {
        checkpoint();
        detail::await_pause pause;
        while (future.wait_for(0s) == std::future_status::timeout) pause();
    }
    return future.get();
}

}  // namespace weft

#include <weft/detail/local.hpp>

template <>
struct std::hash<weft::id> {
    std::size_t operator()(const weft::id& which) const noexcept {
        return std::hash<std::uint64_t>()(which.value());
    }
};

#include <weft/join_set.hpp>
