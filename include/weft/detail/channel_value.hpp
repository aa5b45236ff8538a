// How a value of type T travels through a channel: as a cell.
//
//   in_cell<T>     the cell is the value itself, moved by its bytes
//   otherwise      the cell is the address of a box that the value was moved into
//
// Between the two ends nothing of the program's runs, so no move, destructor or exception of T ever meets a lock of the
// channel.
//
// The strong guarantee. A value that send() was given goes into its box before the channel is asked: a move that throws
// has sent nothing. A value that stays its owner's until it is sent (an lvalue; what try_send and send_for were given)
// stays where it is while the sender waits: its bytes are taken from there, or a receiver moves it from there, or the
// sender is promised a place and moves it into a box then (ask_to_send); a move that throws gives the promise up. A move
// out of a box that throws gives the box back to the channel, whose next value it is.
#pragma once

#include <weft/detail/channel_core.hpp>
#include <weft/detail/gc_carrier.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace weft::detail {

/// Types that may be moved by copying their bytes and forgetting the source, though the language does not say so:
/// known of these in every implementation of the standard library.
template <class T>
inline constexpr bool bitwise_movable = std::is_trivially_copyable_v<T>;
template <class T>
inline constexpr bool bitwise_movable<std::unique_ptr<T>> = true;
template <class T>
inline constexpr bool bitwise_movable<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool bitwise_movable<std::weak_ptr<T>> = true;

inline constexpr std::size_t cell_size_max = 64;

template <class T>
inline constexpr bool in_cell = bitwise_movable<T> && sizeof(T) <= cell_size_max &&
                                alignof(T) <= alignof(channel_core);

/// What chan<void> carries.
struct unit {};

template <class T>
struct box : returned_cell {
    explicit box(T&& v) : value(std::move(v)) {}
    T value;
};

/// `carried`: the value in it may hold pointers of the collected heap.
[[nodiscard]] void* allocate_box(std::size_t size, std::size_t align, bool carried);
void free_box(void* box, bool carried) noexcept;

// T is never a reference: those who call make_box and send_value move what they give them, so std::move is right in both.
// NOLINTBEGIN(bugprone-move-forwarding-reference)
template <class T>
[[nodiscard]] box<T>* make_box(T&& value) {
    const bool carried = gc_traced<T> && has_collector();
    void* const memory = allocate_box(sizeof(box<T>), alignof(box<T>), carried);
    const auto fill = [&] {
        shade_leaving(value);
        auto* const made = ::new (memory) box<T>(std::move(value));
        made->carried = carried;
        return made;
    };
    if constexpr (std::is_nothrow_move_constructible_v<T>) {
        return fill();
    } else {
        try {
            return fill();
        } catch (...) {
            free_box(memory, carried);
            throw;
        }
    }
}
// NOLINTEND(bugprone-move-forwarding-reference)

template <class T>
void destroy_box(box<T>* b) noexcept {
    const bool carried = b->carried;
    b->~box<T>();
    free_box(b, carried);
}

/// Moves `value`, which is in_cell, out by its bytes, which have been taken already.
template <class T>
void forget(T& value) noexcept {
    if constexpr (!std::is_trivially_copyable_v<T>) std::construct_at(std::addressof(value));
}

/// A value of the caller's own in its box, until it is sent.
template <class T>
class outgoing_box {
public:
    explicit outgoing_box(T&& value) : box_(make_box(std::move(value))) {}
    outgoing_box(const outgoing_box&) = delete;
    outgoing_box& operator=(const outgoing_box&) = delete;
    ~outgoing_box() {
        if (box_ != nullptr) destroy_box(box_);
    }

    [[nodiscard]] void* cell() noexcept { return &box_; }
    void sent() noexcept { box_ = nullptr; }

private:
    box<T>* box_;
};

/// Keeps the compiler from seeing that an optional is empty where nothing came. Without it g++ warns of every `*c.recv()`
/// that it inlines, for what would be read if the channel were closed.
template <class T>
[[gnu::always_inline]] inline void conceal(std::optional<T>& nothing) noexcept {
    asm volatile("" : : "r"(std::addressof(nothing)) : "memory");
}

/// Where a value on its way out arrives. What arrives is taken at once, by take() or move_to().
template <class T>
class incoming {
public:
    incoming() noexcept {}
    incoming(const incoming&) = delete;
    incoming& operator=(const incoming&) = delete;

    [[nodiscard]] void* cell() noexcept {
        if constexpr (in_cell<T>) {
            return raw_;
        } else {
            return &box_;
        }
    }

    /// Passes the value that was received to `f`, as T&&. If that throws the value is where it was before.
    template <class F>
    void pass(channel_core& c, const received& got, F&& f) {
        if constexpr (!in_cell<T>) {
            if (got.next_sender != nullptr) fill_place(c, got);
        }
        if (got.sender != nullptr) {
            pass_from_sender(got, std::forward<F>(f));
        } else if constexpr (in_cell<T>) {
            T& value = *std::launder(reinterpret_cast<T*>(raw_));
            const destroyed at_the_end{value};
            std::forward<F>(f)(std::move(value));
        } else {
            unpack(c, std::forward<F>(f));
        }
    }

private:
    struct destroyed {
        T& value;
        ~destroyed() { value.~T(); }
    };

