// Timer heaps as the scheduler knows them. Apart from the heaps, so that these calls of them are seen between objects: a
// heap that grows needs more stack than a waiting coroutine has left.
#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "time/timer_heap.hpp"

namespace weft::detail {
namespace {

timer_heap& heap_of(processor& p) noexcept { return *static_cast<timer_heap*>(p.timers); }

}  // namespace

// NOLINTNEXTLINE(cert-err58-cpp): lambdas become pointers at compile time, so nothing runs that could throw.
const timer_source heap_timers{
    []() -> void* { return off_heap_new<timer_heap>(); },
    [](void* timers) noexcept { off_heap_delete(static_cast<timer_heap*>(timers)); },
    [](processor& p, std::int64_t when, const timer_event& event) -> processor& {
        WEFT_CALLED_AS("timers.add");
        processor& owner = *p.timer_owner;
        if (heap_of(owner).add(owner, when, event)) {
            p.new_deadline = true;
            p.look_at = 0;
        }
        return owner;
    },
    [](processor& p) noexcept {
        WEFT_CALLED_AS("timers.forget");
        heap_of(p).forget(p);
    },
    [](processor& p, std::size_t most) noexcept { return heap_of(p).drop_forgotten(p, most); },
    [](processor& p) noexcept { return heap_of(p).cool(p); },
    [](processor& p, std::int64_t now) noexcept { return heap_of(p).run_due(p, now); },
    [](processor& p) noexcept { return heap_of(p).size(); },
};

}  // namespace weft::detail
