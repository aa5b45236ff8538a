#include "gc/registry.hpp"

#include "base/off_heap.hpp"
#include "base/tsan.hpp"
#include "os/thread.hpp"
#include "os/thread_probe.hpp"
#include "sched/collector.hpp"

#include <mutex>
#include <new>

namespace weft::detail {

constinit gc_registry registry;
constinit gc_note_lists gc_notes;

namespace {

constexpr std::uint64_t pack(const gc_request& r) noexcept {
    return r.number | std::uint64_t{r.round} << 32 | std::uint64_t{r.black} << 40 |
           std::uint64_t{r.marking} << 41;
}
constexpr gc_request unpack(std::uint64_t word) noexcept {
    gc_request r;
    r.number = static_cast<std::uint32_t>(word);
    r.round = static_cast<std::uint8_t>(word >> 32);
    r.black = (word >> 40 & 1) != 0;
    r.marking = (word >> 41 & 1) != 0;
    return r;
}

gc_mutator* make_mutator_locked() noexcept {
    local_heap* const heap = make_local_heap();
    if (heap == nullptr) return nullptr;
    gc_mutator* m = nullptr;
    try {
        const unrecorded unseen;  // Coroutines find it through the thread that they run on.
        m = off_heap_new<gc_mutator>();
    } catch (const std::bad_alloc&) {
        give_local_heap(*heap);
        return nullptr;
    }
    m->heap = heap;
    const gc_request now = last_request();
    if (now.black) begin_black(*heap);
    m->round = now.round;
    m->answered.store(now.number, std::memory_order_relaxed);
    return m;
}

void delete_mutator_locked(gc_mutator& m) noexcept {
    m.shaded.flush(gc_notes.shaded);
    m.left.flush(gc_notes.left);
    give_local_heap(*m.heap);
    off_heap_delete(&m);
}

}  // namespace

// acquire: what was done before it was published (advance_epoch) is seen.
gc_request last_request() noexcept {
    return unpack(registry.request.load(std::memory_order_acquire));
}

void store_request(const gc_request& asked) noexcept {
    registry.request.store(pack(asked), std::memory_order_release);
    // seq_cst: a processor that is added after the collector has looked for all of them compares with this number.
    collector_request.store(asked.number, std::memory_order_seq_cst);
}

gc_mutator* mutator_of(processor& p) noexcept {
    if (gc_mutator* const m = p.mutator.load(std::memory_order_acquire)) return m;
    const std::lock_guard hold(registry.lock);
    if (gc_mutator* const m = p.mutator.load(std::memory_order_acquire)) return m;
    gc_mutator* const m = make_mutator_locked();
    if (m == nullptr) return nullptr;
    p.heap.store(m->heap, std::memory_order_relaxed);
    p.mutator.store(m, std::memory_order_release);
    return m;
}

gc_mutator* take_mutator(thread_block& block) noexcept {
    const stack_bounds stack = this_thread_stack();
    const int id = this_thread_id();
    const std::lock_guard hold(registry.lock);
    gc_mutator* const m = make_mutator_locked();
    if (m == nullptr) return nullptr;
    m->block = &block;
    m->thread_id = id;
    m->stack_low = reinterpret_cast<std::uintptr_t>(stack.bottom);
    m->stack_high = m->stack_low + stack.size;
    m->next = registry.attached;
    registry.attached = m;
    return m;
}

void give_mutator(gc_mutator& m) noexcept {
    const std::lock_guard hold(registry.lock);
    for (gc_mutator** at = &registry.attached; *at != nullptr; at = &(*at)->next) {
        if (*at != &m) continue;
        *at = m.next;
        break;
    }
    delete_mutator_locked(m);
}

void give_mutator_of(processor& p) noexcept {
    gc_mutator* const m = p.mutator.load(std::memory_order_relaxed);
    if (m == nullptr) return;
    const std::lock_guard hold(registry.lock);
    p.mutator.store(nullptr, std::memory_order_relaxed);
    delete_mutator_locked(*m);
}

bool any_attached() noexcept {
    const std::lock_guard hold(registry.lock);
    return registry.attached != nullptr;
}

void obey(gc_mutator& m, const gc_request& asked) noexcept {
    m.shaded.flush(gc_notes.shaded);
    m.left.flush(gc_notes.left);
    if (asked.black && !m.heap->black) begin_black(*m.heap);
    if (!asked.black && m.heap->black) end_cycle(*m.heap);
    m.round = asked.round;
}

}  // namespace weft::detail
