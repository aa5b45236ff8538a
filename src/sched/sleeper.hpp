// Who sleeps, and the right to end that sleep.
//
// Several parties may want to end one wait: who sends a value, a timer, whoever cancels. Exactly one may. A
// wait is numbered by its *epoch*, and a ticket names sleeper and epoch; fire() moves the sleeper's word from
// "waiting in this epoch" to a reason, by one CAS, and whoever succeeds wakes it. A ticket from an earlier
// wait fails and does no harm, so it may be left behind in a queue or a heap and dropped when met.
//
//     word    [ epoch : 54 | may throw : 1 | thread : 1 | kind : 5 | reason : 3 ]
//
// Invariants
//   - The word of a coroutine lives in its descriptor, which is type-stable: firing a stale ticket is safe
//     at any time. A thread's lives in thread-local storage: its tickets must be out of every queue
//     before its wait returns, which the objects' locks see to.
//   - Epochs are never reused: they go on when the descriptor gets a new user.
//
// Ordering. Edge *wake*: fire() is a release, the sleeper's load of the reason an acquire: what was done
// before firing, a value written into the waiter say, is seen by the woken.
// Edge *cancel*, between a sleeper and request_cancel(): see sched/cancel.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

enum class wake_reason : std::uint8_t {
    none = 0,  // Not waiting, or nobody has ended the wait yet.
    waiting = 1,
    cancellable = 2,  // Waiting, and may be ended by a cancellation.
    signalled = 3,    // What was waited for has happened.
    timeout = 4,
    cancelled = 5,
    deadlock = 6,      // Nothing could ever have ended the wait.
    handing_over = 7,  // A thread's: claimed, and what was waited for is being put in place.
};

/// What is waited for: for reports. At most 32.
enum class wait_kind : std::uint8_t {
    other,
    sleep,
    join,
    scope_join,
    scope_place,
    blocking_call,
    shutdown,
    chan_send,
    chan_recv,
    select,
    mutex,
    shared_mutex,
    condition,
    semaphore,
    latch,
    barrier,
    wait_group,
    once,
    io_read,
    io_write,
    io_accept,
    io_connect,
    io_ready,
    resolve,
};
inline constexpr wait_kind last_wait_kind = wait_kind::resolve;

[[nodiscard]] constexpr const char* name_of(wait_kind kind) noexcept {
    switch (kind) {
    case wait_kind::other:
        break;
    case wait_kind::sleep:
        return "sleep";
    case wait_kind::join:
        return "join";
    case wait_kind::scope_join:
        return "scope::join";
    case wait_kind::scope_place:
        return "a place in a scope";
    case wait_kind::blocking_call:
        return "a blocking call";
    case wait_kind::shutdown:
        return "the end of the others";
    case wait_kind::chan_send:
        return "chan send";
    case wait_kind::chan_recv:
        return "chan receive";
    case wait_kind::select:
        return "select";
    case wait_kind::mutex:
        return "mutex";
    case wait_kind::shared_mutex:
        return "shared_mutex";
    case wait_kind::condition:
        return "condition_variable";
    case wait_kind::semaphore:
        return "semaphore";
    case wait_kind::latch:
        return "latch";
    case wait_kind::barrier:
        return "barrier";
    case wait_kind::wait_group:
        return "wait_group";
    case wait_kind::once:
        return "call_once";
    case wait_kind::io_read:
        return "network read";
    case wait_kind::io_write:
        return "network write";
    case wait_kind::io_accept:
        return "accept";
    case wait_kind::io_connect:
        return "connect";
    case wait_kind::io_ready:
        return "a descriptor";
    case wait_kind::resolve:
        return "the address of a name";
    }
    return "something of the program's own";
}

class sleeper;

// Copied word by word, so that a fresh one is not read back as a whole from what the store buffer still has in halves.
struct ticket {
    sleeper* who = nullptr;
    std::uint64_t word = 0;

    ticket() = default;
    ticket(sleeper* s, std::uint64_t w) noexcept : who(s), word(w) {}
    ticket(const ticket& t) noexcept : who(t.who), word(t.word) {}
    ticket& operator=(const ticket& t) noexcept {
        who = t.who;
        word = t.word;
        return *this;
    }
};

class sleeper {
public:
    explicit constexpr sleeper(bool is_thread) noexcept : word_(is_thread ? thread_bit : 0) {}
    sleeper(const sleeper&) = delete;
    sleeper& operator=(const sleeper&) = delete;

    /// Starts a wait. The sleeper only. Release: who sees the word sees the coroutine parking. Edge *cancel* needs a
    /// full fence behind it: see waiting.
    ticket begin_wait(bool cancellable, bool may_throw, wait_kind kind) noexcept {
        const std::uint64_t last = word_.load(std::memory_order_relaxed);
        const auto state = cancellable ? wake_reason::cancellable : wake_reason::waiting;
        const std::uint64_t word = ((last | below_epoch) + 1) | (last & thread_bit) |
                                   (static_cast<std::uint64_t>(kind) << kind_shift) |
                                   (may_throw ? may_throw_bit : 0) |
                                   static_cast<std::uint64_t>(state);
        word_.store(word, std::memory_order_release);
        return {this, word};
    }

