// Many processors in one thread over virtual time: the rules of sched/turns.hpp with the runtime's own queues, and scripts
// in place of coroutines. What the monitor does, the model does at the very moment.
//
// The model adds up who ran during each wait, and compares the wait with the bound table of docs/design/scheduler.md.
#pragma once

#include "base/random.hpp"
#include "sched/pick.hpp"
#include "sched/scheduler.hpp"
#include "sched/sources.hpp"
#include "sched/turns.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

namespace weft::detail::model {

using ns = std::int64_t;

inline constexpr ns us = 1'000;
inline constexpr ns ms = 1'000'000;
inline constexpr ns slice = 10 * ms;

enum class act { yield, sleep, blocking, wait, spawn, end };

/// Computes for so long, makes another ready, and then does this.
struct step {
    ns compute = 0;
    act then = act::end;
    ns until = 0;  // How long it sleeps, or its blocking call takes.
    int wakes =
        -1;  // Which one it makes ready, if that waits; else it need not wait the next time.
    int spawns = 0;  // So many that compute `spawn_compute` each and end.
    ns spawn_compute = 0;
};

/// How it came to be runnable, and so which row of the table holds for it.
enum class came { arrival, next, ring, yielded, spawned, expired, sticky };

struct script {
    std::vector<step> steps;
    bool repeats = false;
    bool polite = true;  // It yields when it is asked to, at once.
    bool loops = false;  // It is preempted where it did not choose: sticky.

    // Of the model.
    std::unique_ptr<coroutine> c = std::make_unique<coroutine>();
    std::size_t at = 0;
    ns left = 0;
    bool waits = false, token = false, done = false;
    bool waiting_to_run = false;
    came how{};
    unsigned where = 0;  // Whose queue, of next, ring and sticky.
    std::uint64_t order = 0;
    ns since = 0;  // Runnable since,
    ns ahead =
        0;  // and those that were before it, or come ahead by the rules, have run for so long;
    ns overtaken = 0;  // others have, on the processors that serve it.
    ns first_run = -1;
    ns ran = 0;
};

struct wait_record {
    const script* who;
    came how;
    ns waited, ahead, overtaken;
};

class machine_room {
public:
    explicit machine_room(unsigned processors);
    ~machine_room();
    machine_room(const machine_room&) = delete;
    machine_room& operator=(const machine_room&) = delete;

    int add(script s);
    /// Makes `s` runnable at `when`, by a thread without a processor.
    void start_at(ns when, int s);
    /// Until everything has ended, or this moment.
    void run_until(ns end);

    [[nodiscard]] script& operator[](int s) { return *scripts_[static_cast<std::size_t>(s)]; }
    [[nodiscard]] std::size_t count() const { return scripts_.size(); }
    [[nodiscard]] ns now() const { return now_; }
    /// The first wait that took longer than the table says, in words; empty.
    [[nodiscard]] const std::string& broken() const { return broken_; }
    [[nodiscard]] std::size_t waits_checked() const { return waits_checked_; }
    [[nodiscard]] std::size_t dispatches() const { return dispatches_; }

private:
    struct cpu {
        explicit cpu(unsigned i) : p(i, true, i + 1) {}
        processor p;
        script* current = nullptr;
        ns run_from = 0;     // Of what it runs now, since the last change;
        ns dispatched = 0;   // since it was dispatched,
        ns chain_since = 0;  // and its chain.
        std::uint64_t chain = 0;
        std::uint64_t chain_order =
            0;  // Of the one that began it: what they use together counts as its.
        preempt_request request = preempt_none;
        std::deque<script*> sticky;
        ns next_since = 0;        // When `next` was filled.
        std::size_t timers = 0;   // It looks at the clock while there are any.
        bool goes_ahead = false;  // Who runs comes ahead of others by the rules.
    };
    struct sources;

    script& of(coroutine& c) { return *scripts_[c.id.get()]; }

    void runnable(script& s, came how, unsigned where);
    void dispatched(cpu& on, script& s);
    void charge(cpu& on);  // What its current one has used, to it and to all that wait.
    void check(const script& s);

    void arrive(script& s);
    void put_next(cpu& on, script& s, came how);
    void fire_timers(cpu& of, cpu& here, bool cuts_in);
    static bool looks(const cpu& on);  // It goes by way of the scheduler stack next.
    void end_chain(cpu& on);
    void choose(cpu& on);
    void leave(cpu& on);  // Its current one has come to the end of a step.
    void preempt(cpu& on, preempt_request what);
    [[nodiscard]] bool arrivals_wait() const;
    [[nodiscard]] bool work_visible() const;
    void serve_idle();

    struct timer {
        ns when;
        script* who;
        unsigned owner;  // outside: a thread without a processor.
        friend bool operator>(const timer& a, const timer& b) { return a.when > b.when; }
    };
    static constexpr unsigned outside = ~0u;

    std::vector<std::unique_ptr<cpu>> cpus_;
    std::vector<std::unique_ptr<script>> scripts_;
    std::vector<script*> waiting_;
    std::priority_queue<timer, std::vector<timer>, std::greater<>> timers_;
    std::vector<timer> due_;  // Of busy processors, not fired yet.
    ns now_ = 0;
    ns next_turn_ = turn_ns;
    std::uint64_t order_ = 0;
    std::size_t alive_ = 0;
    unsigned rotation_ = 0;
    ns rudest_ = 0;  // The longest step of those that can't be asked to yield: it may come on top.
    std::string broken_;
    std::size_t waits_checked_ = 0;
    std::size_t dispatches_ = 0;
};

}  // namespace weft::detail::model
