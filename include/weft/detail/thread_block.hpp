// What header fast paths (and, later, assembly) read about the calling thread.
//
// A coroutine may be on another thread after any call that parks, and compilers keep the address of a
// thread_local variable across calls. So nobody names the variable: this_thread_block() computes its
// address afresh, by an asm that the compiler can neither merge nor hoist.
#pragma once

#include <weft/version.hpp>

#include <atomic>
#include <cstdint>

namespace weft::detail {

struct coroutine;
struct gc_local_head;
struct gc_mutator;
struct machine;
struct saved_registers;
struct segment_cache;

/// A word whose bits ask the running coroutine to take the slow path at its next safepoint.
using attention_word = std::atomic<std::uint32_t>;

/// What a thread that runs no coroutine looks at: 0 but in a simulation, which has no place for such threads.
extern attention_word no_attention;

/// What a thread has that may not allocate objects of the collected heap, or has not done so yet: no free slot.
extern gc_local_head gc_no_heap;

// Ownership: written by the thread itself, but for `preempt` and `collector`, which others set and the thread clears.
// Atomic all the same, and always relaxed: coroutines that follow each other on a thread are different
// threads to ThreadSanitizer. Aligned so that its address leaves room for four flags: see this_agent().
struct alignas(16) thread_block {
    /// Asks whatever runs on this thread to pass through the scheduler soon.
    attention_word preempt{0};
    /// Asks it to pass through the scheduler at once, and then to go on: the collector wants an answer. Beside `preempt`, so
    /// that one load sees both (requests_of).
    attention_word collector{0};

    /// The attention word of the running coroutine, or `no_attention`; never null.
    std::atomic<attention_word*> attention{&no_attention};

    /// Null on a scheduler stack, inside blocking() and on foreign threads.
    std::atomic<coroutine*> current{nullptr};

    /// Null on foreign threads and inside blocking().
    std::atomic<machine*> owner{nullptr};

    // Split stacks. Assembly knows where these are (src/arch/x86_64/offsets.h).

    /// What %fs:0x70 is unless it is poisoned: the limit of the segment that the coroutine's own code runs on. 0 where
    /// no prologue may grow or preempt: on other stacks, and inside the runtime.
    std::atomic<std::uintptr_t> limit{0};
    /// Below this a call into code that does not check its stack goes elsewhere. 0 with `limit`, and poisoned with it.
    std::atomic<std::uintptr_t> call_limit{0};
    /// The limit is, or is about to be, poisoned: asks for an implicit preemption. Set by the monitor, cleared here.
    std::atomic<std::uint32_t> poisoned{0};
    /// The free segments of the processor that this thread holds.
    std::atomic<segment_cache*> segments{nullptr};
    /// Where the scheduler stack waits while a coroutine runs; below it there is room. Null while the scheduler itself runs,
    /// and wherever else what lies below must not be used.
    std::atomic<void*> scheduler_sp{nullptr};
    /// The bounds of the part of the thread's own stack on which the scheduler runs.
    std::atomic<std::uintptr_t> stack_low{0};
    std::atomic<std::uintptr_t> stack_high{0};
    /// Where registers that carry arguments are kept meanwhile.
    std::atomic<saved_registers*> registers{nullptr};

    /// The coroutine whose blocking call runs here. The report of a crash reads it, and only where `current` and `owner` are
    /// null, because elsewhere it is left over from an earlier call.
    std::atomic<coroutine*> caller{nullptr};

    // The collected heap. All three belong to the processor that the thread holds, or to a thread that is attached.

    /// Where objects come from: never null.
    std::atomic<gc_local_head*> heap{&gc_no_heap};
    /// What the collector knows of whoever runs here; null where nobody may allocate.
    std::atomic<gc_mutator*> mutator{nullptr};
    /// Not 0 while the thread is in the middle of what an answer, given by a signal handler, would disturb.
    std::atomic<std::uint32_t> gc_busy{0};
};

}  // namespace weft::detail

// Outside the namespace and with C linkage, for the asm below.
extern "C" thread_local constinit weft::detail::thread_block weft_thread_block;

namespace weft::detail {

#if defined(__x86_64__) && defined(__linux__)
[[gnu::always_inline]] inline thread_block* this_thread_block() noexcept {
    thread_block* block;
    // Initial-exec model: right in executables, in shared libraries, and in what they dlopen as long
    // as static TLS lasts. volatile: executed wherever it is written, so never before a switch for a
    // use behind it.
    asm volatile("movq weft_thread_block@gottpoff(%%rip), %0\n\taddq %%fs:0, %0"
                 : "=r"(block)
                 :
                 : "cc");
    return block;
}
#else
thread_block* this_thread_block() noexcept;  // Out of line, in src/arch.
#endif

/// A relaxed load that is no call, in any build: where the program's prologues preempt, a call might end on another thread
/// than it began on, with this thread's block in hand.
template <class T>
[[gnu::always_inline]] [[nodiscard]] inline T look(const std::atomic<T>& word) noexcept {
    // NOLINTNEXTLINE(bugprone-sizeof-expression): T may be a pointer.
    static_assert(sizeof(std::atomic<T>) == sizeof(T));
    T value;
    __atomic_load(reinterpret_cast<const T*>(&word), &value, __ATOMIC_RELAXED);
    return value;
}

/// Both requests that whoever runs on the thread may have got, `preempt` and `collector`: 0 if none.
[[gnu::always_inline]] [[nodiscard]] inline std::uint64_t
requests_of(const thread_block& block) noexcept {
    using word [[gnu::may_alias]] = std::uint64_t;
    word both;
    __atomic_load(reinterpret_cast<const word*>(&block.preempt), &both, __ATOMIC_RELAXED);
    return both;
}

/// What safepoints do when a word asked for it: yields, or throws `cancelled`.
void safepoint_slow();

/// Whether a word asks for it. Always so in a simulation, where every operation is a scheduling point.
[[gnu::always_inline]] [[nodiscard]] inline bool safepoint_due() noexcept {
    const thread_block* const block = this_thread_block();
    return (requests_of(*block) | look(*look(block->attention))) != 0;
}

}  // namespace weft::detail
