// The semaphore, where there is no permit or somebody waits for one.
//
// A permit that is released while others wait is handed to whoever has waited longest: it never shows in the word, so
// nobody can take it on the way. Who released it has touched the semaphore for the last time when it gives back the
// guard, and nobody returns before: so the last to return may destroy it.
#include <weft/sync/semaphore.hpp>

#include "base/stack_facts.hpp"
#include "sched/simulation.hpp"
#include "sync/waiter.hpp"

#include <stdexcept>

namespace weft::detail {

void throw_semaphore_count() {
    throw std::logic_error("weft: a semaphore must have from 0 to max() permits");
}

bool semaphore_core::try_acquire_slow() noexcept {
    if ((word_.load() & guarded_word::guard) == 0) return false;
    const word w = word_.enter();
    word_.leave(w >= permit ? w - permit : w);
    return w >= permit;
}

bool semaphore_core::acquire_slow(clock::time_point deadline) {
    WEFT_PARKS;
    const std::int64_t until = deadline.time_since_epoch().count();
    if (deadline != no_deadline && now_ns() >= until) return try_acquire_slow();
    waiting wait(cancellation::honoured, wait_kind::semaphore, this);
    waiter me{wait.ticket()};
    const word w = word_.enter();
    if (w >= permit) {
        word_.leave(w - permit);
        wait.abandon();
        return true;
    }
    queue_.push(me);
    word_.leave(w | guarded_word::waiters);
    return wait_succeeded(finish_in_list(wait, until, [&] {
        const word now = word_.enter();
        queue_.remove(me);
        word_.leave(queue_.empty() ? now & ~guarded_word::waiters : now);
    }));
}

void semaphore_core::release_slow(std::int64_t n, std::int64_t max) {
    wake_chain woken;
    const word w = word_.enter();
    // Checked as if nobody waited: those who do have no right to what would be too many.
    if (n < 0 || n > max - static_cast<std::int64_t>(w / permit)) {
        word_.leave(w);
        throw std::logic_error(n < 0
                                   ? "weft: semaphore: release() of less than nothing"
                                   : "weft: semaphore: release() beyond max(); every release needs "
                                     "an acquire before it, or a larger max()");
    }
    while (n != 0) {
        waiter* const next = queue_.pop_claimed();
        if (next == nullptr) break;
        woken.add(*next);
        --n;
    }
    word now = (w & ~flags) + static_cast<word>(n) * permit;
    if (!queue_.empty()) now |= guarded_word::waiters;
    word_.leave(now);
    woken.wake();
}

}  // namespace weft::detail
