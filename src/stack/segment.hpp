// One piece of a split stack.
//
//     low    [ canary | red zone |  frames ...                 | header ]   high
//            ^ base              ^ limit                       ^ this
//
// The header is at the high end: in the cache lines of the first frames, and in a large segment on the only page that
// is touched for sure. A coroutine's segments are a chain, the newest first; the limit of the newest is in the
// thread's %fs:0x70 while it runs, where the compiler's prologues look.
//
// Classes double from 1 KiB to 64 KiB; beyond that a segment is a mapping of its own (class_huge). Those from 64 KiB
// on end in a guard page, and code that does not check runs there in place while CALL_ROOM is left. Smaller ones have a
// canary: code that does not check may run there only for as long as it stays in the red zone, and the canary tells when
// it did not.
//
// Otherwise such code gets a large segment, *borrowed* for the call, and all above that is marked: there it is in the
// middle of something, so nobody is preempted.
//
// Ownership: the coroutine's while it is in its chain, else the list's that it is in. Written by assembly
// (arch/x86_64/morestack.S), which knows the offsets.
#pragma once

#include "arch/x86_64/offsets.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

inline constexpr unsigned class_large = CLASS_LARGE;
inline constexpr unsigned class_huge = CLASS_HUGE;
/// A next_class of which there never is a free segment: growing then comes to weft_slow_grow().
inline constexpr unsigned class_none = SEGMENT_CLASSES;
inline constexpr std::size_t red_zone_size = RED_ZONE;

[[nodiscard]] constexpr std::size_t size_of_class(unsigned c) noexcept {
    return std::size_t{1024} << c;
}

/// Memory that a frame of a segment asked for while it ran (alloca), and that lives as long as the frame.
struct dynamic_block {
    static constexpr std::size_t header_size = 64;
    dynamic_block* next;
    const void* frame;  // The stack pointer of who asked.
    std::size_t size;   // Of what lies behind the header.
    std::size_t total;  // With the next ones, when it was added.
};

/// Registers that carry arguments, of a call that was interrupted. One a machine, and one for each coroutine that was
/// preempted; a coroutine leaves with the machine's, and brings its own when it goes on.
struct alignas(64) saved_registers {
    std::array<std::byte, 512> vectors;
    std::array<std::uintptr_t, 8> general;
};

/// What the trimmer leaves with a stack: see sched/trim.cpp.
struct stack_note {
    std::uint32_t what;
    std::uint32_t when;
};

struct segment {
    segment* below = nullptr;  // What the coroutine goes back to; null for its first one.
    std::byte* limit = nullptr;
    std::byte* call_limit =
        nullptr;  // Below it a call into code that does not check goes elsewhere.
    union {
        segment* link = nullptr;  // Free lists;
        saved_registers*
            registers;  // or, with SEGMENT_REGISTERS, of the coroutine that was preempted on it.
    };
    union {
        void** crossing;  // The frame, on the segment below, that called into this one;
        stack_note
            noted{};  // or, of a coroutine's first one, what is known of how long it has been parked.
    };
    dynamic_block* dynamic = nullptr;
    std::uint32_t depth_kib = 0;  // Of the chain up to and with this one.
    std::uint8_t size_class = 0;
    std::uint8_t next_class = 0;
    std::uint16_t flags = 0;
    std::uint32_t size_kib = 0;
    std::uint32_t next_usable = 0;  // Bytes of frames that a segment of next_class has room for.

    [[nodiscard]] std::byte* base() const noexcept { return limit - red_zone_size; }
    [[nodiscard]] std::byte* top() noexcept { return reinterpret_cast<std::byte*>(this); }
    [[nodiscard]] const std::byte* top() const noexcept {
        return reinterpret_cast<const std::byte*>(this);
    }
    [[nodiscard]] std::size_t size() const noexcept { return std::size_t{size_kib} * 1024; }
    [[nodiscard]] bool has_canary() const noexcept { return size_class < class_large; }
    [[nodiscard]] bool holds(std::uintptr_t address) const noexcept {
        return address >= reinterpret_cast<std::uintptr_t>(base()) &&
               address < reinterpret_cast<std::uintptr_t>(this);
    }
    /// Something below it, or itself, is code that does not check: it may hold what belongs to its thread.
    [[nodiscard]] bool over_borrowed() const noexcept { return (flags & SEGMENT_BORROWED) != 0; }

    [[nodiscard]] std::span<const std::byte> saved_registers_here() const noexcept {
        if ((flags & SEGMENT_REGISTERS) == 0) return {};
        return std::as_bytes(std::span(registers, 1));
    }

    [[nodiscard]] bool canary_intact() const noexcept {
        return !has_canary() ||
               *reinterpret_cast<const volatile std::uint64_t*>(base()) == SEGMENT_CANARY;
    }
};

static_assert(sizeof(segment) == SEGMENT_HEADER_SIZE);

/// What frames may use of a segment of `size` bytes.
[[nodiscard]] constexpr std::size_t usable_of(std::size_t size) noexcept {
    return size - sizeof(segment) - red_zone_size;
}

/// A coroutine that grows once will grow again: from a tiny first segment straight to a page.
[[nodiscard]] constexpr unsigned class_after(unsigned size_class) noexcept {
    return size_class + 1 < 2 ? 2 : size_class + 1 > class_large ? class_large : size_class + 1;
}

/// Makes a segment of the memory at `base`, whose size is that of its class unless it is a huge one.
segment* make_segment(std::byte* base, unsigned size_class, std::size_t size) noexcept;

}  // namespace weft::detail
