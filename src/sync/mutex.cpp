// The mutex, where it is not free.
//
// Known from Go's sync.Mutex. In *normal* mode a mutex that is unlocked is free, whoever comes first takes it, and
// one waiter is woken to compete for it. That lets the coroutine that runs lock and unlock again and again, at the
// price of two compare-and-swaps, while others are still on their way; to hand the mutex over would make every lock
// cost a switch as soon as anybody waits, and nobody would come out of that (a convoy). A waiter that has lost
// for a millisecond, or often, demands the *starving* mode: now each unlock hands over, to whoever has waited longest,
// and new-comers queue up, until those that have waited for so long are served.
//
// Invariants, where nobody has the guard
//   - Free and with waiters: `woken` is set. Somebody is awake, will take it, and wakes the next when it unlocks.
//   - `starving`: it is not free, and has waiters.
//   - One at a time is in charge of `woken`: a waiter that was woken, or one that spins. It takes the flag back when it
//     has the mutex, when it queues up (the mutex is not free then), or when it goes without: give_up_woken() then
//     wakes another.
#include <weft/sync/mutex.hpp>

#include "arch/cpu.hpp"
#include "base/assert.hpp"
#include "base/config.hpp"
#include "base/stack_facts.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sync/mutex_waiter.hpp"

#include <stdexcept>
#include <system_error>

