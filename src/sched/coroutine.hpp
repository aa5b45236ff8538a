// G: the descriptor of one coroutine.
//
//     line 0   what a switch touches          line 2   the closure, when it fits, and its result
//     line 1   what spawn and reports touch   elsewhere, on demand: coroutine_extras
//
// States and their changes, and who makes them:
//
//     dead -> runnable       commit_spawn       has a closure, but neither stack nor context yet
//     runnable -> running    who runs it first  a stack is attached
//     running -> parking     itself             prepare_park(): from now on ready() may come
//     parking -> parked      finish_switch()    its context is saved
//     parked -> running      who runs it        only whoever took it off a run queue
//     running -> dead        itself             its stack goes back with the next switch
//
// `ready_pending` is set beside `parking` by a ready() that comes too early, and finish_switch() then
// queues the coroutine. Parked and claimed: claim.hpp.
//
// Ownership. What is not atomic belongs to whoever the state says:
//     runnable, parked   the run queue it is in, or the lock of what it waits for
//     running, parking   the machine running it, until finish_switch() on the other side
//     dead               the joiner; without one the machine that ran it, and then the pool
// A change of state is the handover, so it is made last by the old owner.
#pragma once

#include <weft/detail/call_site.hpp>
#include <weft/detail/task.hpp>
#include <weft/detail/thread_block.hpp>

#include "base/cache_line.hpp"
#include "base/relaxed.hpp"
#include "base/tsan.hpp"
#include "context/context.hpp"
#include "sched/sleeper.hpp"
#include "stack/reserved_stack.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weft::detail {

struct coroutine_extras;
class scope_core;

enum class co_state : std::uint8_t {
    dead = 0,
    runnable = 1,
    running = 2,
    parking = 3,
    parked = 4,
    parking_ready = 3 | 8,  // parking, with ready_pending
};

/// How far somebody who looks at a parked coroutine from outside has come; see claim.hpp.
enum class claim_state : std::uint8_t { none = 0, requested, held, held_ready };

/// How a coroutine ended.
enum class outcome : std::uint8_t { none = 0, value, exception, cancelled };

/// What whoever switches to it or makes it ready must know.
enum co_traits : std::uint8_t {
    trait_locked = 1,     // Has a thread_lock: runs on one machine only.
    trait_affinity = 2,   // `affinity` is set.
    trait_blocking = 4,   // Inside blocking().
    trait_cut = 8,        // Yields for something urgent, and is to go on next.
    trait_sticky = 16,    // Preempted where it may hold something of its thread's.
    trait_expired = 32,   // Yields because its slice is up, and leaves its processor.
    trait_goes_on = 64,   // What it last left in `next` was stolen, for it goes on computing.
    trait_borrows = 128,  // Its stack is borrowed; see big_stack.hpp.
};

/// The first of the codes of split stacks, behind those of reserved ones.
inline constexpr unsigned split_stack_code = 24;
static_assert(stack_store::log2_max - stack_store::log2_min < split_stack_code);

/// Where a coroutine's count of no_cancel goes on in its extras. 0 is 0 in both, so the descriptor tells
/// whether there is any.
inline constexpr std::uint8_t no_cancel_full = UINT8_MAX;

/// Bits of the attention word.
enum attention : std::uint32_t {
    attention_cancel = 1,    // request_stop, a scope's cancel, shutdown
    attention_deadline = 2,  // a with_timeout has expired
    attention_timed = 4,     // inside a with_timeout: look at the clock
    attention_point = 8,     // simulated: every safepoint is a scheduling point
};
/// Those that end a wait, or a computation.
inline constexpr std::uint32_t attention_requests = attention_cancel | attention_deadline;

/// The exception state of the C++ runtime, __cxa_eh_globals, that travels with a coroutine.
struct exception_globals {
    void* caught = nullptr;
    unsigned uncaught = 0;
};

// The values of the join word. Anything else is the address of the joiner's ticket, or of a join_watch with a bit set.
enum join_word : std::uintptr_t {
    join_none = 0,
    join_finishing = 1,  // The coroutine has ended, and is about to say so.
    join_done = 2,
    join_detached = 3,
};

struct alignas(cache_line) coroutine : sleeper {
    coroutine() noexcept : sleeper(false) {}

