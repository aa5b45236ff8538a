// Allocation beyond the run, as the program calls it: with a look at what the collector wants.
#include <weft/detail/gc_heap.hpp>

#include "base/stack_facts.hpp"
#include "gc/collector.hpp"
#include "gc/handshake.hpp"
#include "gc/pacer.hpp"
#include "gc/take.hpp"
#include "os/clock.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/switch.hpp"
#include "sched/wait.hpp"

#include <new>
#include <stdexcept>

namespace weft::detail {
namespace {

constexpr std::int64_t room_ns = 200'000;

// Answers the collector, and asks for a cycle if one is due. Who is far ahead of it lets others run.
void before_allocating() {
    coroutine* const self = this_coroutine();
    if (self != nullptr) {
        preemption_point(*self);
    } else {
        answer_attached();
    }
    if (over_limit() && sched.opts.on_memory_limit == memory_limit_action::throw_bad_alloc) {
        static_cast<void>(look_at_pace());  // There may be less in use by now.
        throw std::bad_alloc();
    }
    const pace now = look_at_pace();
    if (now == pace::go_on) return;
    if (collects_on_the_spot()) {
        if (self != nullptr) collect_and_wait(false);
        return;
    }
    if (now != pace::make_room || self == nullptr || self->no_preempt_depth != 0) return;
    try {
        waiting wait(cancellation::ignored, wait_kind::other);
        static_cast<void>(wait.finish(now_ns() + room_ns));
    } catch (const std::bad_alloc&) {
        // No memory for the timer: then without a rest.
    }
}

[[noreturn]] void refuse() {
    throw std::logic_error("weft: objects of the collected heap are made by coroutines and by "
                           "threads with a gc::attach, "
                           "and not inside blocking()");
}

// Destructors are not waited for: one may want a lock that the caller has.
void collect_for_memory() {
    try {
        collect_and_wait(false);
    } catch (const std::logic_error&) {
        throw std::
            bad_alloc();  // Nobody can collect here: an attached thread, and the runtime has stopped.
    }
}

template <class Take>
void* allocate(Take&& take) {
    before_allocating();
    slot_or_why got = take();
    if (got.what == taken::no_mutator) refuse();
    if (got.what == taken::no_memory) {
        // Twice, because what has a destructor is only given back by the next cycle.
        for (int attempt = 0; attempt != 2 && got.slot == nullptr; ++attempt) {
            collect_for_memory();
            got = take();
        }
        if (got.slot == nullptr) throw std::bad_alloc();
    }
    return got.slot;
}

}  // namespace

void* gc_allocate_slow(unsigned layout) {
    WEFT_PARKS;
    return allocate([layout] { return take_slot(layout); });
}

void* gc_allocate_large(std::size_t bytes, gc_kind kind) {
    WEFT_PARKS;
    void* const object = allocate([bytes, kind] { return take_large(bytes, kind); });
    gc_tell_tsan(object, bytes);
    return object;
}

}  // namespace weft::detail