    static void fill_place(channel_core& c, const received& got) noexcept {
        box<T>* b = nullptr;
        try {
            b = make_box(std::move(*static_cast<T*>(got.next_source)));
        } catch (...) {
            sender_promised(*got.next_sender, got.promise);  // The exception will be its own.
            return;
        }
        use_permit(c, send_permit{nullptr, got.promise}, b);
        sender_served(*got.next_sender);
    }

    template <class F>
    void unpack(channel_core& c, F&& f) {
        box<T>* const b = box_;
        try {
            std::forward<F>(f)(std::move(b->value));
        } catch (...) {
            return_cell(c, &box_);
            throw;
        }
        destroy_box(b);
    }

    template <class F>
    static void pass_from_sender(const received& got, F&& f) {
        shade_leaving(*static_cast<T*>(got.source));
        try {
            std::forward<F>(f)(std::move(*static_cast<T*>(got.source)));
        } catch (...) {
            sender_must_retry(*got.sender);
            throw;
        }
        sender_served(*got.sender);
    }

    union {
        alignas(in_cell<T> ? alignof(T) : 1) std::byte raw_[in_cell<T> ? sizeof(T) : 1];
        box<T>* box_;
    };
};

/// How many bytes a cell of T has.
template <class T>
inline constexpr std::size_t cell_size_of = in_cell<T> ? sizeof(T) : sizeof(void*);

/// Destroys the value of a cell that is left in a channel; null when there is nothing to it.
template <class T>
[[nodiscard]] constexpr auto cell_destructor() noexcept -> void (*)(void*) noexcept {
    if constexpr (!in_cell<T>) {
        return [](void* cell) noexcept { destroy_box(*static_cast<box<T>**>(cell)); };
    } else if constexpr (std::is_trivially_destructible_v<T>) {
        return nullptr;
    } else {
        return [](void* cell) noexcept { std::destroy_at(static_cast<T*>(cell)); };
    }
}

// The operations on values. ------------------------------------------------------------------------------------

/// Sends a value of the caller's own, for ever.
template <class T>
void send_value(channel_core& c, T&& value) {
    if constexpr (in_cell<T>) {
        shade_leaving(value);
        if constexpr (std::is_trivially_copyable_v<T>) {
            if (c.push_quickly<sizeof(T)>(std::addressof(value))) [[likely]]
                return;
        }
        if (send_cell(c, std::addressof(value), chan_waits) != chan_status::ok) {
            throw_channel_closed();
        }
        forget(value);
    } else {
        // NOLINTNEXTLINE(bugprone-move-forwarding-reference): see make_box.
        outgoing_box<T> parcel(std::move(value));
        if (send_cell(c, parcel.cell(), chan_waits) != chan_status::ok) throw_channel_closed();
        parcel.sent();
    }
}

/// Moves `value` into the channel, which has permitted it.
template <class T>
void send_permitted(channel_core& c, send_permit permit, T& value) {
    box<T>* b = nullptr;
    try {
        b = make_box(std::move(value));
    } catch (...) {
        give_up_permit(c, permit);
        throw;
    }
    use_permit(c, permit, b);
}

/// Sends `value` until `deadline`; it is touched only when it is sent.
template <class T>
bool send_value_until(channel_core& c, T& value, std::int64_t deadline) {
    shade_leaving(value);
    if constexpr (in_cell<T>) {
        if constexpr (std::is_trivially_copyable_v<T>) {
            if (c.push_quickly<sizeof(T)>(std::addressof(value))) return true;
        }
        const chan_status status = send_cell(c, std::addressof(value), deadline);
        if (status == chan_status::closed) throw_channel_closed();
        if (status != chan_status::ok) return false;
        forget(value);
        return true;
    } else {
        const send_grant grant = ask_to_send(c, std::addressof(value), deadline);
        if (grant.status == chan_status::closed) throw_channel_closed();
        if (grant.status != chan_status::ok) return false;
        if (!grant.taken) send_permitted(c, grant.permit, value);
        return true;
    }
}

/// Receives until `deadline` and passes the value to `f`; calls nothing without one.
template <class T, class F>
chan_status receive_value(channel_core& c, std::int64_t deadline, F&& f) {
    incoming<T> parcel;
    if constexpr (in_cell<T> && std::is_trivially_copyable_v<T>) {
        if (c.pop_quickly<sizeof(T)>(parcel.cell())) [[likely]] {
            parcel.pass(c, {}, std::forward<F>(f));
            return chan_status::ok;
        }
    }
    received got;
    if constexpr (in_cell<T>) {
        got.status = receive_value_cell(c, parcel.cell(), deadline);
    } else {
        got = receive_box_cell(c, parcel.cell(), deadline);
    }
    if (got.status == chan_status::ok) parcel.pass(c, got, std::forward<F>(f));
    return got.status;
}

}  // namespace weft::detail