    // Line 0. The sleeper's word, and then:
    relaxed<context_ref> context{nullptr};
    std::atomic<co_state> state{co_state::dead};
    std::atomic<std::uint8_t> claim{0};  // A claim_word.
    relaxed<std::uint8_t> no_cancel{0};  // Depth of weft::no_cancel, as far as it fits.
    relaxed<std::uint8_t> traits{0};     // Bits of co_traits.
    attention_word attention{0};
    coroutine* link = nullptr;  // Run queues and pools.
    relaxed<stack_ref> stack{};
    relaxed<void*> caught_exceptions{nullptr};
    relaxed<std::uint16_t> uncaught_exceptions{0};
    /// The round of marking in which its stack was last read, while there is a collection; see gc/stacks.hpp.
    std::atomic<std::uint8_t> scan_stamp{0};
    /// Its thread is in a blocking call without it, and `context` says from where its stack is in use. Release and acquire:
    /// who sees it set sees the context.
    std::atomic<bool> calls{false};
    relaxed<int> error_number{0};
    std::atomic<std::uintptr_t> join{join_none};

    // Line 1.
    alignas(cache_line) const task_type* type = nullptr;
    relaxed<std::uint64_t> id{0};
    relaxed<const char*> file{nullptr};
    relaxed<std::uint16_t> line_low{0};
    relaxed<std::uint8_t> line_high{0};
    std::uint8_t lock_depth = 0;  // Locks of the thread library that it holds, as far as is seen.
    struct {
        outcome result : 2;
        bool big_frame : 1;  // The frame is elsewhere; its address is in `frame`.
        std::uint8_t
            stack_above_min : 5;  // Of the stack to attach: log2 of its size, less stack_store::log2_min; or
                                  // split_stack_code and the class of its first segment.
    } flags{};
    std::uint8_t no_preempt_depth = 0;
    relaxed<std::int16_t> affinity{-1};
    std::atomic<coroutine_extras*> extras{nullptr};
    scope_core* scope = nullptr;
    coroutine* scope_next = nullptr;
    coroutine* scope_prev = nullptr;

    // Line 2.
    alignas(cache_line) std::array<std::byte, inline_frame_size> frame;

    // Its own, or of whoever has it to itself.
    void mark(co_traits trait) noexcept { traits = static_cast<std::uint8_t>(traits | trait); }
    void unmark(co_traits trait) noexcept {
        traits = static_cast<std::uint8_t>(traits & ~static_cast<unsigned>(trait));
    }

    // The pool calls these for one that is home; see fixed_pool. Stale tickets may still name it.
    [[nodiscard]] std::uint64_t strip() const noexcept { return epoch(); }
    void dress(std::uint64_t last_epoch) noexcept {
        affinity = -1;
        go_on_from(last_epoch);
    }

    [[nodiscard]] void* frame_address() noexcept {
        if (!flags.big_frame) return frame.data();
        void* elsewhere;
        std::memcpy(&elsewhere, frame.data(), sizeof(elsewhere));
        return elsewhere;
    }
    /// The kind and size of its stack: equal for coroutines that can use each other's.
    [[nodiscard]] unsigned stack_code() const noexcept {
        const unrecorded
            unseen;  // Read by whoever starts it; it writes the bits beside these later.
        return flags.stack_above_min;
    }
    [[nodiscard]] bool has_split_stack() const noexcept { return stack_code() >= split_stack_code; }
    [[nodiscard]] unsigned stack_log2() const noexcept {
        return stack_code() + stack_store::log2_min;
    }
    [[nodiscard]] call_site created_at() const noexcept { return {file.get(), line()}; }
    [[nodiscard]] std::uint32_t line() const noexcept {
        return line_low.get() | std::uint32_t{line_high.get()} << 16;
    }
    void set_origin(const call_site& where) noexcept {
        constexpr std::uint32_t most = (1u << 24) - 1;
        const std::uint32_t number = where.line < most ? where.line : most;
        file = where.file;
        line_low = static_cast<std::uint16_t>(number);
        line_high = static_cast<std::uint8_t>(number >> 16);
    }
};

static_assert(sizeof(coroutine) == 3 * cache_line, "the memory of a parked coroutine is a promise");

}  // namespace weft::detail
