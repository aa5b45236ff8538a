// Values that every subscriber gets.
#pragma once

#include <weft/chan.hpp>
#include <weft/clock.hpp>
#include <weft/detail/gc_carrier.hpp>
#include <weft/sync/condition_variable.hpp>
#include <weft/sync/mutex.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace weft {

/// Says what send() does when there is no room, because a subscriber has not taken the oldest value.
enum class when_full {
    wait,        // It waits.
    drop_oldest  // It drops the oldest; missed() counts that for those who had not taken it.
};

namespace detail {

/// The handles of one broadcast share this: the values that somebody has still to take, in order.
/// Each value is an object of its own, because then it is copied and destroyed under no lock.
///
/// Whenever the lock is free, takers is positive in every entry and never falls from one entry to
/// the next: a subscriber takes in order, and whoever leaves counts itself out of all. So one
/// take() empties the front at most, and nothing behind it.
template <class T>
struct broadcast_state {
    struct shared_value {
        T value;
        // Links those that one subscriber leaves behind.
        std::shared_ptr<shared_value> next_dropped;
    };
    using pointer = std::shared_ptr<shared_value>;
    struct entry {
        pointer value;
        std::size_t takers;  // How many have still to take it.
    };

    broadcast_state(std::size_t room_for, when_full what) : capacity(room_for), policy(what) {}

    [[nodiscard]] std::uint64_t end() const noexcept { return first + kept.size(); }
    [[nodiscard]] entry& at(std::uint64_t number) noexcept {
        return kept[static_cast<std::size_t>(number - first)];
    }
    [[nodiscard]] pointer drop_oldest() noexcept {
        pointer oldest = std::move(kept.front().value);
        kept.pop_front();
        ++first;
        return oldest;
    }
    /// The oldest, if nobody has still to take it.
    [[nodiscard]] pointer drop_taken() noexcept {
        if (kept.empty() || kept.front().takers != 0) return nullptr;
        return drop_oldest();
    }

    const std::size_t capacity;
    const when_full policy;
    mutex lock;
    condition_variable room;
    condition_variable more;
    std::deque<entry> kept;
    std::uint64_t first = 0;  // The number of kept.front().
    std::size_t subscribers = 0;
    bool closed = false;
};

}  // namespace detail

template <class T>
class subscription;

/// A handle to a stream of values of which every subscriber gets each one that is sent after it has
/// subscribed, in one order for all. Copies name the same stream. Any coroutine and any thread may
/// use it at any time. T is copyable: each subscriber gets a copy.
template <class T>
class broadcast {
    static_assert(std::is_copy_constructible_v<T>,
                  "weft::broadcast<T>: every subscriber gets a copy of the value");

public:
    /// At most `capacity` values wait for the slowest subscriber. std::invalid_argument when it is
    /// 0.
    explicit broadcast(std::size_t capacity, when_full what = when_full::wait)
        : state_(std::make_shared<detail::broadcast_state<T>>(positive(capacity), what)) {}

    /// Returns how many subscribers will get it; without any it goes nowhere. Waits while there is
    /// no room, unless it drops the oldest. A cancellation point, and as it throws `cancelled`
    /// nobody gets the value. Throws channel_closed after close().
    std::size_t send(T value) const {
        detail::broadcast_state<T>& s = *state_;
        using shared_value = typename detail::broadcast_state<T>::shared_value;
        typename detail::broadcast_state<T>::pointer dropped;  // Destroyed under no lock.
        auto one = detail::make_carried<shared_value, T>(shared_value{std::move(value), nullptr});
        std::unique_lock hold(s.lock);
        s.room.wait(hold, [&s] {
            return s.closed || s.policy == when_full::drop_oldest || s.kept.size() < s.capacity;
        });
        if (s.closed) throw channel_closed();
        if (s.subscribers == 0) return 0;
        s.kept.push_back({std::move(one), s.subscribers});
        if (s.kept.size() > s.capacity) dropped = s.drop_oldest();
        s.more.notify_all();
        return s.subscribers;
    }

