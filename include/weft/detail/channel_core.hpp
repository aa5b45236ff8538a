// A channel without its type: buffer, waiters and the rules of who meets whom.
//
//     channel_core | cell cell cell cell ...      one allocation, `capacity` cells
//                    ^head, `count` of them full
//
// What travels is a *cell* of fixed size that may be copied by its bytes: the value itself, or the address of a
// box with a value (channel_value.hpp). So nothing that runs under the lock is the program's.
//
// Invariants, under the lock
//   - A live receiver waits only while nothing is buffered that is there yet, a live sender only while the buffer is full
//     (or, unbuffered, nobody waits to receive), and neither once the channel is closed.
//   - A place in the buffer may be *promised* to a sender whose value must be moved into a box first, outside of the
//     lock (channel_value.hpp). Its cell holds the number of the promise until the box is there; if
//     the move throws the place is taken out again. So the order of the values is that of the promises, and receivers wait
//     for what was promised.
//   - FIFO: cells leave in the order in which they came in, and waiters are served in the order in which they came. What
//     a receiver could not take (its move threw) goes back to the front.
//   - A handle keeps the core: whoever waits holds one.
//
// Lock order: by address, when select holds several.
#pragma once

#include <weft/detail/spin_lock.hpp>
#include <weft/detail/thread_block.hpp>
#include <weft/detail/wait_list.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace weft {

/// How a channel operation ended that may do so without a value.
enum class chan_status : unsigned char {
    ok,
    empty,    // Nothing could be received, or sent, without waiting.
    timeout,  // Nor in the time given.
    closed,
};

namespace detail {

/// When an operation gives up; otherwise a moment of the monotonic clock.
inline constexpr std::int64_t chan_waits = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t chan_tries = std::numeric_limits<std::int64_t>::min();

/// A value that could not be taken out, on its way back. The box that it is in begins with it.
struct returned_cell {
    returned_cell* next = nullptr;
    bool carried = false;  // The box is a carrier (gc_carrier.hpp).
};

/// To a receiver that waits, or else to a place in the buffer.
struct send_permit {
    waiter* receiver = nullptr;
    std::uintptr_t promise = 0;
};

/// Something that a channel belongs to as long as there are handles, and that goes with the last of them.
struct channel_owner {
    void (*let_go)(channel_owner& owner) noexcept = nullptr;
};

struct alignas(16) channel_core {
    channel_core(std::size_t cells, std::size_t size, bool boxes, bool carries,
                 void (*destroy)(void* cell) noexcept) noexcept
        : boxed(boxes), carried(carries), cell_size(static_cast<std::uint32_t>(size)),
          capacity(static_cast<std::uint32_t>(cells)), drop(destroy) {}
    channel_core(const channel_core&) = delete;
    channel_core& operator=(const channel_core&) = delete;

    spin_lock lock;
    std::atomic<bool> closed{false};
    const bool boxed;    // Cells are addresses of boxes.
    const bool carried;  // All of it is a carrier (gc_carrier.hpp).
    std::atomic<std::uint32_t> handles{1};
    const std::uint32_t cell_size;
    const std::uint32_t capacity;
    std::atomic<std::uint32_t> count{0};
    std::uint32_t head = 0;
    std::uint32_t promises = 0;  // Made so far.
    wait_list receivers;
    wait_list senders;
    std::atomic<returned_cell*> returned{nullptr};
    channel_owner* owner = nullptr;
    // Destroys the value of a cell; null if there is nothing to it.
    void (*const drop)(void* cell) noexcept;

    [[nodiscard]] std::byte* cell_at(std::uint32_t index) noexcept {
        return reinterpret_cast<std::byte*>(this + 1) + std::size_t{index} * cell_size;
    }
    [[nodiscard]] std::uint32_t tail() const noexcept {
        const std::uint32_t end = head + count.load(std::memory_order_relaxed);
        return end >= capacity || end < head ? end - capacity : end;
    }
    void set_count(std::uint32_t n) noexcept { count.store(n, std::memory_order_relaxed); }

