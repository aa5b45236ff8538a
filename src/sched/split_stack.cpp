#include "sched/split_stack.hpp"

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "os/thread.hpp"
#include "sched/collector.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "sched/switch.hpp"

#include <algorithm>

namespace weft::detail {

// What assembly takes for granted.
static_assert(offsetof(thread_block, current) == BLOCK_CURRENT);
static_assert(offsetof(thread_block, limit) == BLOCK_LIMIT);
static_assert(offsetof(thread_block, call_limit) == BLOCK_CALL_LIMIT);
static_assert(offsetof(thread_block, poisoned) == BLOCK_POISONED);
static_assert(offsetof(thread_block, segments) == BLOCK_SEGMENTS);
static_assert(offsetof(thread_block, scheduler_sp) == BLOCK_SCHEDULER_SP);
static_assert(offsetof(thread_block, stack_low) == BLOCK_STACK_LOW);
static_assert(offsetof(thread_block, stack_high) == BLOCK_STACK_HIGH);
static_assert(offsetof(thread_block, registers) == BLOCK_REGISTERS);
static_assert(offsetof(segment, below) == SEGMENT_BELOW);
static_assert(offsetof(segment, limit) == SEGMENT_LIMIT);
static_assert(offsetof(segment, call_limit) == SEGMENT_CALL_LIMIT);
static_assert(offsetof(segment, link) == SEGMENT_LINK);
static_assert(offsetof(segment, crossing) == SEGMENT_CROSSING);
static_assert(offsetof(segment, dynamic) == SEGMENT_DYNAMIC);
static_assert(offsetof(segment, depth_kib) == SEGMENT_DEPTH);
static_assert(offsetof(segment, size_class) == SEGMENT_CLASS);
static_assert(offsetof(segment, next_class) == SEGMENT_NEXT_CLASS);
static_assert(offsetof(segment, flags) == SEGMENT_FLAGS);
static_assert(offsetof(segment, size_kib) == SEGMENT_SIZE);
static_assert(offsetof(segment, next_usable) == SEGMENT_NEXT_USABLE);
static_assert(offsetof(segment_cache, lists) == 0);
static_assert(sizeof(segment_cache::list) == 1 << LIST_LOG2_SIZE);
static_assert(offsetof(segment_cache::list, head) == LIST_HEAD);
static_assert(offsetof(segment_cache::list, room) == LIST_ROOM);
static_assert(offsetof(saved_registers, general) == SAVED_RCX);
static_assert(sizeof(saved_registers) == SAVED_SIZE);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
static_assert(offsetof(coroutine, stack) == COROUTINE_STACK);
#pragma GCC diagnostic pop

namespace {

constexpr std::size_t far_room = std::size_t{256} * 1024;

void free_dynamic(segment& s, const void* above) noexcept {
    for (dynamic_block** at = &s.dynamic; *at != nullptr;) {
        dynamic_block* const block = *at;
        if (above != nullptr && block->frame >= above) {
            at = &block->next;
            continue;
        }
        *at = block->next;
        free_unread(block);
    }
}

// `cache` null: without a processor.
void give_segment(segment_cache* cache, segment& s) noexcept {
    check_segment(s);
    free_dynamic(s, nullptr);
    if (s.size_class == class_huge) {
        sched.segments.give_huge(s);
    } else if (cache != nullptr) {
        cache->give(s, sched.segments);
    } else {
        s.link = nullptr;
        sched.segments.give(&s);
    }
}

void clean_up(segment_cache& cache) noexcept {
    while (segment* const s = cache.left_behind) {
        cache.left_behind = s->link;
        give_segment(&cache, *s);
    }
}

}  // namespace

[[gnu::noinline]] void report_canary(const segment& s) noexcept {
    WEFT_DEEP;
    report_overflow_of(this_coroutine(), s.size(), "the end of a segment was written");
}

namespace {

// Where even the runtime's frames need more, there is nothing to choose.
bool learns_first_class() noexcept { return weft_first_class_min == 0; }

unsigned first_class_of(const coroutine& c) noexcept {
    const unsigned asked = c.stack_code() - split_stack_code;
    return asked == 0 && learns_first_class() ? sched.first_class.of(*c.type) : asked;
}

void mark_first(segment& s, const coroutine& c) noexcept {
    const bool chosen = c.stack_code() == split_stack_code && learns_first_class();
    const bool marked = chosen && sched.first_class.learns(*c.type, s.size_class);
    s.next_class = static_cast<std::uint8_t>(marked ? class_none : class_after(s.size_class));
}

}  // namespace

unsigned split_stack_code_for(std::size_t bytes) noexcept {
    unsigned c = weft_first_class_min;
    while (c < class_large && size_of_class(c) < bytes) ++c;
    return split_stack_code + c;
}

[[gnu::noinline]] segment* take_first_segment(machine& m, const coroutine& c) noexcept {
    WEFT_DEEP;
    if (!sched.has_split_stacks.load(std::memory_order_relaxed)) {
        sched.has_split_stacks.store(true, std::memory_order_relaxed);
    }
    segment_cache& cache = m.p->segments;
    segment* const s = cache.take(first_class_of(c), sched.segments);
    if (s == nullptr) return nullptr;
    mark_first(*s, c);
    // It may have been somebody's second.
    s->below = nullptr;
    s->noted = {};
    s->depth_kib = s->size_kib;
    s->flags = 0;
    return s;
}

bool inherit_first_segment(segment& s, const coroutine& c) noexcept {
    if (s.size_class != first_class_of(c)) return false;
    mark_first(s, c);
    return true;
}

[[gnu::noinline]] void give_first_segment(machine& m, segment& s) noexcept {
    WEFT_DEEP;
    WEFT_ASSERT(s.below == nullptr);
    processor* const p = m.p;
    if (p != nullptr) clean_up(p->segments);
    give_segment(p == nullptr ? nullptr : &p->segments, s);
}

void end_first_segment(segment& s) noexcept {
    check_segment(s);
    free_dynamic(s, nullptr);
}

void empty_segment_cache(processor& p) noexcept {
    clean_up(p.segments);
    p.segments.empty_into(sched.segments);
}

void prepare_for_split_stacks(machine& m, const void* frame) noexcept {
    if (!weft_splits_stacks()) return;
    thread_block& block = *m.block.get();
    // Above the frame there is more of the same stack: whoever called it, and the thread's own data.
    const auto here = reinterpret_cast<std::uintptr_t>(frame);
    std::uintptr_t low = here - far_room;
    if (m.is_thread) {  // A thread's stack may be smaller, and something else be below it. Main's has a gap there.
        low = std::max(low, reinterpret_cast<std::uintptr_t>(this_thread_stack().bottom));
    }
    block.stack_high.store(here + 2048, std::memory_order_relaxed);
    block.stack_low.store(low, std::memory_order_relaxed);
    block.registers.store(off_heap_new<saved_registers>(), std::memory_order_relaxed);
}

void forget_split_stacks(machine& m) noexcept {
    thread_block& block = *m.block.get();
    free_unread(block.registers.exchange(nullptr, std::memory_order_relaxed));
    block.segments.store(nullptr, std::memory_order_relaxed);
    block.scheduler_sp.store(nullptr, std::memory_order_relaxed);
    block.stack_high.store(0, std::memory_order_relaxed);
    block.stack_low.store(0, std::memory_order_relaxed);
}

namespace {

// Growing is nothing that the program has called.
class errno_kept {
public:
    explicit errno_kept(const machine& m) noexcept : where_(m.error_number), what_(*where_) {}
    ~errno_kept() { *where_ = what_; }
    errno_kept(const errno_kept&) = delete;
    errno_kept& operator=(const errno_kept&) = delete;

private:
    int* const where_;
    const int what_;
};

}  // namespace

// Called by assembly, on the scheduler stack, in the runtime's mode. --------------------------------------------

extern "C" {

[[gnu::visibility("hidden")]] segment* weft_slow_grow(std::size_t needed, segment& newest,
                                                      std::size_t flags) noexcept {
    machine& m = *this_machine();
    const errno_kept kept(m);
    segment_cache& cache = m.p->segments;
    clean_up(cache);
    // `needed` has the red zone in it. A borrowed one is always large.
    unsigned c = class_large;
    if ((flags & SEGMENT_BORROWED) == 0) {
        if (newest.next_class == class_none) {
            sched.first_class.learn(*m.current->type, newest.size_class);
            newest.next_class = static_cast<std::uint8_t>(class_after(newest.size_class));
        }
        c = newest.next_class;
    }
    while (c <= class_large && size_of_class(c) - sizeof(segment) < needed) ++c;
    // A segment may go over the limit, and so may room that was asked for; not one frame that is larger than any of the usual
    // sizes.
    const bool is_frame = c > class_large && (flags & GROW_FOR_ROOM) == 0;
    const std::size_t one_frame = is_frame ? needed : 0;
    if (one_frame > sched.opts.max_stack ||
        newest.depth_kib > (sched.opts.max_stack - one_frame) / 1024) {
        report_overflow_of(m.current, sched.opts.max_stack, {});
    }
    segment* const s = c <= class_large ? cache.take(c, sched.segments)
                                        : sched.segments.take_huge(needed - red_zone_size);
    if (s == nullptr) report_no_stack(*m.current.get());
    return s;
}

[[gnu::visibility("hidden")]] void weft_slow_shrink(segment& s) noexcept {
    machine& m = *this_machine();
    const errno_kept kept(m);
    segment_cache& cache = m.p->segments;
    clean_up(cache);
    give_segment(&cache, s);
}

[[gnu::visibility("hidden")]] void* weft_slow_allocate(std::size_t size,
                                                       const void* frame) noexcept {
    constexpr std::size_t header = dynamic_block::header_size;
    static_assert(header >= sizeof(dynamic_block));
    thread_block& block = *this_thread_block();
    coroutine* const current = block.current.load(std::memory_order_relaxed);
    if (current == nullptr || !current->stack.get().is_split()) {
        // The limit was poisoned for a coroutine that had left it, at a moment when others have none. Once in a long
        // while, and then this stays.
        block.call_limit.store(0, std::memory_order_relaxed);
        this_stack_limit()->store(0, std::memory_order_relaxed);
        return static_cast<std::byte*>(off_heap_allocate(size + header, header)) + header;
    }
    const errno_kept kept(*this_machine());
    coroutine& self = *current;
    segment& s = *self.stack.get().newest();
    // Of frames that have gone. Those of the same frame may be of a call before, of the same function from the same place:
    // nobody can tell, so they stay until the segment is left.
    free_dynamic(s, frame);
    const std::size_t total = size + (s.dynamic == nullptr ? 0 : s.dynamic->total);
    if (size > sched.opts.max_stack || total > sched.opts.max_stack) {
        report_overflow_of(&self, sched.opts.max_stack, {});
    }
    auto* const memory = static_cast<std::byte*>(off_heap_allocate(size + header, header));
    s.dynamic = ::new (memory) dynamic_block{s.dynamic, frame, size, total};
    return memory + header;
}

}  // extern "C"

}  // namespace weft::detail
