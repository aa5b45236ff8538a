// The inside of idle.hpp: which processors and machines are idle, under the idle lock, and what there is to do.
#pragma once

#include "sched/idle.hpp"

#include <cstdint>

namespace weft::detail {

// Under the idle lock. ------------------------------------------------------------------------------------

void push_idle_locked(processor& p) noexcept;
/// Null when there is none.
[[nodiscard]] processor* pop_idle_locked(processor* preferred) noexcept;

void dismiss_keeper_locked() noexcept;
/// Whether there is a keeper, and it sleeps in the poller.
[[nodiscard]] bool keeper_polls_locked() noexcept;
/// Has that keeper wake at `until`, if that is earlier than what it has planned.
void plan_again_locked(std::int64_t until) noexcept;
/// A sleeping machine, the keeper only when there is no other; null.
[[nodiscard]] machine* pop_machine_locked() noexcept;

/// Somebody goes to sleep for timers. If the last wake-up for timers was less than options.timer_slack ago, the next comes
/// that much after this moment: whatever becomes due meanwhile shares it. (What became due before, the machine has fired
/// before it went idle.) Otherwise the next timer is alone, as far as one can know, and gets its own.
void share_wake_up_locked() noexcept;

/// `m` is still there, for it leaves the list of machines under the lock as well. Returns whether it sleeps in the poller:
/// wake_assigned() is called with that behind the lock, and goes by the address alone.
[[nodiscard]] bool assign_locked(machine& m, processor* p, coroutine* c) noexcept;

/// Whether nothing runs, waits in a queue, for a time or for something outside of the process, while all but `held` processors are idle. Exact
/// under idle_lock: processors are taken under it, who gives one back has queued before what it had, and nobody
/// fires a timer or pushes to a ring without one. What runs in a blocking call, and comes back by the global
/// queue, is counted until it is queued.
[[nodiscard]] bool nothing_left_locked(unsigned held) noexcept;
/// The same, apart from timers.
[[nodiscard]] bool only_timers_left_locked(unsigned held) noexcept;

// Without it. ---------------------------------------------------------------------------------------------

void wake_assigned(const machine& m, bool polls) noexcept;

/// `m` no longer looks for work; nobody is woken in its place, as by stop_spinning().
void leave_spinners(machine& m) noexcept;

[[nodiscard]] bool has_work(const processor& p) noexcept;
/// Step 3 of go_idle. What sits in a `next` is left to the monitor.
[[nodiscard]] bool work_visible() noexcept;

/// How often to look whether a suspected deadlock has become one.
inline constexpr std::int64_t look_again = 500'000'000;

/// Before a machine sleeps: drops a few timers that can no longer fire from where the earliest is, because somebody would
/// wake for them. If nothing is left but timers it drops all that are in front of the first that matters: they would put
/// off the look for a deadlock until their time. `held`: as for nothing_left_locked(). Not under the idle lock.
void drop_forgotten_timers(unsigned held) noexcept;

}  // namespace weft::detail