    /// Nothing more will be sent; subscribers take what they have not taken yet. No effect when it
    /// is closed already.
    void close() const {
        const std::lock_guard hold(state_->lock);
        state_->closed = true;
        state_->room.notify_all();
        state_->more.notify_all();
    }

    [[nodiscard]] subscription<T> subscribe() const { return subscription<T>(state_); }

    [[nodiscard]] std::size_t subscribers() const {
        const std::lock_guard hold(state_->lock);
        return state_->subscribers;
    }

private:
    static std::size_t positive(std::size_t capacity) {
        if (capacity != 0) return capacity;
        throw std::invalid_argument("weft::broadcast: the capacity must be positive");
    }

    std::shared_ptr<detail::broadcast_state<T>> state_;
};

/// One subscriber of a broadcast, from subscribe() to its destruction. Movable; one that was moved
/// from may be assigned to or destroyed. To be used by one coroutine or thread at a time. Nobody
/// but close() closes the broadcast.
template <class T>
class [[nodiscard]] subscription {
public:
    subscription(subscription&&) noexcept = default;
    subscription& operator=(subscription&& other) noexcept {
        if (this != &other) {
            leave();
            state_ = std::move(other.state_);
            next_ = other.next_;
            missed_ = other.missed_;
        }
        return *this;
    }
    ~subscription() { leave(); }

    /// Waits for the next value; nullopt when the broadcast is closed and drained. A cancellation
    /// point.
    [[nodiscard]] std::optional<T> recv() {
        return receive([](state& s, std::unique_lock<mutex>& hold, auto&& ready) {
            s.more.wait(hold, ready);
        });
    }
    /// The same, for `d` at most: nullopt then, too.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<T> recv_for(std::chrono::duration<Rep, Period> d) {
        return receive([&](state& s, std::unique_lock<mutex>& hold, auto&& ready) {
            static_cast<void>(s.more.wait_for(hold, d, ready));
        });
    }
    /// Does not wait, and is no cancellation point: nullopt when there is none now, or will be
    /// none.
    [[nodiscard]] std::optional<T> try_recv() {
        return receive([](state&, std::unique_lock<mutex>&, auto&&) {});
    }

    /// Returns how many values this subscriber has missed since the last call: they were dropped
    /// before it came to take them.
    [[nodiscard]] std::uint64_t missed() {
        const std::lock_guard hold(state_->lock);
        skip_dropped();
        return std::exchange(missed_, 0);
    }

private:
    friend class broadcast<T>;
    using state = detail::broadcast_state<T>;

    explicit subscription(std::shared_ptr<state> s) : state_(std::move(s)) {
        const std::lock_guard hold(state_->lock);
        ++state_->subscribers;
        next_ = state_->end();
    }

    void skip_dropped() noexcept {
        if (next_ >= state_->first) return;
        missed_ += state_->first - next_;
        next_ = state_->first;
    }

    template <class Wait>
    std::optional<T> receive(Wait&& wait) {
        state& s = *state_;
        typename state::pointer one;
        {
            std::unique_lock hold(s.lock);
            wait(s, hold, [&] { return next_ < s.end() || s.closed; });
            skip_dropped();
            if (next_ == s.end()) return std::nullopt;
            one = s.at(next_).value;
            take(s);
        }
        return one->value;
    }

    // The value is taken now, also if its copy throws later.
    void take(state& s) noexcept {
        --s.at(next_).takers;
        ++next_;
        if (s.drop_taken() != nullptr) s.room.notify_all();
    }

    void leave() noexcept {
        if (state_ == nullptr) return;
        typename state::pointer dropped;
        {
            const std::lock_guard hold(state_->lock);
            skip_dropped();
            for (; next_ != state_->end(); ++next_) --state_->at(next_).takers;
            --state_->subscribers;
            while (typename state::pointer one = state_->drop_taken()) {
                one->next_dropped = std::move(dropped);
                dropped = std::move(one);
            }
            state_->room.notify_all();
        }
        while (dropped != nullptr) dropped = std::exchange(dropped->next_dropped, nullptr);
        state_ = nullptr;
    }

    std::shared_ptr<state> state_;  // Null when moved from.
    std::uint64_t next_ = 0;
    std::uint64_t missed_ = 0;
};

}  // namespace weft
