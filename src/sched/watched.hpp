// What the monitor has seen of one processor. Its own: nobody else looks at it.
#pragma once

#include "os/thread_probe.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/processor.hpp"

#include <cstdint>

namespace weft::detail {

/// How long after a request to yield a processor counts as unresponsive.
inline constexpr std::int64_t unresponsive_after = 10'000'000;

struct watched {
    machine* machine_seen = nullptr;  // Who held it,
    std::uint64_t tick = 0;           // at which dispatch,
    std::int64_t since = 0;           // and since when, as far as was seen.
    std::uint64_t chain = 0;          // The same of the chain that has one slice together.
    std::int64_t chain_since = 0;
    coroutine* next = nullptr;
    bool more = false;           // Something was in its ring, too.
    std::int64_t stolen_at = 0;  // The last theft from its `next` that has been seen to.

    std::uint64_t call = 0;  // The short blocking call it was in, and since when.
    std::int64_t call_since = 0;

    std::int64_t asked_at = 0;    // When it was asked to yield; 0: not.
    std::int64_t cpu_then = 0;    // The CPU time its thread had had then.
    bool cut = false;             // It was asked to make room.
    bool reported = false;        // As stalled.
    bool asked_of_theft = false;  // Whether it goes on without what was stolen from its `next`.

    processor* substitute = nullptr;  // Works while it does not respond.
    thread_probe probe;

    [[nodiscard]] bool compensated() const noexcept { return substitute != nullptr; }

    void begin(machine* m, std::uint64_t at, std::int64_t now) noexcept {
        machine_seen = m;
        tick = at;
        since = now;
        next = nullptr;
        more = false;
        call = 0;
        asked_at = 0;
        cut = false;
        reported = false;
        asked_of_theft = false;
    }
    void forget() noexcept { begin(nullptr, 0, 0); }

    void ask(machine& m, preempt_request what, std::int64_t now) noexcept {
        request_preemption(m, what);
        asked_at = now;
        cpu_then = thread_probe::cpu_ns(m.thread_id.load(std::memory_order_relaxed));
    }

    /// It has dispatched, or given its processor up: nobody needs to work in its place. In compensate.cpp.
    void responded() noexcept;
};

}  // namespace weft::detail
