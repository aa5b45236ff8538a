#include "sched/poll.hpp"

#include "base/backoff.hpp"
#include "base/stack_facts.hpp"
#include "os/clock.hpp"
#include "sched/idle.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <mutex>
#include <utility>

namespace weft::detail {
namespace {

constexpr std::int64_t look_every_ns = 50'000;

// So many cost about what it costs to wake a thread for a part of them.
constexpr std::size_t many_woken = 4;

bool try_take_poller() noexcept {
    return !sched.io_taken.load(std::memory_order_relaxed) &&
           !sched.io_taken.exchange(true, std::memory_order_acquire);
}

void give_poller() noexcept { sched.io_taken.store(false, std::memory_order_release); }

}  // namespace

[[gnu::noinline]] void open_io(const io_source& source) noexcept {
    WEFT_DEEP;
    sched.io.store(&source, std::memory_order_release);
    // A machine that went to sleep before has not seen it. One that is spinning will: see *no lost wakeup*.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    wake_one();
}

std::size_t poll_now(processor& p) noexcept {
    const io_source* const io = sched.io.load(std::memory_order_acquire);
    if (io == nullptr || !try_take_poller()) return 0;
    io_batch batch;
    io->wait(batch, 0);
    sched.io_looked_at.store(now_ns(), std::memory_order_relaxed);
    give_poller();
    if (batch.count == 0) return 0;
    deliver_events(*p.holder.load(std::memory_order_relaxed), batch);
    return batch.count;
}

std::size_t poll_if_due(processor& p, std::int64_t now) noexcept {
    if (now - sched.io_looked_at.load(std::memory_order_relaxed) < look_every_ns) return 0;
    return poll_now(p);
}

void sleep_in_poller(machine& m, io_batch& out, std::int64_t until) noexcept {
    const io_source& io = *sched.io.load(std::memory_order_acquire);
    backoff pause;
    while (!try_take_poller()) {
        // A busy processor has it, and does not sleep in it; or the keeper after this one, which has been woken meanwhile.
        if (m.note.load(std::memory_order_acquire) != 0) return;
        pause.pause();
    }
    if (m.note.load(std::memory_order_acquire) == 0) io.wait(out, until);
    give_poller();
}

void deliver_events(machine& m, const io_batch& batch) noexcept {
    const io_source& io = *sched.io.load(std::memory_order_relaxed);
    processor* const p = m.p;
    if (p == nullptr) {
        io.deliver(batch);
        return;
    }
    p->cuts_in = !p->ring.empty() || p->next.peek() != nullptr || !sched.global.empty();
    const std::size_t woken = io.deliver(batch);
    p->cuts_in = false;
    if (woken >= many_woken && sched.idle_count.load(std::memory_order_relaxed) != 0 &&
        sched.spinning.load(std::memory_order_relaxed) == 0) {
        wake_one();
    }
}

void begin_outside_wait() noexcept {
    machine* const m = this_machine();
    if (m != nullptr && m->p.get() != nullptr) {
        m->p->outside_begun.add();
    } else {
        sched.outside_waiters.fetch_add(1, std::memory_order_relaxed);
    }
}

void end_outside_wait() noexcept {
    machine* const m = this_machine();
    if (m != nullptr && m->p.get() != nullptr) {
        m->p->outside_ended.add();
    } else {
        sched.outside_waiters.fetch_sub(1, std::memory_order_relaxed);
    }
}

bool waits_outside() noexcept {
    if (sched.outside_waiters.load(std::memory_order_relaxed) != 0) return true;
    std::uint64_t ended = 0;
    for (const processor* p : sched.all_processors()) ended += p->outside_ended.read();
    std::uint64_t begun = 0;
    for (const processor* p : sched.all_processors()) begun += p->outside_begun.read();
    return begun != ended;
}

namespace {

constinit ranked_lock hooks_lock{lock_rank::pool};
constinit stop_hook* hooks = nullptr;

}  // namespace

void call_at_stop(stop_hook& hook) noexcept {
    const std::lock_guard hold(hooks_lock);
    if (std::exchange(hook.is_listed, true)) return;
    hook.next = std::exchange(hooks, &hook);
}

void run_stop_hooks() noexcept {
    for (;;) {
        stop_hook* hook = nullptr;
        {
            const std::lock_guard hold(hooks_lock);
            hook = hooks;
            if (hook == nullptr) break;
            hooks = hook->next;
            hook->is_listed = false;
        }
        hook->stop();
    }
    const io_source* const io = sched.io.exchange(nullptr, std::memory_order_acq_rel);
    if (io != nullptr) io->close();
}

}  // namespace weft::detail
