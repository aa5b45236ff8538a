// Whoever may change the graph of objects while it is marked: each processor, for whatever runs on it, and each attached
// thread.
//
// Ownership: whoever holds the processor, or the attached thread; in its signal handler too, unless it is busy (gc_busy). For
// a processor that nobody holds the collector, under the idle lock.
#pragma once

#include <weft/detail/gc_heap.hpp>

#include "base/cache_line.hpp"
#include "base/relaxed.hpp"
#include "gc/heap/heap.hpp"
#include "gc/word_chunk.hpp"

#include <atomic>
#include <cstdint>

namespace weft::detail {

struct alignas(cache_line) gc_mutator {
    relaxed<local_heap*> heap{nullptr};
    /// Pointers that were stored, or found on a stack, and were white then.
    word_buffer shaded;
    /// Coroutines that have left their stacks since those were read.
    word_buffer left;
    /// The round of marking that it has answered last: 1 to 63. 0 outside of them.
    relaxed<std::uint8_t> round{0};

    // Of an attached thread.
    gc_mutator* next = nullptr;
    thread_block* block = nullptr;
    int thread_id = 0;
    std::uintptr_t stack_low = 0;
    std::uintptr_t stack_high = 0;
    std::atomic<std::uint32_t> answered{0};
};

/// A stamp of a coroutine that is in a list of those that have left their stacks.
inline constexpr std::uint8_t stamp_listed = 127;
/// Beside a round: the collector is reading the stack for it.
inline constexpr std::uint8_t stamp_reading = 64;
inline constexpr std::uint8_t last_round = 63;

/// Where mutators send what they have noted.
struct gc_note_lists {
    chunk_list shaded;
    chunk_list left;
};
extern gc_note_lists gc_notes;

/// In the middle of what a signal handler's answer would disturb: it is put off until the thread comes by a safepoint or is
/// interrupted again.
class busy_section {
public:
    explicit busy_section(thread_block& block) noexcept : block_(block) {
        block.gc_busy.store(block.gc_busy.load(std::memory_order_relaxed) + 1,
                            std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    ~busy_section() {
        std::atomic_signal_fence(std::memory_order_seq_cst);
        block_.gc_busy.store(block_.gc_busy.load(std::memory_order_relaxed) - 1,
                             std::memory_order_relaxed);
    }
    busy_section(const busy_section&) = delete;
    busy_section& operator=(const busy_section&) = delete;

private:
    thread_block& block_;
};

/// Notes what may be a pointer to a white object: for the calling thread's mutator `m`, which is busy or in its own handler.
void note_word(gc_mutator& m, std::uintptr_t word) noexcept;
/// Notes each word of the range.
void note_words(gc_mutator& m, const void* low, const void* high) noexcept;

}  // namespace weft::detail