namespace weft::detail {
namespace {

// Go's figures. Between two looks a spinner keeps away from the word, so that the owner can lock and unlock a hundred
// times undisturbed; the lock changes sides every microsecond or so, and not with each operation.
constexpr unsigned spin_rounds = 4;
constexpr unsigned pauses_per_round = 30;

constexpr std::int64_t patience_ns = 1'000'000;
constexpr std::uint32_t races_most = tiny_limits ? 2 : 32;

agent owner_in(mutex_core::word w) noexcept { return w & ~mutex_core::flags; }

// Only where nothing else could run here meanwhile, and the owner may run elsewhere.
bool spinning_may_help() noexcept {
    const machine* const m = this_machine();
    if (m == nullptr) return true;  // A thread: to sleep costs it more.
    const processor& p = *m->p;
    return !sched.has_one_processor() && p.ring.empty() && p.next.peek() == nullptr &&
           sched.sim.load(std::memory_order_relaxed) == nullptr;
}

[[noreturn, gnu::cold]] void throw_recursive(wait_kind kind) {
    if (kind == wait_kind::once) {
        throw std::logic_error(
            "weft: call_once: the function calls itself with the same once_flag; "
            "that can never return");
    }
    throw std::logic_error("weft: a mutex is locked by who has it locked already; use a "
                           "recursive_mutex, or unlock it first");
}

}  // namespace

struct mutex_core::wish {
    cancellation how = cancellation::ignored;
    wait_kind kind = wait_kind::mutex;
    std::int64_t deadline = never;
};

void mutex_core::lock_slow() {
    WEFT_PARKS;
    (void)lock_as({});
}
void mutex_core::lock_once() { (void)lock_as({.kind = wait_kind::once}); }
void mutex_core::lock_or_cancel() {
    cancellable_operation_point();
    (void)lock_as({.how = cancellation::honoured});
}
bool mutex_core::try_lock_until(clock::time_point deadline) {
    return lock_as({.deadline = deadline.time_since_epoch().count()});
}

bool mutex_core::lock_as(const wish& what) {
    operation_point();
    mutex_waiter me(this_agent());
    return contend(me, what);
}

bool mutex_core::try_lock_slow() {
    operation_point();
    const agent self = this_agent();
    for (word w = word_.load();;) {
        if (owner_in(w) != 0) return false;
        if ((w & guarded_word::guard) != 0) {
            cpu_pause();
            w = word_.load();
        } else if (word_.change(w, w | self, std::memory_order_acquire)) {
            return true;
        }
    }
}

bool mutex_core::contend(mutex_waiter& me, const wish& what) {
    struct charge {  // Of `woken`.
        mutex_core& mutex;
        bool held;
        ~charge() {
            if (held) mutex.give_up_woken();
        }
    } charge{*this, me.turn == mutex_turn::competes};
    unsigned rounds = 0;
    for (;;) {
        word w = word_.load();
        if (owner_in(w) == 0) {
            if ((w & guarded_word::guard) != 0) {
                w = word_.enter();  // Whoever has it may be off its CPU.
                word_.leave(w);
                continue;
            }
            const word taken = (charge.held ? w & ~woken : w) | me.self;
            if (!word_.change(w, taken, std::memory_order_acquire)) continue;
            charge.held = false;
            return true;
        }
        if (owner_in(w) == me.self) throw_recursive(what.kind);

        if ((w & starving) == 0 && rounds != spin_rounds && spinning_may_help()) {
            constexpr word others = guarded_word::guard | guarded_word::waiters | woken;
            if (!charge.held && (w & others) == guarded_word::waiters)
                charge.held = word_.change(w, w | woken, std::memory_order_relaxed);
            for (unsigned i = 0; i != pauses_per_round; ++i) cpu_pause();
            ++rounds;
            continue;
        }
        rounds = 0;

        // The clock is read by who waits at all, not only by who is late: a wait costs more than that.
        const std::int64_t now = now_ns();
        if (now >= what.deadline) return false;
        if (me.since == 0) me.since = now;
        waiting wait(what.how, what.kind, this);
        me.who = wait.ticket();
        me.turn = mutex_turn::none;
        if (!queue_up(me, charge.held, now)) {
            wait.abandon();
            continue;
        }
        const wake_reason why = finish_in_list(wait, what.deadline, [&] { leave_queue(me); });
        if (!wait_succeeded(why)) return false;
        if (me.turn == mutex_turn::owns) return true;
        charge.held = true;
        ++me.lost;
    }
}

// False: it is free.
bool mutex_core::queue_up(mutex_waiter& me, bool& has_woken, std::int64_t now) noexcept {
    word w = word_.enter();
    if (owner_in(w) == 0) {
        word_.leave(w);
        return false;
    }
    w |= guarded_word::waiters;
    if (me.lost == 0) {
        queue_.push(me);
    } else {
        queue_.push_front(me);  // Where it was.
        if (me.lost > races_most || now - me.since >= patience_ns) w |= starving;
    }
    if (has_woken) w &= ~woken;
    has_woken = false;
    word_.leave(w);
    return true;
}

void mutex_core::leave_queue(mutex_waiter& me) noexcept {
    word w = word_.enter();
    if (queue_.remove(me) && queue_.empty()) w &= ~(guarded_word::waiters | starving);
    word_.leave(w);
}

mutex_waiter* mutex_core::pop_heir() noexcept {
    while (waiter* const w = queue_.pop()) {
        auto* const heir = static_cast<mutex_waiter*>(w);
        if (heir->claimed || sleeper::claim_to_hand_over(heir->who)) return heir;
    }
    return nullptr;
}

void mutex_core::give_up_woken() noexcept {
    word w = word_.enter();
    mutex_waiter* const heir = owner_in(w) == 0 ? pop_heir() : nullptr;
    if (heir == nullptr) {
        w &= ~woken;
    } else {
        heir->turn = mutex_turn::competes;
    }
    if (queue_.empty()) w &= ~(guarded_word::waiters | starving);
    const ticket t = heir == nullptr ? ticket() : heir->who;
    word_.leave(w);
    if (t.who != nullptr) wake_claimed(t);
}

void mutex_core::unlock_quietly() noexcept {
    for (word w = word_.load();;) {
        if ((w & guarded_word::guard) == 0 &&
            ((w & guarded_word::waiters) == 0 || (w & (woken | starving)) == woken)) {
            if (word_.change(w, w & flags, std::memory_order_release)) return;
            continue;
        }
        w = word_.enter();
        if ((w & (woken | starving)) != woken) break;
        word_.leave(w & flags);
        return;
    }

    // The mutex is ours, and the guard.
    word now = word_.load() & woken;
    mutex_waiter* const heir = pop_heir();
    if (!queue_.empty()) now |= guarded_word::waiters;
    if (heir == nullptr) {
        word_.leave(now);
        return;
    }
    if ((word_.load() & starving) != 0) {
        heir->turn = mutex_turn::owns;
        now |= heir->self;
        // As long as those that have waited for so long are served.
        const auto* const next = static_cast<const mutex_waiter*>(queue_.first());
        if (next != nullptr && next->since != 0 && now_ns() - next->since >= patience_ns)
            now |= starving;
    } else {
        heir->turn = mutex_turn::competes;
        now |= woken;
    }
    const ticket t = heir->who;
    word_.leave(now);
    wake_claimed(t);
}

void mutex_core::unlock_slow() noexcept {
    WEFT_ASSERT(mine() && "a mutex is unlocked by who has not locked it");
    if (outside_simulation()) {
        // Such a thread must not wake what is in it.
        const word w = word_.enter();
        word_.leave(w & flags & ~starving);
        return;
    }
    simulation_point();  // Others find it locked,
    unlock_quietly();
    simulation_point();  // and free.
}

// NOLINTNEXTLINE(bugprone-exception-escape): contend() throws what ends a wait, and an empty wish lets nothing end it.
void mutex_core::relock(mutex_waiter& me) noexcept {
    if (me.turn == mutex_turn::owns) return;
    me.claimed = false;
    me.lost = me.turn == mutex_turn::competes ? 1 : 0;
    (void)contend(me, {});
}

void mutex_core::adopt(mutex_waiter& claimed) noexcept {
    claimed.claimed = true;
    word w = word_.enter();
    if (owner_in(w) == 0 && (w & woken) == 0) {
        claimed.turn = mutex_turn::competes;
        const ticket t = claimed.who;
        word_.leave(w | woken);
        wake_claimed(t);
        return;
    }
    queue_.push(claimed);
    word_.leave(w | guarded_word::waiters);
}

void recursive_core::throw_too_deep() {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                            "weft: a recursive mutex is locked too often");
}

}  // namespace weft::detail
