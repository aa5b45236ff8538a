#include "sched/sleeper.hpp"

#include "base/tsan.hpp"
#include "os/futex.hpp"
#include "sched/coroutine.hpp"
#include "sched/park.hpp"
#include "sched/thread_sleeper.hpp"

namespace weft::detail {

bool fire(ticket t, wake_reason why) noexcept {
    if (!sleeper::claim(t, why)) return false;
    if (sleeper::is_thread(t)) {
        thread_sleeper::wake(*t.who);
    } else {
        ready(*static_cast<coroutine*>(t.who));
    }
    return true;
}

void wake_claimed_by_timer(ticket t) noexcept {
    if (sleeper::is_thread(t)) {
        thread_sleeper::hand_over(t);
    } else {
        hand_over(t.who);
        ready_woken(*static_cast<coroutine*>(t.who));
    }
}

}  // namespace weft::detail
