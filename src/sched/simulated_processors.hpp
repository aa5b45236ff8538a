// The processors of a simulation with the real queues: as many as wanted, on one thread, over virtual time.
//
//     cpu 0   | dispatch | computes 3 ms ...................... | dispatch | ...
//     cpu 1   |  idle ........ | looks | dispatch | computes ............. preempted
//     monitor        ^ looks                 ^                  ^
//
// The scheduler's own code runs: queues, turns, stealing, timers, the monitor's looks. Only that there are several machines is
// simulated: the thread is one after the other, always the one whose time comes first. It stays with a machine until the
// coroutine there parks, ends, computes (testing::compute()) or has done a runtime operation; then the machine says how long
// that took, and the thread turns to the next. So nothing happens elsewhere between two operations, and all that happens
// has one order.
//
// Each machine has a thread block of its own besides the thread's, in which others leave their requests; they are moved to
// the thread's while the machine is the one that runs. A request is always there, `preempt_simulated` when there is no
// other, so that each switch comes by the scheduler stack, where the next machine is chosen.
//
// The scheduler's calls are weak references, because a program that simulates nothing should not carry this: only testing.cpp,
// which makes one, brings it in.
//
// An operation takes 10 to 50 ns, a dispatch 20 to 100 ns, and waking a machine 3 to 20 us; the seed says how much. It also
// says who is woken, who is stolen from, and who comes first of those whose time is the same. There is one thread, so all
// memory orders are relaxed.
#pragma once

#include "os/clock.hpp"
#include "sched/machine.hpp"
#include "sched/monitor.hpp"
#include "sched/preempt.hpp"
#include "sched/processor.hpp"
#include "sched/simulation.hpp"
#include "sched/sleeper.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <vector>

namespace weft::detail {

class simulated_processors {
public:
    explicit simulated_processors(simulation& whose) noexcept : sim_(whose) {}
    simulated_processors(const simulated_processors&) = delete;
    simulated_processors& operator=(const simulated_processors&) = delete;

    /// Makes one machine for each processor of the scheduler. Throws std::bad_alloc.
    void prepare();
    /// Runs coroutines on all of them until the scheduler is stopping. `here` is the calling thread's machine.
    [[gnu::weak]] void run(machine& here) noexcept;

    /// The calling coroutine does an operation of the runtime.
    [[gnu::weak]] void operate(coroutine& self) noexcept;
    /// It computes for so long; another may have its processor meanwhile. Returns how much is left when, if `heeds_cancel`,
    /// it is asked to stop before.
    [[nodiscard, gnu::weak]] std::int64_t compute(coroutine& self, std::int64_t ns,
                                                  bool heeds_cancel) noexcept;
    /// It is in a blocking call for so long, and comes back as an arrival. Throws std::bad_alloc.
    [[gnu::weak]] void block(std::int64_t ns);

    /// wake_one() of idle.hpp.
    [[gnu::weak]] void wake_one(const processor* preferred) noexcept;
    /// Whether the machine that has just come to the scheduler stack would have done so anyway, to look around.
    [[nodiscard]] static bool look_is_due(const machine& m, const processor& p) noexcept {
        const std::uint32_t asked = m.block.get()->preempt.load(std::memory_order_relaxed);
        return p.tick.read() + 1 >= p.look_at || !p.incoming.empty() || asked != preempt_simulated;
    }

private:
    enum class does : std::uint8_t {
        nothing,  // Idle.
        looks,    // Looks for work at `when`.
        begins,   // Has found `current`, which goes on at `when`.
        stays,    // `current` has the processor until `when`.
    };

    struct cpu {
        explicit cpu(processor& whose) noexcept : p(whose) {}

        processor& p;
        machine m;
        thread_block requests;                          // Where others leave theirs.
        std::atomic<std::uintptr_t> no_stack_limit{0};  // Nobody is preempted in a prologue.
        does state = does::nothing;
        // While it stays it is disturbed by requests to its machine, and by those to stop.
        bool heeds_requests = false;
        bool heeds_cancel = false;
        std::int64_t when = never;
        coroutine* current = nullptr;
    };

    // A blocking call that is under way.
    struct call {
        std::int64_t ends;
        std::uint64_t number;  // In the order of their beginnings.
        ticket who;

        [[nodiscard]] bool operator>(const call& other) const noexcept {
            return ends != other.ends ? ends > other.ends : number > other.number;
        }
    };

    void borrow_thread(const machine& here) noexcept;
    void return_thread(machine& here) noexcept;
    void step() noexcept;
    [[nodiscard]] cpu* first_due(std::int64_t& when) noexcept;
    void end_call() noexcept;
    void stand_still() noexcept;
    void turn_to(cpu& one) noexcept;
    void run(cpu& one) noexcept;
    void look(cpu& one) noexcept;
    void rest(cpu& one) noexcept;
    void wake(cpu& one, std::int64_t latency) noexcept;
    [[nodiscard]] static bool is_asked(const cpu& one) noexcept;
    [[nodiscard]] std::int64_t later(std::int64_t ns) const noexcept;
    [[nodiscard]] std::int64_t stay(coroutine& self, std::int64_t ns, bool heeds_requests,
                                    bool heeds_cancel) noexcept;
    [[nodiscard]] std::int64_t between(std::uint32_t least, std::uint32_t most) noexcept;

    simulation& sim_;
    std::vector<std::unique_ptr<cpu>> cpus_;
    std::priority_queue<call, std::vector<call>, std::greater<>> calls_;
    std::uint64_t calls_begun_ = 0;
    // Brings those back whose blocking call has ended, and never has a processor.
    machine outside_;
    cpu* here_ = nullptr;
    std::optional<simulated_monitor> monitor_;
    bool stays_ = false;
};

}  // namespace weft::detail
