#include "gc/take.hpp"

#include "base/config.hpp"
#include "base/stack_facts.hpp"
#include "gc/collector.hpp"
#include "gc/fork.hpp"
#include "gc/heap/heap.hpp"
#include "gc/registry.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"

#if WEFT_TSAN
// The interface that the sanitizer has for runtimes with heaps of their own.
extern "C" void __tsan_java_init(unsigned long heap, unsigned long size);
extern "C" void __tsan_java_alloc(unsigned long memory, unsigned long size);
#endif

namespace weft::detail {
namespace {

// What the calling thread allocates for. Null when it may not, or when memory ends.
gc_mutator* mutator_here(thread_block& block, taken& why) noexcept {
    if (gc_mutator* const m = block.mutator.load(std::memory_order_relaxed)) return m;
    why = taken::no_mutator;
    machine* const m = block.owner.load(std::memory_order_relaxed);
    if (m == nullptr || block.current.load(std::memory_order_relaxed) == nullptr) return nullptr;
    if (!open_collector()) {
        why = taken::no_memory;
        return nullptr;
    }
    processor& p = *m->p.get();
    gc_mutator* const mine = mutator_of(p);
    if (mine == nullptr) {
        why = taken::no_memory;
        return nullptr;
    }
    show_heap(block, p);
    return mine;
}

template <class Take>
slot_or_why take_here(Take&& take) noexcept {
    thread_block& block = *this_thread_block();
    slot_or_why got;
    const busy_section busy(block);
    gc_mutator* const m = mutator_here(block, got.what);
    if (m == nullptr) return got;
    got.slot = take(*m->heap);
    got.what = got.slot == nullptr ? taken::no_memory : taken::slot;
    return got;
}

}  // namespace

[[gnu::noinline]] slot_or_why take_slot(unsigned layout) noexcept {
    WEFT_DEEP;
    return take_here([layout](local_heap& heap) { return refill(heap, layout); });
}

[[gnu::noinline]] slot_or_why take_large(std::size_t bytes, gc_kind kind) noexcept {
    WEFT_DEEP;
    return take_here([bytes, kind](local_heap& heap) { return allocate_large(heap, bytes, kind); });
}

[[gnu::noinline]] pace look_at_pace() noexcept {
    WEFT_DEEP;
    if (is_forked_child()) return pace::go_on;
    const pace now = pace_now();
    if (now != pace::go_on && !collects_on_the_spot()) want_cycle();
    return now;
}

#if WEFT_TSAN
void gc_tell_tsan(void* slot, std::size_t bytes) noexcept {
    static const bool ready = [] {
        __tsan_java_init(8, (1ul << 47) - 16);
        return true;
    }();
    if (ready) __tsan_java_alloc(reinterpret_cast<unsigned long>(slot), (bytes + 7) & ~7ul);
}
#endif

}  // namespace weft::detail
