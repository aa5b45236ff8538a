// simulate and explore.
#include <weft/testing.hpp>

#include "base/environ.hpp"
#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "chan/timer_channel.hpp"
#include "os/clock.hpp"
#include "os/signal.hpp"
#include "report/unclaimed_text.hpp"
#include "runtime/config.hpp"
#include "runtime/reports.hpp"
#include "runtime/runtime.hpp"
#include "runtime/scope_state.hpp"
#include "sched/cancel.hpp"
#include "sched/join_watch.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulated_processors.hpp"
#include "sched/simulation.hpp"
#include "time/timer_heap.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace weft::detail {
namespace {

constexpr std::int64_t first_moment = 1'000'000'000;

// Nothing is runnable and no timer pending. If main waits where that may throw, it hears of it. Otherwise the
// simulation ends here: nothing of it will ever run again.
bool simulated_deadlock() noexcept {
    if (!fire_deadlock_in_main()) request_stop_scheduler();
    return true;
}

// Coroutines that nothing can end: their stacks are reused, not unwound. What they hold, handles and scopes among
// it, is never destroyed; but whoever holds something of theirs outside of the simulation, a handle or the scope
// they are in, finds that they have ended. No machine is left, so nothing here may make one of them ready.
void abandon_all() noexcept {
    const auto for_each_abandoned = [](auto&& f) {
        sched.coroutines.for_each([&](coroutine& c) {
            if (c.state.load(std::memory_order_relaxed) != co_state::dead) f(c);
        });
    };
    // All waits are over before anybody looks for someone to wake.
    for_each_abandoned([](coroutine& c) {
        static_cast<void>(
            sleeper::claim(c.begin_wait(false, false, wait_kind::other), wake_reason::none));
    });
    // And all scopes are left before the first stack goes: scopes and their waiters lie there.
    for_each_abandoned([](coroutine& c) {
        if (c.scope != nullptr) child_ended(c);
    });
    for_each_abandoned([](coroutine& c) {
        if (c.stack.get().is_reserved()) sched.stacks.give(c.stack);
        c.stack = stack_ref();
        c.state.store(co_state::dead, std::memory_order_relaxed);
        if (c.join.load(std::memory_order_relaxed) == join_detached) {
            give_descriptor(c);
            return;
        }
        // As retire() would leave it. The descriptor is the handle's, which gives it back.
        if (c.flags.result == outcome::none) c.flags.result = outcome::cancelled;
        if (c.flags.result != outcome::exception) drop_extras(c);
        // Not closed: who waits for that was abandoned, too.
        end_watch(c.join.exchange(join_done, std::memory_order_acq_rel), false);
    });
}

}  // namespace

unsigned simulated_processors_of(const testing::simulate_options& how) {
    if (how.queues == testing::chance && how.processors != 1) {
        throw std::invalid_argument(
            "weft: simulate: several processors need .queues = weft::testing::real");
    }
    if (how.processors < 1 || how.processors > processors_max) {
        throw std::invalid_argument("weft: simulate: from 1 to 1024 processors");
    }
    return how.queues == testing::real ? how.processors : 0;
}

namespace {

// It ends early where a loop with checkpoint() would: when it is cancelled, or its time is up.
void compute_cancellably(coroutine& self, std::int64_t ns) {
    do {
        cancellation_point(self);
        const bool heeds = cancellation_allowed(self);
        std::int64_t part = ns;
        if (heeds) part = std::clamp<std::int64_t>(deadline_of(self) - now_ns(), 0, ns);
        ns -= part - simulate_compute(self, part, heeds);
    } while (ns > 0);
    cancellation_point(self);
}

}  // namespace

void compute(std::chrono::nanoseconds d) {
    WEFT_PARKS;
    coroutine* const self = this_coroutine();
    const std::int64_t ns = std::max<std::int64_t>(d.count(), 0);
    if (self == nullptr || !simulated()) {
        const std::int64_t begin = monotonic_ns();
        do {
            checkpoint();
        } while (monotonic_ns() - begin < ns);
    } else if ((self->traits & trait_blocking) != 0) {
        static_cast<void>(simulate_compute(*self, ns, false));
    } else {
        compute_cancellably(*self, ns);
    }
}

void simulate_main(std::uint64_t seed, unsigned processors, void (*main)(void*), void* argument,
                   const call_site& where) {
    claim_runtime("simulate");
    struct release {
        ~release() { release_runtime(); }
    } const at_the_end;

    struct call {
        void (*main)(void*);
        void* argument;
    } wrapped{main, argument};
    main_run run;
    run.main = [](void* c) {
        static_cast<call*>(c)->main(static_cast<call*>(c)->argument);
        return 0;
    };
    run.argument = &wrapped;
    run.where = where;

    environment env = read_environment();
    options opts;
    opts.processors = std::max(processors, 1u);
    simulation sim(seed);
    simulated_processors all(sim);
    if (processors != 0) sim.use(all);
    sim.now_ns = first_moment;
    constexpr scheduler_hooks hooks{
        .timers = &heap_timers,
        .scope_failure = &child_failed,
        .scope_exit = &child_ended,
        .uncaught = [](coroutine& c) noexcept { report_uncaught(c); },
        .unclaimed = &say_unclaimed,
        .deadlock = &simulated_deadlock,
    };
    reset_unclaimed();
    env.steal_seed = seed;
    start_scheduler(opts, env, hooks, opts.processors, &sim);
    warn_of_sanitizers();
    install_crash_reports();
    machine here;
    try {
        if (processors != 0) all.prepare();
        const alternate_stack signal_stack;
        run_as_main(here, run, never);
    } catch (...) {
        run.error = std::current_exception();
    }
    // A deadlock before main has returned is the test's failure; behind it, its leftovers are dropped.
    if (!run.error && !run.returned)
        run.error = std::make_exception_ptr(deadlock(deadlock_report()));
    if (live_coroutines() != 0) abandon_all();
    stop_scheduler();
    release_timer_nodes();
    remove_crash_reports();
    if (run.error) std::rethrow_exception(std::move(run.error));
}

void throw_failure(std::uint64_t seed) {
    std::string what = "weft: explore: seed " + std::to_string(seed) + " failed";
    try {
        throw;
    } catch (const std::exception& e) {
        what += std::string(": ") + e.what();
    } catch (...) {
        what += " by something that is not a std::exception";
    }
    std::throw_with_nested(weft::testing::failure(seed, what));
}

}  // namespace weft::detail
