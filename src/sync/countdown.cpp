// Latches and wait groups, where somebody waits or the count reaches 0.
//
// The count shows 0 only in the word that gives the guard back, with everybody who waited claimed before: that store is
// the last access of whoever counted down. So who sees the 0, or is woken for it, may destroy the object.
#include <weft/sync/latch.hpp>

#include "base/stack_facts.hpp"
#include "sync/waiter.hpp"

#include <stdexcept>

namespace weft::detail {
namespace {

[[noreturn, gnu::cold]] void throw_too_few(countdown_kind kind) {
    throw std::logic_error(kind == countdown_kind::latch
                               ? "weft: latch: counted down by more than is left; it must be made "
                                 "with the number of those who arrive"
                               : "weft: wait_group: the count would be negative; add() before what "
                                 "calls done() is started");
}

}  // namespace

void throw_count() {
    throw std::logic_error("weft: a count must be from 0 to max(), and so must what changes it");
}

void countdown::add_slow(std::int64_t n, countdown_kind kind) {
    if (n > most || n < -most) throw_count();
    wake_chain woken;
    const word w = word_.enter();
    const std::int64_t left = count_of(w) + n;
    if (left < 0 || left > most) {
        word_.leave(w);
        if (left > most) throw_count();
        throw_too_few(kind);
    }
    if (left != 0) {
        word_.leave(w + static_cast<word>(n) * unit);
        return;
    }
    woken.take_all(queue_);
    word_.leave(0);
    woken.wake();
}

// `arriving`: what the caller counts down besides, in one step with beginning to wait. It takes that back when its wait
// is ended by a request to stop.
void countdown::wait_slow(std::int64_t arriving, countdown_kind kind) {
    WEFT_PARKS;
    waiting wait(cancellation::honoured,
                 kind == countdown_kind::latch ? wait_kind::latch : wait_kind::wait_group, this);
    waiter me{wait.ticket()};
    word w = word_.enter();
    const std::int64_t left = count_of(w) - arriving;
    if (left <= 0) {
        wake_chain woken;
        if (left == 0 && arriving != 0) woken.take_all(queue_);
        word_.leave(left == 0 ? 0 : w);
        wait.abandon();
        woken.wake();
        if (left < 0) throw_too_few(kind);
        return;
    }
    const word taken = static_cast<word>(arriving) * unit;
    queue_.push(me);
    word_.leave((w - taken) | guarded_word::waiters);

    bool zero = false;
    const wake_reason why = finish_in_list(wait, never, [&] {
        w = word_.enter();
        queue_.remove(me);
        // Where it has come to 0 meanwhile that wins.
        zero = count_of(w) == 0;
        if (!zero) w += taken;
        word_.leave(queue_.empty() ? w & ~guarded_word::waiters : w);
    });
    if (!zero) (void)wait_succeeded(why);
}

}  // namespace weft::detail