    /// The ticket of a cancellable wait in progress; null otherwise. Any thread; stale at once.
    [[nodiscard]] ticket current_cancellable() noexcept {
        const std::uint64_t word = word_.load(std::memory_order_seq_cst);
        if (state_of(word) != wake_reason::cancellable) return {};
        return {this, word};
    }

    /// The ticket of a wait in progress whose caller expects exceptions; null otherwise.
    [[nodiscard]] ticket current_throwing() noexcept {
        const std::uint64_t word = word_.load(std::memory_order_seq_cst);
        const wake_reason state = state_of(word);
        const bool waits = state == wake_reason::cancellable || state == wake_reason::waiting;
        if (!waits || (word & may_throw_bit) == 0) return {};
        return {this, word};
    }

    [[nodiscard]] bool waits_for(std::uint64_t word) const noexcept {
        return word_.load(std::memory_order_relaxed) == word;
    }

    /// Why the last wait ended. The sleeper only, once woken.
    [[nodiscard]] wake_reason reason() const noexcept {
        return state_of(word_.load(std::memory_order_acquire));  // wake
    }

    /// Ends the wait if `t` still names it, without waking: the caller must then ready the sleeper.
    [[nodiscard]] static bool claim(const ticket& t, wake_reason why) noexcept {
        std::uint64_t expected = t.word;
        const std::uint64_t fired = (t.word & ~reason_mask) | static_cast<std::uint64_t>(why);
        return t.who->word_.compare_exchange_strong(expected, fired,
                                                    std::memory_order_acq_rel,  // wake
                                                    std::memory_order_relaxed);
    }

    /// Ends the wait for whoever is about to hand something over, and calls wake_claimed() behind that: until then
    /// the sleeper sleeps on. A thread, which may wake up at any time, is told by a state of its own.
    [[nodiscard]] static bool claim_to_hand_over(const ticket& t) noexcept {
        return claim(t, is_thread(t) ? wake_reason::handing_over : wake_reason::signalled);
    }

    /// The number of the last wait. Any thread.
    [[nodiscard]] std::uint64_t epoch() const noexcept {
        return word_.load(std::memory_order_relaxed) >> epoch_shift;
    }

    /// Makes it as a new one of a coroutine, but for the next wait, which will have the number after this one. The sleeper
    /// must not be waiting.
    void go_on_from(std::uint64_t epoch) noexcept {
        word_.store(epoch << epoch_shift, std::memory_order_relaxed);
    }

    /// The same while it lasts, else 0. Any thread.
    [[nodiscard]] std::uint64_t waiting_epoch() const noexcept {
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        const wake_reason state = state_of(word);
        const bool waits = state == wake_reason::cancellable || state == wake_reason::waiting;
        return waits ? word >> epoch_shift : 0;
    }

    /// What the last wait was for. Any thread.
    [[nodiscard]] wait_kind kind() const noexcept {
        return static_cast<wait_kind>((word_.load(std::memory_order_relaxed) >> kind_shift) &
                                      kind_mask);
    }

    [[nodiscard]] static bool is_thread(const ticket& t) noexcept {
        return (t.word & thread_bit) != 0;
    }

    // For debuggers: where the word is, and what its bits are.
    static constexpr std::size_t word_offset() noexcept;
    static constexpr unsigned kind_bits_at() noexcept { return kind_shift; }
    static constexpr std::uint64_t kind_bits() noexcept { return kind_mask; }
    static constexpr std::uint64_t reason_bits() noexcept { return reason_mask; }

protected:
    static constexpr std::uint64_t reason_mask = 7;
    static constexpr unsigned kind_shift = 3;
    static constexpr std::uint64_t kind_mask = 31;
    static constexpr std::uint64_t thread_bit = 1 << 8;
    static constexpr std::uint64_t may_throw_bit = 1 << 9;
    static constexpr unsigned epoch_shift = 10;
    static constexpr std::uint64_t below_epoch =
        (1 << epoch_shift) - 1;  // Of what is not the epoch.

    static wake_reason state_of(std::uint64_t word) noexcept {
        return static_cast<wake_reason>(word & reason_mask);
    }

    std::atomic<std::uint64_t> word_;
};

constexpr std::size_t sleeper::word_offset() noexcept { return offsetof(sleeper, word_); }

/// Ends the wait that `t` names and wakes its sleeper. False when it has ended already. Any thread. By value:
/// once the wait has ended the waiter that held the ticket may be gone.
bool fire(ticket t, wake_reason why) noexcept;

/// Wakes who was claimed to hand something over; once. By value, likewise. In park.hpp.
inline void wake_claimed(ticket t) noexcept;
/// The same by a timer, on the scheduler stack.
void wake_claimed_by_timer(ticket t) noexcept;

}  // namespace weft::detail
