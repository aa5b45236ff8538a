// The two modes of a thread that runs a coroutine with a split stack, as C++ sees them; assembly has the same as macros
// (arch/x86_64/split.inc). In the program's, prologues check against the newest segment; in the runtime's, not at all.
#pragma once

#include "sched/machine.hpp"
#include "stack/segment.hpp"

#include <atomic>
#include <cstdint>

namespace weft::detail {

inline void set_stack_limit(std::uintptr_t limit) noexcept {
    asm volatile("movq %0, %%fs:0x70" : : "r"(limit) : "memory");
}
[[nodiscard]] inline std::uintptr_t stack_limit() noexcept {
    std::uintptr_t limit = 0;
    asm volatile("movq %%fs:0x70, %0" : "=r"(limit) : : "memory");
    return limit;
}

inline void poison_if_asked(thread_block& block) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // poison
    if (block.poisoned.load(std::memory_order_relaxed) == 0) return;
    block.call_limit.store(static_cast<std::uintptr_t>(POISON), std::memory_order_relaxed);
    set_stack_limit(static_cast<std::uintptr_t>(POISON));
}

inline void enter_user_mode(thread_block& block, const segment& newest) noexcept {
    const auto limit = reinterpret_cast<std::uintptr_t>(newest.limit);
    block.call_limit.store(reinterpret_cast<std::uintptr_t>(newest.call_limit),
                           std::memory_order_relaxed);
    block.limit.store(limit, std::memory_order_relaxed);
    set_stack_limit(limit);
    poison_if_asked(block);
}

inline void enter_runtime_mode(thread_block& block) noexcept {
    block.limit.store(0, std::memory_order_relaxed);
    block.call_limit.store(0, std::memory_order_relaxed);
    set_stack_limit(0);
}

/// While it lives no prologue of this thread grows or preempts; afterwards everything is as before. For signal handlers,
/// which may interrupt a change of these words half way.
class no_limit_here {
public:
    no_limit_here() noexcept
        : block_(*this_thread_block()), limit_(block_.limit.load(std::memory_order_relaxed)),
          call_limit_(block_.call_limit.load(std::memory_order_relaxed)), true_(stack_limit()),
          scheduler_sp_(block_.scheduler_sp.exchange(nullptr, std::memory_order_relaxed)) {
        enter_runtime_mode(block_);
    }
    ~no_limit_here() {
        block_.limit.store(limit_, std::memory_order_relaxed);
        block_.call_limit.store(call_limit_, std::memory_order_relaxed);
        set_stack_limit(true_);
        block_.scheduler_sp.store(scheduler_sp_, std::memory_order_relaxed);
        // A request that came meanwhile found a limit of 0.
        if (limit_ != 0) poison_if_asked(block_);
    }
    no_limit_here(const no_limit_here&) = delete;
    no_limit_here& operator=(const no_limit_here&) = delete;

private:
    thread_block& block_;
    const std::uintptr_t limit_;
    const std::uintptr_t call_limit_;
    const std::uintptr_t true_;
    void* const scheduler_sp_;  // The scheduler stack may be what was interrupted.
};

/// The newest segment is left, by whoever still runs on it: it goes to a free list once that is over.
void leave_newest_segment(coroutine& self) noexcept;

/// Control is about to go back to a frame at `sp`. Leaves all segments above the one that holds it, and enters the program's
/// mode there. Nothing happens when no segment of the coroutine does.
void leave_segments_above(coroutine& self, std::uintptr_t sp) noexcept;

}  // namespace weft::detail
