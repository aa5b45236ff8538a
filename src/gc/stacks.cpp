#include "gc/stacks.hpp"

#include "base/tsan.hpp"
#include "sched/big_stack.hpp"
#include "sched/scheduler.hpp"
#include "stack/live_ranges.hpp"

#include <cstddef>

namespace weft::detail {
namespace {

#if defined(__GNUC__) && !defined(__clang__)
#define WEFT_READS_ANYTHING [[gnu::noinline, gnu::no_sanitize("thread", "address")]]
#else
#define WEFT_READS_ANYTHING [[gnu::noinline, clang::no_sanitize("thread", "address")]]
#endif

// A load of what somebody else may be writing.
template <class T>
WEFT_READS_ANYTHING T peek(const T& from) noexcept {
    return *const_cast<const volatile T*>(&from);
}

// Flags share a byte with others that the owner writes.
WEFT_READS_ANYTHING bool has_result(const coroutine& c) noexcept {
    return c.flags.result == outcome::value;
}
WEFT_READS_ANYTHING bool has_big_frame(const coroutine& c) noexcept { return c.flags.big_frame; }

struct chain_link {
    std::byte* base;
    segment* below;
    void** crossing;
    const dynamic_block* dynamic;
    const saved_registers* registers;
};
WEFT_READS_ANYTHING chain_link peek_link(const volatile segment& s) noexcept {
    return {s.limit - red_zone_size, s.below, s.below == nullptr ? nullptr : s.crossing, s.dynamic,
            (s.flags & SEGMENT_REGISTERS) != 0 ? s.registers : nullptr};
}
struct block_link {
    const dynamic_block* next;
    std::size_t size;
};
WEFT_READS_ANYTHING block_link peek_block(const volatile dynamic_block& d) noexcept {
    return {d.next, d.size};
}
struct home_link {
    stack_ref stack;
    context_ref context;
    bool borrowed;
};
WEFT_READS_ANYTHING home_link peek_home(stack_ref stack) noexcept {
    const borrowed_note& note = note_of_borrowed(stack);
    return {note.home, note.context, note.home_is_borrowed};
}

const std::byte* address(const void* p) noexcept { return static_cast<const std::byte*>(p); }

// The closure, and later the result.
template <class Still, class Sink>
bool walk_frame(coroutine& c, const Still& still, const Sink& sink) noexcept {
    if (!has_big_frame(c)) {
        sink(c.frame.data(), c.frame.data() + inline_frame_size);
        return true;
    }
    const void* elsewhere = peek(*reinterpret_cast<void* const*>(c.frame.data()));
    const task_type* const type = peek(c.type);
    if (!still()) return false;
    sink(elsewhere, address(elsewhere) + type->size);
    return true;
}

template <class Still, class Sink>
bool walk_segments(segment* newest, const void* sp, const Still& still, const Sink& sink) noexcept {
    const std::byte* low = address(sp);
    for (segment* s = newest; s != nullptr;) {
        const chain_link link = peek_link(*s);
        if (!still()) return false;
        if (low < link.base || low > s->top()) return false;  // A context of before.
        sink(low, s->top());
        for (const dynamic_block* d = link.dynamic; d != nullptr;) {
            const block_link block = peek_block(*d);
            if (!still()) return false;
            const std::byte* const memory = address(d) + dynamic_block::header_size;
            sink(memory, memory + block.size);
            d = block.next;
        }
        if (link.registers != nullptr) {
            sink(link.registers, address(link.registers) + sizeof(saved_registers));
        }
        low = address(link.crossing) - crossing_frame_size;
        s = link.below;
    }
    return true;
}

template <class Still, class Sink>
bool walk_reserved(stack_ref stack, const void* sp, bool borrowed, const Still& still,
                   const Sink& sink) noexcept {
    for (;;) {
        const std::byte* const low = address(sp);
        const std::byte* const top = stack.top();
        if (low < stack.base() + stack_store::guard_size(stack.log2_size()) || low > top) {
            return false;  // A context of before.
        }
        sink(low, top);
        if (!borrowed) return true;
        const home_link home = peek_home(stack);
        if (!still()) return false;
        stack = home.stack;
        sp = home.context;
        borrowed = home.borrowed;
    }
}

// Calls sink(low, high) for each range of words that `c` has; still() says, behind each load that an address comes from,
// whether that may be used. False: it may not, or nothing fits together.
template <class Still, class Sink>
bool walk(coroutine& c, const void* sp, const Still& still, const Sink& sink) noexcept {
    if (!walk_frame(c, still, sink)) return false;
    if (sp == nullptr) return true;
    const stack_ref stack = c.stack;
    const bool borrowed = (c.traits & trait_borrows) != 0;
    if (!still()) return false;
    if (!stack) return true;
    if (stack.is_split()) return walk_segments(stack.newest(), sp, still, sink);
    return walk_reserved(stack, sp, borrowed, still, sink);
}

}  // namespace

stack_reading read_from_outside(coroutine& c, std::uint8_t round, marker& into,
                                bool all_stand) noexcept {
    // acquire: who stamped it with the round has published what he found.
    std::uint8_t stamp = c.scan_stamp.load(std::memory_order_acquire);
    if (stamp == round) return stack_reading::done;
    const void* sp = nullptr;
    // acquire: the context was written before the state, or before `calls`.
    switch (c.state.load(std::memory_order_acquire)) {
    case co_state::dead:
        if (!has_result(c)) return stack_reading::done;
        break;
    case co_state::runnable:
        break;
    case co_state::running:
        if (!all_stand && !c.calls.load(std::memory_order_acquire)) return stack_reading::too_soon;
        sp = c.context.get();
        break;
    case co_state::parked:
        sp = c.context.get();
        break;
    case co_state::parking:
    case co_state::parking_ready:
        return stack_reading::too_soon;
    }
    const auto reading = static_cast<std::uint8_t>(round | stamp_reading);
    // acquire: nothing of what follows is read before.
    if (!c.scan_stamp.compare_exchange_strong(stamp, reading, std::memory_order_acquire)) {
        return stack_reading::too_soon;
    }
    const auto still = [&c, reading] {
        std::atomic_thread_fence(std::memory_order_acquire);  // The loads before it stay before it.
        return c.scan_stamp.load(std::memory_order_relaxed) == reading;
    };
    const bool whole = walk(
        c, sp, still, [&into](const void* low, const void* high) { into.grey_range(low, high); });
    std::uint8_t expected = reading;
    const bool undisturbed = c.scan_stamp.compare_exchange_strong(
        expected, whole ? round : std::uint8_t{0}, std::memory_order_acq_rel);
    return whole && undisturbed ? stack_reading::done : stack_reading::too_soon;
}

bool read_own_stack(gc_mutator& m, coroutine& c, const void* sp) noexcept {
    return walk(
        c, sp, [] { return true; },
        [&m](const void* low, const void* high) { note_words(m, low, high); });
}

}  // namespace weft::detail
