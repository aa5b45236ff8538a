// The run queue: the runnable coroutines of one processor.
//
// A bounded first-in first-out ring. The machine that holds the processor is the *owner*: it alone
// pushes. Owner and thieves all take from the head.
//
//                  head_               tail_
//                    v                   v
//        +---+---+---+---+---+---+---+---+---+---+---+
//        |   |   |   | a | b | c | d | e |   |   |   |     slot(i) is slots_[i % capacity]
//        +---+---+---+---+---+---+---+---+---+---+---+
//         vacant     | runnable          | vacant
//
// Invariants
//   - head_ <= tail_ <= head_ + capacity.
//   - Only the owner stores tail_. head_ only grows, and only through claim().
//   - A coroutine is in at most one run queue. Whoever moves head_ past its slot owns it from then on.
//
// Ordering. Two edges carry everything, and the code names them where they occur:
//   publish   The owner stores tail_ with release; a thief loads tail_ with acquire. A thief that
//             sees a slot as runnable sees the pointer in it, and all that was written to the
//             coroutine before it was pushed.
//   vacate    A consumer moves head_ with release; the owner loads head_ with acquire. An owner that
//             sees a slot as vacant knows that every read of its old content is over.
//
// While `bias` says that there are no thieves, pop() moves head_ by a plain store: see sched/bias.hpp.
//
// Why a bounded ring and not a Chase-Lev deque: the owner takes the oldest coroutine too, so a
// coroutine that yields goes behind its peers instead of starving them, and what does not fit spills
// to the global queue, which is where idle processors look. See docs/design/scheduler.md.
#pragma once

#include "base/assert.hpp"
#include "base/cache_line.hpp"
#include "base/config.hpp"
#include "base/exclusive.hpp"
#include "sched/bias.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

struct coroutine;

class run_queue {
public:
    static constexpr std::size_t capacity = tiny_limits ? 4 : 256;
    static constexpr std::size_t half = capacity / 2;

    /// `owner_bias` outlives the queue.
    explicit run_queue(bias& owner_bias) noexcept : bias_(owner_bias) {}
    run_queue(const run_queue&) = delete;
    run_queue& operator=(const run_queue&) = delete;

    // Owner only. ------------------------------------------------------------------------------

    /// Appends `c`. Returns false, leaving `c` with the caller, when the queue is full.
    [[nodiscard]] bool push(coroutine& c) noexcept;

    /// Takes the oldest coroutine, or null when the queue is empty.
    [[nodiscard]] coroutine* pop() noexcept;

    /// Moves the older half of a full queue to `out`, oldest first, for the global queue. Returns
    /// the number moved: `half`, or 0 when thieves made room first and push() should be tried again.
    [[nodiscard]] std::size_t spill(std::span<coroutine*, half> out) noexcept;

    /// Moves the older half of `victim`, rounded up, to the end of this queue. Returns the number
    /// moved: 0 when `victim` is empty or when this queue is more than half full.
    std::size_t steal_from(run_queue& victim) noexcept;

    // Any thread. ------------------------------------------------------------------------------

    /// A snapshot, out of date by the time it is returned. Exact when called by the owner while no
    /// thief is at work.
    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] bool empty() const noexcept {
        const index head = head_.load(std::memory_order_acquire);
        return tail_.load(std::memory_order_acquire) == head;
    }

private:
    // 64 bits wide so that they never wrap: a thief may sleep for hours between reading head_ and
    // claiming from it, and the claim must still fail if head_ has moved at all.
    using index = std::uint64_t;

    std::atomic<coroutine*>& slot(index i) noexcept { return slots_[i % capacity]; }

    bool claim(index& head, index count) noexcept;

    static_assert((capacity & (capacity - 1)) == 0, "slot() should compile to a mask");

    // head_ is contended by thieves, tail_ is written on every push: keep them on separate lines.
    alignas(cache_line) std::atomic<index> head_{0};
    alignas(cache_line) std::atomic<index> tail_{0};
    exclusive owner_;
    bias& bias_;

    // Atomic only because a thief may read a slot that the owner is overwriting. Such a thief's
    // claim fails and it drops what it read, so relaxed is enough.
    alignas(cache_line) std::array<std::atomic<coroutine*>, capacity> slots_{};
};

// Moves head_ from `head` to `head + count`: from then on those slots are the caller's alone. On
// failure `head` is reloaded.
//
// Each successful claim is a read-modify-write, so a later claim by another thread continues the
// release sequence of the earlier ones: an owner that loads the last value has the vacate edge with
// all of them.
inline bool run_queue::claim(index& head, index count) noexcept {
    return head_.compare_exchange_weak(head, head + count,
                                       std::memory_order_release,  // vacate
                                       std::memory_order_acquire);
}

inline bool run_queue::push(coroutine& c) noexcept {
    const exclusive::scope owner(owner_);
    const index tail = tail_.load(std::memory_order_relaxed);
    const index head = head_.load(std::memory_order_acquire);  // vacate
    WEFT_ASSERT(tail - head <= capacity);

    if (tail - head == capacity) return false;
    slot(tail).store(&c, std::memory_order_relaxed);
    tail_.store(tail + 1, std::memory_order_release);  // publish
    return true;
}

inline coroutine* run_queue::pop() noexcept {
    const exclusive::scope owner(owner_);
    const index tail = tail_.load(std::memory_order_relaxed);
    index head = head_.load(std::memory_order_relaxed);  // The owner itself wrote every slot.
    if (head == tail) return nullptr;
    if (bias_.enter()) {
        // Again: while the queue was shared a thief may have claimed, and then the bias came back (edge *restore*).
        head = head_.load(std::memory_order_relaxed);
        if (head == tail) [[unlikely]] {
            bias_.leave();
            return nullptr;
        }
        coroutine* const oldest = slot(head).load(std::memory_order_relaxed);
        head_.store(head + 1, std::memory_order_relaxed);
        bias_.leave();
        return oldest;
    }
    do {
        coroutine* const oldest = slot(head).load(std::memory_order_relaxed);
        if (claim(head, 1)) return oldest;
    } while (head != tail);
    return nullptr;
}

}  // namespace weft::detail
