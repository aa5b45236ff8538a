// A value of which readers want the latest: configuration, a phase of the shutdown, the leader of
// the moment.
#pragma once

#include <weft/chan.hpp>
#include <weft/detail/gc_carrier.hpp>
#include <weft/detail/operation.hpp>
#include <weft/sync/mutex.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace weft {
namespace detail {

/// The handles of one watch share this. Versions count the values; each has a channel that is
/// closed when the next comes.
template <class T>
struct watch_state {
    explicit watch_state(T&& initial) : value(std::move(initial)) {}

    mutex lock;  // Guards the rest.
    T value;
    std::uint64_t version = 0;
    bool closed = false;
    chan<void> superseded;
};

}  // namespace detail

template <class T>
class watch_reader;

/// A handle to a value that changes, and of which readers are told. Copies name the same value. Any
/// coroutine and any thread may use it at any time, also before a runtime is up. T is copyable;
/// copies are made under a lock, so they should be cheap: a std::shared_ptr<const ...> for what is
/// large.
template <class T>
class watch {
    static_assert(std::is_copy_constructible_v<T> && std::is_move_assignable_v<T>,
                  "weft::watch<T>: readers get copies of the value, and set() replaces it");

public:
    explicit watch(T initial = T())
        : state_(detail::make_carried<detail::watch_state<T>, T>(std::move(initial))) {}

    /// Replaces the value. Does not wait for readers, of which a slow one misses values. Throws
    /// channel_closed after close().
    void set(T value) const {
        change([&](T& now) { std::swap(now, value); });
    }

    /// Calls f(T&) under the lock, and tells the readers. If f throws they are not told. Throws as
    /// set() does.
    template <class F>
    void update(F&& f) const {
        change(std::forward<F>(f));
    }

    /// The value as it is now.
    [[nodiscard]] T get() const {
        const std::lock_guard hold(state_->lock);
        return state_->value;
    }

    /// There will be no other value; whoever waits for one hears of it. No effect when it is closed
    /// already.
    void close() const {
        const std::lock_guard hold(state_->lock);
        if (std::exchange(state_->closed, true)) return;
        state_->superseded.close();
    }

    /// A reader that has seen no value yet, so its next() returns at once.
    [[nodiscard]] watch_reader<T> subscribe() const { return watch_reader<T>(state_); }

private:
    template <class F>
    void change(F&& f) const {
        chan<void> told;  // What it is exchanged for: the channel of the value to come.
        {
            const std::lock_guard hold(state_->lock);
            if (state_->closed) throw channel_closed();
            std::forward<F>(f)(state_->value);
            ++state_->version;
            std::swap(told, state_->superseded);
        }
        told.close();
    }

    std::shared_ptr<detail::watch_state<T>> state_;
};

/// Remembers which value of a watch one reader has seen last. Copyable; a copy goes on from the
/// same value. To be used by one coroutine or thread at a time. It keeps the value alive. Nobody
/// but close() closes it.
template <class T>
class watch_reader {
public:
    /// Waits until there is a value that this reader has not seen, and returns the latest; nullopt
    /// once the watch is closed and its last value has been seen. A cancellation point.
    [[nodiscard]] std::optional<T> next() {
        return wait_for_next([](const chan<void>& c) {
            static_cast<void>(c.recv());
            return true;
        });
    }

    /// The same, for `d` at most: nullopt then, too.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<T> next_for(std::chrono::duration<Rep, Period> d) {
        return wait_for_next(
            [until = detail::deadline_after(detail::to_nanoseconds(d))](const chan<void>& c) {
                return c.recv_until(until) != chan_status::timeout;
            });
    }

    /// The latest value, if this reader has not seen it. Does not wait.
    [[nodiscard]] std::optional<T> try_next() {
        const std::lock_guard hold(state_->lock);
        if (!is_new()) return std::nullopt;
        return take();
    }

    /// The latest value, seen or not; now it has been.
    [[nodiscard]] T get() {
        const std::lock_guard hold(state_->lock);
        return take();
    }

    /// For select: a channel that is closed as soon as there is a value that this reader has not
    /// seen, or the watch has been closed. on_recv(reader.changed(), f) calls f(); then try_next()
    /// has the value, or nothing, because the watch is closed.
    [[nodiscard]] receiver<void> changed() const {
        chan<void> told;
        const std::lock_guard hold(state_->lock);
        if (!is_new()) return state_->superseded;
        told.close();
        return told;
    }

    [[nodiscard]] bool closed() const {
        const std::lock_guard hold(state_->lock);
        return state_->closed;
    }

private:
    friend class watch<T>;
    explicit watch_reader(std::shared_ptr<detail::watch_state<T>> state) noexcept
        : state_(std::move(state)) {}

    [[nodiscard]] bool is_new() const noexcept { return !seen_ || *seen_ != state_->version; }
    [[nodiscard]] T take() {
        T value = state_->value;
        seen_ = state_->version;
        return value;
    }

    // `wait` returns false when the time has passed.
    template <class Wait>
    std::optional<T> wait_for_next(Wait&& wait) {
        detail::cancellable_operation_point();
        for (bool in_time = true;;) {
            chan<void> superseded = chan<void>::none();
            {
                const std::lock_guard hold(state_->lock);
                if (is_new()) return take();
                if (state_->closed || !in_time) return std::nullopt;
                superseded = state_->superseded;
            }
            in_time = wait(superseded);
        }
    }

    std::shared_ptr<detail::watch_state<T>> state_;
    std::optional<std::uint64_t> seen_;
};

}  // namespace weft