    /// Sends when there is room and nobody waits: the path of a buffered channel that flows. False: nothing has
    /// happened. `Size` is cell_size.
    template <std::size_t Size>
    [[gnu::always_inline]] bool push_quickly(const void* cell) noexcept {
        const std::uint32_t n = count.load(std::memory_order_relaxed);
        if (n >= capacity || safepoint_due() || !lock.try_lock()) return false;
        const std::uint32_t full = count.load(std::memory_order_relaxed);
        const bool fits =
            full < capacity && receivers.empty() && !closed.load(std::memory_order_relaxed);
        if (fits) [[likely]] {
            std::memcpy(reinterpret_cast<std::byte*>(this + 1) + std::size_t{tail()} * Size, cell,
                        Size);
            set_count(full + 1);
        }
        lock.unlock();
        return fits;
    }

    /// Receives what is buffered, when nobody waits to send. False: nothing has happened. Not of boxes.
    template <std::size_t Size>
    [[gnu::always_inline]] bool pop_quickly(void* cell) noexcept {
        if (count.load(std::memory_order_relaxed) == 0 || safepoint_due() || !lock.try_lock()) {
            return false;
        }
        const std::uint32_t full = count.load(std::memory_order_relaxed);
        const bool there = full != 0 && senders.empty();
        if (there) [[likely]] {
            std::memcpy(cell, reinterpret_cast<std::byte*>(this + 1) + std::size_t{head} * Size,
                        Size);
            head = head + 1 == capacity ? 0 : head + 1;
            set_count(full - 1);
        }
        lock.unlock();
        return there;
    }
};

/// `carried`: its cells may hold pointers of the collected heap. Throws std::bad_alloc.
[[nodiscard]] channel_core* make_channel(std::size_t capacity, std::size_t cell_size, bool boxed,
                                         bool carried, void (*drop)(void* cell) noexcept);
/// The last handle: destroys what is left inside.
void destroy_channel(channel_core& c) noexcept;

inline void add_handle(channel_core* c) noexcept {
    // Relaxed: whoever copies a handle has one.
    if (c != nullptr) c->handles.fetch_add(1, std::memory_order_relaxed);
}
inline void drop_handle(channel_core* c) noexcept {
    // Release, and acquire by the last: what others did with the channel comes before its end.
    if (c != nullptr && c->handles.fetch_sub(1, std::memory_order_acq_rel) == 1)
        destroy_channel(*c);
}

// Deadlines: chan_waits, chan_tries, or a moment. Each of the operations that has one is a cancellation point. ----

/// Sends a cell: `ok`, and it is gone; else it is still the caller's.
chan_status send_cell(channel_core& c, void* cell, std::int64_t deadline);

/// What came of a wish to receive.
struct received {
    chan_status status = chan_status::empty;
    /// Not null: there is no cell; the value is still the sender's, who waits. Take it from `source`, and then call
    /// sender_served() or, if that threw, sender_must_retry().
    waiter* sender = nullptr;
    void* source = nullptr;
    /// Not null: this sender, who waits, has the place in the buffer that has come free. Move its value there for it, and
    /// call sender_served() or, if that threw, sender_promised(): it does so itself then.
    waiter* next_sender = nullptr;
    void* next_source = nullptr;
    std::uintptr_t promise = 0;
};

/// Receives into `cell`. The first from a channel whose values are their own cells, the second from one of boxes; that one
/// may say instead from whom to take the value.
chan_status receive_value_cell(channel_core& c, void* cell, std::int64_t deadline);
received receive_box_cell(channel_core& c, void* cell, std::int64_t deadline);
void sender_served(waiter& sender) noexcept;
void sender_must_retry(waiter& sender) noexcept;
void sender_promised(waiter& sender, std::uintptr_t promise) noexcept;

/// The box in `cell`, which begins with a returned_cell, could not be emptied: it will be the next to be received.
void return_cell(channel_core& c, void* cell) noexcept;

/// What a sender got whose value must not be moved before it is sure to be sent.
struct send_grant {
    chan_status status = chan_status::empty;
    bool taken =
        false;  // `ok`, and a receiver has taken the value from its source. Otherwise `ok` is a permit:
    send_permit permit;  // use_permit() or give_up_permit() must follow.
};
send_grant ask_to_send(channel_core& c, void* source, std::int64_t deadline);
void use_permit(channel_core& c, send_permit permit, void* box) noexcept;
void give_up_permit(channel_core& c, send_permit permit) noexcept;

/// False: it was closed already.
[[nodiscard]] bool close_channel(channel_core& c);

[[noreturn]] void throw_channel_closed();
[[noreturn]] void throw_no_channel();

}  // namespace detail
}  // namespace weft
