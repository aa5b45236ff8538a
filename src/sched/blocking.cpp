// Declared blocking calls: the processor goes on without the thread.
//
// The machine gives its processor to the idle ones at once, and another machine takes it if anything waits.
// Inside, the thread is foreign: it has neither coroutine nor machine in its thread block, so whatever weft
// operation the call makes blocks the thread. Back, it takes an idle processor; when there is none it queues
// the coroutine and sleeps.
#include <weft/go.hpp>

#include "base/assert.hpp"
#include "base/intrusive_list.hpp"
#include "base/spin_lock.hpp"
#include "sched/extras.hpp"
#include "sched/idle.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/switch.hpp"
#include "sched/wait.hpp"

#include <mutex>

namespace weft::detail {
namespace {

// The places among options.max_blocking. Who finds none waits in line, on its own stack.
struct place_waiter {
    ticket who;
    place_waiter* link = nullptr;
};

spin_lock places_lock;
unsigned places_taken = 0;                                        // Under places_lock.
intrusive_queue<place_waiter, &place_waiter::link> places_queue;  // Under places_lock.

void take_place() {
    {
        const std::lock_guard hold(places_lock);
        if (places_taken < sched.opts.max_blocking) {
            ++places_taken;
            return;
        }
    }
    waiting wait(cancellation::ignored, wait_kind::blocking_place);
    place_waiter me{wait.ticket()};
    bool at_once = false;
    {
        const std::lock_guard hold(places_lock);
        if (places_taken < sched.opts.max_blocking) {
            ++places_taken;
            at_once = true;
        } else {
            places_queue.push(me);
        }
    }
    if (at_once) {
        wait.abandon();
    } else {
        wait.finish();  // The place is handed over.
    }
}

void give_place() noexcept {
    ticket next;
    {
        const std::lock_guard hold(places_lock);
        if (place_waiter* const first = places_queue.pop()) {
            next = first->who;
        } else {
            --places_taken;
        }
    }
    if (next.who != nullptr) fire(next, wake_reason::signalled);
}

}  // namespace

blocking_section::blocking_section() : self_(this_coroutine()) {
    if (self_ == nullptr || simulated()) {
        self_ = nullptr;
        return;
    }
    take_place();
    machine& m = *this_machine();
    sched.blocked_machines.fetch_add(1, std::memory_order_seq_cst);
    before_blocking_ = m.p;
    self_->traits = static_cast<std::uint8_t>(self_->traits | trait_blocking);
    machine_ = &m;
    m.block->current.store(nullptr, std::memory_order_relaxed);
    m.block->owner.store(nullptr, std::memory_order_relaxed);
    m.block->attention.store(&no_attention, std::memory_order_relaxed);
    release_processor(m);
}

blocking_section::~blocking_section() {
    if (self_ == nullptr) return;
    machine& m =
        *machine_;  // Still ours: a coroutine in a blocking call does not leave its thread.
    processor* const p = take_idle_processor(before_blocking_);
    m.p = p;
    self_->traits = self_->traits & static_cast<std::uint8_t>(~trait_blocking);
    m.block->current.store(self_, std::memory_order_relaxed);
    m.block->owner.store(&m, std::memory_order_relaxed);
    m.block->attention.store(&self_->attention, std::memory_order_relaxed);
    if (p == nullptr) {
        self_->state.store(co_state::parking_ready, std::memory_order_relaxed);
        switch_to_scheduler(m, *self_);
    }
    // Last: until the coroutine is queued or runs, this counts as something that will happen.
    sched.blocked_machines.fetch_sub(1, std::memory_order_seq_cst);
    give_place();
}

}  // namespace weft::detail
