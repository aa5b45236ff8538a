// All mutators, and what the collector has asked of them last.
//
// A mutator comes into being in one step with being told what is asked at that moment, under a lock that the collector has
// while it asks: so each either is among those whose answers the collector waits for, or begins in the state that they are
// all to be in.
#pragma once

#include "gc/mutator.hpp"
#include "sched/processor.hpp"
#include <weft/detail/spin_lock.hpp>

#include <atomic>
#include <cstdint>

namespace weft::detail {

/// What is asked: one word, so that nobody sees half of it.
struct gc_request {
    std::uint32_t number = 0;
    std::uint8_t round = 0;  // Whose stacks are to be read, and written on their stamps; 0: none.
    bool black = false;      // What is allocated is black.
    bool marking = false;    // Switches go by way of the scheduler.
};

[[nodiscard]] gc_request last_request() noexcept;
/// The next one: `asked.number` is set here. `meanwhile()` is called under the lock, before anybody can see it.
template <class F>
void publish_request(gc_request& asked, F&& meanwhile) noexcept;

/// The mutator of `p`, made if there is none. The holder, or the collector. Null when memory ends. Not in a signal handler.
[[nodiscard]] gc_mutator* mutator_of(processor& p) noexcept;
/// Takes it back: the processor is about to go.
void give_mutator_of(processor& p) noexcept;
/// One for the calling thread, which is to be attached. Null when memory ends.
[[nodiscard]] gc_mutator* take_mutator(thread_block& block) noexcept;
/// Takes it back; its buffers go to the collector.
void give_mutator(gc_mutator& m) noexcept;

/// Does for `m` what is asked, but for stacks: hands over what it has noted, and changes the colour of what it allocates. Its
/// owner, in a signal handler too; or the collector, for one that nobody owns.
void obey(gc_mutator& m, const gc_request& asked) noexcept;

[[nodiscard]] bool any_attached() noexcept;
/// Calls f(gc_mutator&) for each that an attached thread has, under the lock.
template <class F>
void for_each_attached(F&& f) noexcept;

// The inside.
struct gc_registry {
    spin_lock lock;
    std::atomic<std::uint64_t> request{0};
    gc_mutator* attached = nullptr;  // Under the lock.
};
extern gc_registry registry;
void store_request(const gc_request& asked) noexcept;

template <class F>
void publish_request(gc_request& asked, F&& meanwhile) noexcept {
    registry.lock.lock();
    meanwhile();
    asked.number = last_request().number + 1;
    if (asked.number == 0) asked.number = 1;
    store_request(asked);
    registry.lock.unlock();
}

template <class F>
void for_each_attached(F&& f) noexcept {
    registry.lock.lock();
    for (gc_mutator* m = registry.attached; m != nullptr; m = m->next) f(*m);
    registry.lock.unlock();
}

}  // namespace weft::detail
