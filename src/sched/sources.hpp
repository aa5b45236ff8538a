// The sources that turns::pick() chooses from: a processor's own and everybody's. find_work.cpp adds the machine's part,
// and the model that tests the bounds adds its own.
#pragma once

#include "sched/pick.hpp"
#include "sched/processor.hpp"
#include "sched/run_queue.hpp"
#include "sched/scheduler.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

/// Its time is up, and what it would go on with comes behind the ring. Owner only.
inline void end_chain(processor& p) noexcept {
    if (coroutine* const c = p.next.take(p.owner_bias)) push_ring(p, *c);
    p.begin_chain();
}

/// Those who come ahead for a part of the time send their processor to find_work() after each, by `look_at`.
class queue_sources {
public:
    explicit queue_sources(processor& p) noexcept : p_(p) {}

    [[nodiscard]] std::uint64_t tick() const noexcept { return p_.tick.read(); }

    [[nodiscard]] bool has_arrivals() const noexcept {
        return !p_.woken.empty() || sched.global.has_arrivals();
    }
    [[nodiscard]] coroutine* arrival() noexcept {
        const bool many = p_.woken.size() > run_queue::half;
        // Timers fill `woken` up again and again, so then every other one comes straight from the queue of all.
        if (many) p_.from_all = !p_.from_all;
        if (many && p_.from_all &&
            sched.global.take_arrivals(std::span(batch_).first(1), processors()) != 0) {
            return ahead(batch_[0]);
        }
        if (!many) {
            const std::size_t n = sched.global.take_arrivals(batch_, processors());
            for (std::size_t i = 0; i != n; ++i) {
                if (!p_.woken.push(*batch_[i])) push_ring(p_, *batch_[i]);
            }
        }
        return ahead(p_.woken.pop());
    }

    [[nodiscard]] static bool has_overdue() noexcept { return sched.global.has_overdue(turn()); }
    [[nodiscard]] coroutine* overdue() noexcept {
        coroutine* const c = sched.global.take_overdue(turn());
        if (c != nullptr && c->state.load(std::memory_order_relaxed) == co_state::runnable) {
            p_.probes = true;
            p_.spawned_before_probe = p_.spawned.read();
        }
        return ahead(c);
    }
    /// Judges the probe, if the last one was one. Before anything else runs.
    void end_probe() noexcept {
        if (!p_.probes) return;
        p_.probes = false;
        sched.global.judge_probe(p_.spawned.read() != p_.spawned_before_probe);
    }

    [[nodiscard]] coroutine* shared(bool fairly) noexcept {
        if (!fairly) return first_of(sched.global.take(batch_, processors(), turn()));
        // Not so many that what the ring has would go back to the queue of all.
        const std::size_t there = p_.ring.size();
        const std::size_t room = there < run_queue::half ? run_queue::half - there : 1;
        return first_of(sched.global.take_fairly(std::span(batch_).first(room), processors()));
    }

    [[nodiscard]] coroutine* own() noexcept { return take_own(p_); }
    [[nodiscard]] const coroutine* next() const noexcept { return p_.next.peek(); }
    [[nodiscard]] coroutine* expired() noexcept { return sched.global.take_expired(); }

protected:
    coroutine* ahead(coroutine* c) noexcept {
        if (c != nullptr) p_.look_at = 0;  // Their time may be up before the next.
        return c;
    }

    processor& p_;

private:
    coroutine* first_of(std::size_t taken) noexcept {
        if (taken == 0) return nullptr;
        for (std::size_t i = 1; i != taken; ++i) push_ring(p_, *batch_[i]);
        return batch_[0];
    }
    static std::uint64_t turn() noexcept { return sched.turn.load(std::memory_order_relaxed); }
    static std::size_t processors() noexcept {
        return sched.active_count.load(std::memory_order_relaxed);
    }

    std::array<coroutine*, run_queue::half> batch_;
};

}  // namespace weft::detail
