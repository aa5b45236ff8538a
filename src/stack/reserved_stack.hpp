// Reserved stacks: fixed slots of address space, committed by touch.
//
// One arena for each power-of-two size, a single mapping without swap reservation:
//
//     | gap | guard | ........ slot 0 ....... | guard | ........ slot 1 ....... | ...
//           ^ base                        top ^
//
// The kernel puts pages where a coroutine has been, and nowhere else: a million slots of 256 KiB are 256 GiB
// of addresses and as much memory as was touched. Guards are markers inside the mapping
// (MADV_GUARD_INSTALL), so they do not split it; mmap and mprotect for each stack fail at 32,742 of them,
// vm.max_map_count being 65,530. Where the kernel lacks markers, or the memory is locked, the low
// end of a slot is left alone and its lowest word must read 0: checked when a stack is given back
// (`canary_intact`), never written, for a write would commit the page. Which of the two a slot has is noted with
// its free link: the kernel may refuse a marker at any time (mlockall), and a guarded slot must not be read.
//
// Ownership: take() to give() the caller's. A slot is never unmapped before release().
#pragma once

#include "base/relaxed.hpp"
#include "os/memory.hpp"
#include "os/ranked_lock.hpp"
#include "stack/cold_slots.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct segment;

/// One stack: its lowest address and, in the low bits, log2 of its size. Or a split one: the address of the newest of
/// its segments, with 0 there (assembly relies on that). Null: none.
class stack_ref {
public:
    constexpr stack_ref() noexcept = default;
    stack_ref(std::uintptr_t base, unsigned log2_size) noexcept : word_(base | log2_size) {}
    explicit stack_ref(segment* newest) noexcept
        : word_(reinterpret_cast<std::uintptr_t>(newest)) {}

    [[nodiscard]] explicit operator bool() const noexcept { return word_ != 0; }
    [[nodiscard]] bool is_split() const noexcept { return word_ != 0 && (word_ & 63) == 0; }
    [[nodiscard]] bool is_reserved() const noexcept { return (word_ & 63) != 0; }
    /// Of a split one.
    [[nodiscard]] segment* newest() const noexcept { return reinterpret_cast<segment*>(word_); }
    /// Of a reserved one, like all below.
    [[nodiscard]] unsigned log2_size() const noexcept { return word_ & 63; }
    [[nodiscard]] std::size_t size() const noexcept { return std::size_t{1} << log2_size(); }
    [[nodiscard]] std::byte* base() const noexcept {
        return reinterpret_cast<std::byte*>(word_ & ~std::uintptr_t{63});
    }

    /// Where the first frame goes. Coloured: if all stacks began at the same offset in their pages, the
    /// hot ends of all parked coroutines would compete for the same few cache sets.
    [[nodiscard]] std::byte* top() const noexcept {
        const std::uintptr_t index = word_ >> log2_size();
        return base() + size() - (index % 32) * 64;
    }

    friend bool operator==(stack_ref, stack_ref) noexcept = default;

private:
    std::uintptr_t word_ = 0;
};

/// What a faulting address says of a stack.
struct stack_hit {
    stack_ref stack;
    bool in_guard = false;
};

class stack_store {
public:
    static constexpr unsigned log2_min = 14;  // 16 KiB
    static constexpr unsigned log2_max = 34;

    /// Before the first take(). `canary`: behave as on a kernel without guard markers. Most stacks will be of `usual_log2`: they
    /// get a quarter of the address space, where that is limited, and all other sizes little.
    void configure(bool canary, unsigned usual_log2) noexcept;

    /// Null when address space or memory ends. Any thread.
    [[nodiscard]] stack_ref take(unsigned log2_size) noexcept;
    void give(stack_ref stack) noexcept;

    /// How much of the low end of a slot is guard.
    [[nodiscard]] static constexpr std::size_t guard_size(unsigned log2_size) noexcept {
        // A sixteenth: frames larger than a page do not jump over it so easily.
        return std::clamp(std::size_t{1} << (log2_size - 4), page_size,
                          std::size_t{16} * page_size);
    }
    /// Whether the slot has a guard that faults, or only a canary.
    [[nodiscard]] bool guarded(stack_ref stack) const noexcept;

    /// Whether the stack has not run over, as far as its lowest word tells. Always true for a guarded one.
    [[nodiscard]] bool canary_intact(stack_ref stack) const noexcept;

    /// The slot that holds `address`. Safe in a signal handler.
    [[nodiscard]] stack_hit find(std::uintptr_t address) const noexcept;

    /// A word that stays with the slot: the sanitizer's fiber. ThreadSanitizer builds only.
    [[nodiscard]] relaxed<void*>& tag_of(stack_ref stack) noexcept;

    /// A number below `note_limit` that whoever claims the coroutine on the stack may leave with the slot; it is gone, and
    /// something else is there, once the stack has been given back.
    [[nodiscard]] std::uint32_t note(stack_ref stack) const noexcept;
    void set_note(stack_ref stack, std::uint32_t note) noexcept;
    static constexpr std::uint32_t note_limit = 0x80000000;
    /// A second number that goes with it, of any value; meaningless unless the note says that it was set.
    [[nodiscard]] std::uint32_t note_time(stack_ref stack) const noexcept;
    void set_note_time(stack_ref stack, std::uint32_t when) noexcept;

    /// Gives back the pages of stacks that have lain free since the last call, of some thousands at most. Returns how
    /// many bytes of address space that were.
    std::size_t cool() noexcept;

    /// Gives back the page tables of up to `most` groups of stacks that have had no pages since before the last two calls of
    /// cool(). Returns how many groups it has looked at.
    std::size_t shed_tables(std::size_t most) noexcept;

    /// Gives all address space back, and each tag to `drop_tag`. No stack is in use.
    void release(void (*drop_tag)(void*) noexcept) noexcept;

    [[nodiscard]] std::uint64_t bytes_in_use() const noexcept {
        return in_use_.load(std::memory_order_relaxed);
    }

private:
    static constexpr std::uint32_t no_slot = 0x7fffffff;
    static constexpr std::uint32_t unguarded_bit = 0x80000000;

    struct arena {
        std::atomic<std::uintptr_t> base{0};
        std::size_t count = 0;  // Slots of the mapping.
        std::size_t fresh = 0;  // Slots from here on were never used.
        relaxed<relaxed<std::uint32_t>*> next{
            nullptr};  // Free list through slot numbers (the slots stay untouched), and
                       // unguarded_bit, which stays with the slot.
        std::uint32_t free = no_slot;  // Free, and may have pages;
        std::size_t free_count = 0;
        std::size_t free_least = 0;  // the fewest there were since the last cool().
        cold_slots cold;             // Free, and without pages.
        relaxed<relaxed<std::uint32_t>*> times{
            nullptr};                    // Beside the notes; untouched where there was none.
        relaxed<void*>* tags = nullptr;  // ThreadSanitizer builds only.
    };

    [[nodiscard]] bool reserve(arena& a, unsigned log2_size) noexcept;
    [[nodiscard]] static std::uint32_t slot_of(const arena& a, stack_ref stack) noexcept;
    arena& arena_of(unsigned log2_size) noexcept { return arenas_[log2_size - log2_min]; }

    ranked_lock lock_{lock_rank::stacks};
    std::array<arena, log2_max - log2_min + 1> arenas_{};
    std::atomic<bool> canary_{false};
    unsigned usual_log2_ = 0;
    std::atomic<std::uint64_t> in_use_{0};
};

}  // namespace weft::detail
