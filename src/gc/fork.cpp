// The thread that forks is the only one that goes on in the child. Everything that others held or were about to finish stays as
// it was:
//
//   locks           the thread that forks takes them all first, so none of them is held by a thread that is gone
//   a walk          its mark in a list lies on a stack that may be used again, so the child takes it out
//   a cycle         never ends. Its black heaps stay black, which is right for ever: nothing is swept. The child does not
//                   mark, and opens the gate of weak pointers, because nobody would take reports
//   a sweep         spans that a sweeper has claimed stay claimed, and allocation takes others
//
// A cycle would need the answers of processors whose threads are gone, so the child begins none.
//
// The locks are held while the kernel copies the tables of pages, so allocation beyond the run waits for that. Handlers that the
// program has for fork() run before ours and after them, but for those that were registered before the constructors of the
// program: with the locks held they would wait for a thread that waits for us.
#include "gc/fork.hpp"

#include "gc/collector.hpp"
#include "gc/destroyers.hpp"
#include "gc/heap/central.hpp"
#include "gc/heap/heap.hpp"
#include "gc/heap/local_heap.hpp"
#include "gc/heap/page_heap.hpp"
#include "gc/life/destructors.hpp"
#include "gc/life/roots.hpp"
#include "gc/life/weak.hpp"
#include "gc/mutator.hpp"
#include "gc/registry.hpp"
#include "gc/shade.hpp"
#include "mem/carriers.hpp"
#include "os/at_fork.hpp"
#include "sched/scheduler.hpp"

#include <array>
#include <atomic>

namespace weft::detail {
namespace {

struct lock_pair {
    void (*lock)() noexcept;
    void (*unlock)() noexcept;
};

// In an order in which nobody who has one of them takes another that comes before it.
constexpr std::array all_locks{
    lock_pair{lock_coordinator, unlock_coordinator},
    lock_pair{lock_heap_opening, unlock_heap_opening},
    lock_pair{lock_destroyers, unlock_destroyers},
    lock_pair{lock_destructors, unlock_destructors},
    lock_pair{lock_weak, unlock_weak},
    lock_pair{lock_roots, unlock_roots},
    lock_pair{lock_carriers, unlock_carriers},
    lock_pair{lock_foreign_words, unlock_foreign_words},
    lock_pair{[]() noexcept { registry.lock.lock(); }, []() noexcept { registry.lock.unlock(); }},
    lock_pair{lock_local_heaps, unlock_local_heaps},
    lock_pair{lock_central, unlock_central},
    lock_pair{lock_page_heap, unlock_page_heap},
};

constinit std::atomic<bool> forked{false};

// Nothing in between may move the coroutine to another thread, nor answer the collector on this one.
void lock_all() noexcept {
    gc_enter_busy();
    if (coroutine* const self = this_coroutine()) ++self->no_preempt_depth;
    for (const lock_pair& one : all_locks) one.lock();
}

void unlock_all() noexcept {
    for (auto one = all_locks.rbegin(); one != all_locks.rend(); ++one) one->unlock();
    if (coroutine* const self = this_coroutine()) --self->no_preempt_depth;
    gc_leave_busy();
}

// The child asks its mutators for nothing but the colour that they have. White would let them sweep objects that are not marked
// yet.
void ask_for_no_more() noexcept {
    gc_request asked = last_request();
    ++asked.number;
    if (asked.number == 0) asked.number = 1;
    asked.round = 0;
    asked.marking = false;
    store_request(asked);
}

// Under the lock of the registry.
bool others_are_attached() noexcept {
    for (const gc_mutator* m = registry.attached; m != nullptr; m = m->next) {
        if (m->block != this_thread_block()) return true;
    }
    return false;
}

void begin_child() noexcept {
    // Without a runtime, and without attached threads, the child lacks no thread.
    const bool lacks_threads =
        sched.slot_count.load(std::memory_order_relaxed) != 0 || others_are_attached();
    if (lacks_threads) {
        forked.store(true, std::memory_order_relaxed);
        gc_marking.store(0, std::memory_order_relaxed);
        ask_for_no_more();
        forget_coordinator();
        forget_walks_of_roots();
        forget_walks_of_carriers();
        end_weak_marking();
    }
    unlock_all();
    // No other coroutine may run here, where its processor may lack its thread.
    if (coroutine* const self = this_coroutine(); self != nullptr && lacks_threads) {
        ++self->no_preempt_depth;
    }
}

constinit bool ready = false;

// Before the handlers of the program and its libraries, so that theirs run without our locks.
[[gnu::constructor(101)]] void prepare() noexcept {
    ready = at_fork(lock_all, unlock_all, begin_child);
}

}  // namespace

bool is_ready_for_forks() noexcept { return ready; }

bool is_forked_child() noexcept { return forked.load(std::memory_order_relaxed); }

}  // namespace weft::detail
