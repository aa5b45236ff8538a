// Asking a running coroutine to yield, and where it goes when it does.
//
// The monitor leaves a request in the thread block of the machine; every runtime operation and checkpoint() polls
// it. Four kinds:
//   slice   its chain has run for options.preempt_after: it leaves the processor for the queue of the expired, and what
//           is in `next` goes to the end of the ring
//   cut     an arrival is to run first: it goes to `next`, and on from there
//   look    an arrival is there, or a turn has begun: it goes on, and when it parks or yields the processor looks around
//   stolen  a thief found what it had left in `next`: if it goes on for a while, that is known from then on (wake_for())
//
// A coroutine that is preempted at a point it did not choose (an implicit preemption: split stacks, in the prologue of
// a function) may hold what belongs to its thread: a lock of a library, an address of a thread_local. So it is
// *sticky* until it parks or yields by itself: it goes to a list of its machine, never to a ring, and only that
// machine takes it from there, for half of the time. Who blocks the thread then would keep it from running, so
// blocking() leaves a machine with sticky coroutines to them. Stickiness is broken only when the machine has stopped
// responding (compensate.hpp), and counted.
#pragma once

#include "sched/coroutine.hpp"
#include "sched/machine.hpp"

#include <cstdint>

namespace weft::detail {

struct processor;

/// A coroutine that goes on for so long after the theft of what it left in `next` computes.
inline constexpr std::int64_t goes_on_least_ns = 50'000;

enum preempt_request : std::uint32_t {
    preempt_none = 0,
    preempt_slice = 1,
    preempt_cut = 2,
    preempt_look = 3,
    preempt_stolen = 4,
    /// Nothing: it sends every switch by way of the scheduler stack (simulated_processors.hpp).
    preempt_simulated = 5,
};

/// Leaves a request with whatever runs on `m`. The monitor; a request that comes too late is dropped by the scheduler.
void request_preemption(machine& m, preempt_request what) noexcept;
/// Has `m` look around soon, or note that its `next` was stolen, if nothing is asked of it. Any thread that keeps the
/// runtime from stopping; false: something was.
bool request_look(machine& m, preempt_request what = preempt_look) noexcept;
/// The request that was left for `m`, and none from now on (edge *look*, arrivals.hpp). Its own.
[[nodiscard]] inline preempt_request take_request(machine& m) noexcept;
/// Whether `m` is asked to make its coroutine yield.
[[nodiscard]] inline bool is_to_yield(const machine& m) noexcept;

/// Makes the limit of the stack that runs on `m` one that no stack pointer is above, if it is a split one's: the next
/// prologue or call through a thunk goes to the runtime, which looks for a request. Any number of times.
///
/// Edge *poison*, between the monitor and the machine:
///
///       machine, entering a coroutine's code      monitor
///   1   limit = L                             1   poisoned = 1
///   2   if (poisoned) limit = POISON          2   heavy_fence
///                                             3   if (limit != 0) limit = POISON
///
/// By the fence either step 2 of the machine sees the flag, or step 3 of the monitor sees its limit and comes behind it
/// in the order of the stores to the word, so the poison stays. The machine pays for no fence. What it finds poisoned
/// without a flag is stale, and taken away. (`limit` stands for two words: thread_block::limit, which says what the true
/// one is, and %fs:0x70, where prologues look.)
///   Tested by   tests/split/poison_stress.cpp.
void poison(machine& m) noexcept;

/// Yields if it was asked to, and answers the collector. In a coroutine; no cancellation point.
void preemption_point_slow(coroutine& self) noexcept;
inline void preemption_point(coroutine& self) noexcept {
    if (requests_of(*this_thread_block()) != 0) [[unlikely]]
        preemption_point_slow(self);
}

/// Yields as an implicit preemption does. The coroutine is sticky from then on, until unstick().
void preempt_implicitly(coroutine& self) noexcept;
/// It parks or yields of its own will, so it may go on anywhere.
void unstick(coroutine& self) noexcept;

/// Whether a thief took what `self` left in `next` the last time. Asks once: a guess that was wrong is not made again.
[[nodiscard]] bool goes_on(coroutine& self) noexcept;

/// Queues a coroutine that has just left `m` and is marked (trait_sticky, trait_cut, trait_expired).
void requeue_marked(machine& m, processor& p, coroutine& c) noexcept;
/// The oldest of `m`'s sticky coroutines; null.
[[nodiscard]] coroutine* take_sticky(machine& m) noexcept;
/// Moves those of `from` to `to`'s ring, oldest first. `to` is the caller's; returns how many.
std::size_t break_stickiness(machine& from, processor& to) noexcept;
/// `m` is about to sleep without a processor, or to run one coroutine only: its sticky ones go to the global queue.
void release_sticky(machine& m) noexcept;

inline preempt_request take_request(machine& m) noexcept {
    std::atomic<std::uint32_t>& word = m.block->preempt;
    if (word.load(std::memory_order_relaxed) == preempt_none) [[likely]]
        return preempt_none;
    const std::uint32_t request = word.exchange(preempt_none, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // look
    return static_cast<preempt_request>(request);
}

inline bool is_to_yield(const machine& m) noexcept {
    const std::uint32_t request = m.block.get()->preempt.load(std::memory_order_relaxed);
    return request == preempt_slice || request == preempt_cut;
}

}  // namespace weft::detail
