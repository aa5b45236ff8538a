// Only the thread that forks goes on in the child. What the others held or were about to finish stays as it was:
//
//   locks           the thread that forks takes them all first, so none of them is held by a thread that is gone
//   a walk          its mark in a list lies on a stack that may be used again, so the child takes it out
//   a cycle         never ends. Its black heaps stay black, which is right for ever: nothing is swept. The child does not
//                   mark, because nobody would take what is reported
//   a sweep         spans that a sweeper has claimed stay claimed, and allocation takes others
//
// A cycle would need the answers of processors whose threads are gone, so the child begins none.
#include "gc/fork.hpp"

#include "gc/collector.hpp"
#include "gc/destroyers.hpp"
#include "gc/heap/central.hpp"
#include "gc/heap/local_heap.hpp"
#include "gc/heap/page_heap.hpp"
#include "gc/life/destructors.hpp"
#include "gc/life/roots.hpp"
#include "gc/life/weak.hpp"
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

// Handlers that the program has for fork() run between the two, so nothing there may move the coroutine to another thread,
// nor answer the collector on it.
void lock_all() noexcept {
    thread_block& block = *this_thread_block();
    block.gc_busy.store(block.gc_busy.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
    if (coroutine* const self = this_coroutine()) ++self->no_preempt_depth;
    for (const lock_pair& one : all_locks) one.lock();
}

void unlock_all() noexcept {
    for (auto one = all_locks.rbegin(); one != all_locks.rend(); ++one) one->unlock();
    if (coroutine* const self = this_coroutine()) --self->no_preempt_depth;
    thread_block& block = *this_thread_block();
    block.gc_busy.store(block.gc_busy.load(std::memory_order_relaxed) - 1,
                        std::memory_order_relaxed);
}

// What is asked of the mutators that are left: nothing but the colour that they have. White would let them sweep what is not
// marked yet.
void ask_for_no_more() noexcept {
    gc_request asked = last_request();
    ++asked.number;
    if (asked.number == 0) asked.number = 1;
    asked.round = 0;
    asked.marking = false;
    store_request(asked);
}

void begin_child() noexcept {
    // With no runtime there is no thread that the child lacks.
    if (sched.slot_count.load(std::memory_order_relaxed) != 0) {
        forked.store(true, std::memory_order_relaxed);
        gc_marking.store(0, std::memory_order_relaxed);
        ask_for_no_more();
        forget_coordinator();
        forget_walks_of_roots();
        forget_walks_of_carriers();
    }
    unlock_all();
}

}  // namespace

bool prepare_for_forks() noexcept {
    static const bool done = at_fork(lock_all, unlock_all, begin_child);
    return done;
}

bool is_forked_child() noexcept { return forked.load(std::memory_order_relaxed); }

}  // namespace weft::detail
