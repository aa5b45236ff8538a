// What weft/gc.hpp declares beside its templates.
#include <weft/gc.hpp>

#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "gc/collector.hpp"
#include "gc/heap/heap.hpp"
#include "gc/life/destructors.hpp"
#include "gc/outcome.hpp"
#include "gc/pacer.hpp"
#include "gc/pauses.hpp"
#include "gc/registry.hpp"
#include "os/nudge.hpp"
#include "os/thread.hpp"
#include "sched/scheduler.hpp"

#include <new>
#include <stdexcept>

namespace weft::detail {

constinit pause_counter pauses;

struct gc_attachment {
    gc_attachment(gc_mutator& m, bool blocked) noexcept : mutator(m), blocked_nudges(blocked) {}
    gc_mutator& mutator;
    const bool blocked_nudges;  // By the thread, before it was attached.
};

namespace {

// On the thread that is to be attached.
gc_attachment* attach_this_thread() {
    thread_block& block = *this_thread_block();
    if (block.owner.load(std::memory_order_relaxed) != nullptr ||
        block.mutator.load(std::memory_order_relaxed) != nullptr) {
        return nullptr;
    }
    const foreign_visit visit;
    if (!visit) throw std::logic_error("weft: gc::attach while no runtime is up");
    const stack_bounds stack = this_thread_stack();
    const auto sp = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (sp - reinterpret_cast<std::uintptr_t>(stack.bottom) >= stack.size) {
        throw std::logic_error("weft: gc::attach inside blocking(), which runs on a stack that is "
                               "not the thread's: use what "
                               "the caller has a gc::root of");
    }
    if (!open_collector()) throw std::bad_alloc();
    gc_mutator* const m = take_mutator(block);
    if (m == nullptr) throw std::bad_alloc();
    gc_attachment* mine = nullptr;
    try {
        mine = off_heap_new<gc_attachment>(*m, unblock_nudges());
    } catch (...) {
        give_mutator(*m);
        throw;
    }
    block.heap.store(m->heap, std::memory_order_relaxed);
    block.mutator.store(m, std::memory_order_relaxed);
    return mine;
}

void detach_this_thread(gc_attachment& mine) noexcept {
    thread_block& block = *this_thread_block();
    // First: from here on a signal's answer finds nobody, and the collector waits until the mutator is out of its list.
    hide_heap(block);
    give_mutator(mine.mutator);
    block.collector.store(0, std::memory_order_relaxed);
    if (mine.blocked_nudges) block_nudges();
    off_heap_delete(&mine);
}

}  // namespace
}  // namespace weft::detail

namespace weft::gc {

attach::attach() : mine_(detail::attach_this_thread()) {}
attach::~attach() {
    if (mine_ != nullptr) detail::detach_this_thread(*mine_);
}

void collect() {
    WEFT_PARKS;
    detail::collect_and_wait();
}

int set_percent(int percent) { return detail::set_gc_percent(percent); }
std::size_t set_memory_limit(std::size_t bytes) { return detail::set_gc_limit(bytes); }

void free_os_memory() {
    WEFT_PARKS;
    detail::collect_and_wait();
    while (detail::scavenge(0, detail::scavenge_step) != 0) {}
}

statistics stats() noexcept {
    statistics s;
    const detail::gc_counts counts = detail::count_cycles();
    s.cycles = counts.cycles;
    s.rounds = counts.rounds;
    s.pauses.count = detail::pauses.count();
    s.pauses.total = detail::pauses.total();
    s.pauses.max = detail::pauses.max();
    static_assert(pause_statistics::buckets == detail::pause_counter::buckets);
    for (std::size_t i = 0; i != pause_statistics::buckets; ++i) {
        s.pauses.histogram[i] = detail::pauses.of_bucket(i);
    }
    s.live_bytes = detail::live_bytes();
    s.heap_bytes = detail::heap_bytes();
    s.mapped_bytes = detail::mapped_bytes();
    s.released_bytes = detail::released_bytes();
    s.goal_bytes = detail::goal_bytes();
    s.cpu_fraction = counts.cpu_fraction;
    s.limited_ns = static_cast<std::uint64_t>(counts.limited_ns);
    s.destructors_run = detail::destructors_run();
    s.destructors_pending = detail::destructors_pending();
    return s;
}

}  // namespace weft::gc
