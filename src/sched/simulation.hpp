// A simulated schedule: one processor, one thread, every choice by a seeded generator, virtual time.
//
// While one is installed (scheduler::sim) every queue of the scheduler is replaced by one bag, out of which
// find_work() takes at random, and point() may put the running coroutine back into it. Or the queues stay, and the
// processors are simulated (simulated_processors.hpp).
#pragma once

#include "base/random.hpp"
#include "sched/coroutine.hpp"
#include "sched/scheduler.hpp"

#include <cstdint>
#include <vector>

namespace weft::detail {

class simulated_processors;

class simulation {
public:
    explicit simulation(std::uint64_t seed) noexcept : random_(seed) {}

    /// Leaves the queues as they are. Before it is installed.
    void use(simulated_processors& all) noexcept { processors_ = &all; }
    /// Null: it has the bag.
    [[nodiscard]] simulated_processors* processors() const noexcept { return processors_; }

    void push(coroutine& c) { runnable_.push_back(&c); }

    /// Null when nothing can run.
    [[nodiscard]] coroutine* pick() noexcept {
        if (runnable_.empty()) return nullptr;
        const std::uint32_t i = random_.below(static_cast<std::uint32_t>(runnable_.size()));
        coroutine* const c = runnable_[i];
        runnable_[i] = runnable_.back();
        runnable_.pop_back();
        return c;
    }

    /// Whether the running coroutine should give way here.
    [[nodiscard]] bool gives_way() noexcept { return !runnable_.empty() && random_.below(2) == 0; }

    /// Any other choice: a number below `count`.
    [[nodiscard]] std::uint32_t below(std::uint32_t count) noexcept { return random_.below(count); }

    [[nodiscard]] std::size_t runnable() const noexcept { return runnable_.size(); }

    std::int64_t now_ns = 0;

private:
    simulated_processors* processors_ = nullptr;
    random_source random_;
    std::vector<coroutine*> runnable_;
};

/// The simulation if it has a bag in place of the queues; null.
[[nodiscard]] inline simulation* simulated_bag() noexcept {
    simulation* const sim = sched.sim.load(std::memory_order_relaxed);
    return sim != nullptr && sim->processors() == nullptr ? sim : nullptr;
}
/// The simulation's processors if it has the real queues; null.
[[nodiscard]] inline simulated_processors* simulated_queues() noexcept {
    const simulation* const sim = sched.sim.load(std::memory_order_relaxed);
    return sim != nullptr ? sim->processors() : nullptr;
}

/// The time: virtual while simulating, but for threads outside.
[[nodiscard]] std::int64_t now_ns() noexcept;

/// Whether the caller is a foreign thread while there is a simulation. Such a one must not touch the simulation,
/// which has one thread and no lock, nor anything that would make a coroutine ready.
[[nodiscard]] bool outside_simulation() noexcept;

/// Sends the operations of synchronisation objects here; see weft/detail/operation.hpp. In operation.cpp.
void set_simulation_detour(bool simulating) noexcept;

/// While simulating: `self`, which runs, computes for so long. Returns how much is left when, if `heeds_cancel`, it is asked to
/// stop before. Throws std::bad_alloc.
[[nodiscard]] std::int64_t simulate_compute(coroutine& self, std::int64_t ns, bool heeds_cancel);

/// Every runtime operation passes here: a scheduling point when simulating, else nothing.
void simulation_point_slow() noexcept;
inline void simulation_point() noexcept {
    if (sched.sim.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
        simulation_point_slow();
}

}  // namespace weft::detail
