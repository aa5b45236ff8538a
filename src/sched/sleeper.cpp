#include "sched/sleeper.hpp"

#include "base/tsan.hpp"
#include "os/futex.hpp"
#include "sched/coroutine.hpp"
#include "sched/park.hpp"
#include "sched/thread_sleeper.hpp"

namespace weft::detail {

const char* name_of(wait_kind kind) noexcept {
    switch (kind) {
    case wait_kind::other:
        break;
    case wait_kind::sleep:
        return "sleep";
    case wait_kind::join:
        return "join";
    case wait_kind::scope_join:
        return "scope::join";
    case wait_kind::scope_place:
        return "a place in a scope";
    case wait_kind::blocking_call:
        return "a blocking call";
    case wait_kind::shutdown:
        return "the end of the others";
    case wait_kind::chan_send:
        return "chan send";
    case wait_kind::chan_recv:
        return "chan receive";
    case wait_kind::select:
        return "select";
    case wait_kind::mutex:
        return "mutex";
    case wait_kind::shared_mutex:
        return "shared_mutex";
    case wait_kind::condition:
        return "condition_variable";
    case wait_kind::semaphore:
        return "semaphore";
    case wait_kind::latch:
        return "latch";
    case wait_kind::barrier:
        return "barrier";
    case wait_kind::wait_group:
        return "wait_group";
    case wait_kind::once:
        return "call_once";
    }
    return "something of the program's own";
}

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
