// Timers whose time arrives in a channel, or calls a function.
//
// A node stands for one timer among those of the processors (time/timer_heap.hpp). It is type-stable; `word` counts its
// settings, and says whether the last one is still to come:
//
//     word    [ setting : 63 | armed : 1 ]
//
// A heap entry names node and word, and is stale once the word has changed: stopping touches no heap.
//
// Who owns a node: its timer_core, or for after() the channel. There is exactly one; it takes the node back under
// the lock with a new word, so firing, which holds the lock while the word is its own, never meets a node or a
// channel that has gone.
//
// No stale value: firing sends under the node's lock, stop() and reset() take what lies in the channel under it. (As of
// Go 1.23.) Lock order: node, then heap or channel.
#include <weft/go.hpp>
#include <weft/time.hpp>

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "chan/channel_steps.hpp"
#include "chan/timer_channel.hpp"
#include "mem/shrinking_pool.hpp"
#include "os/fence.hpp"
#include "os/ranked_lock.hpp"
#include "sched/machine.hpp"
#include "sched/monitor.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sched/work_source.hpp"

#include <algorithm>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

namespace weft::detail {

void fire_node(timer_target& target, std::uint64_t word) noexcept;

struct timer_node : timer_target, channel_owner {
    // Once for all its users: a stale entry of a heap may be about to call it.
    timer_node() noexcept { fire = &fire_node; }

    timer_node* link = nullptr;
    ranked_lock lock{lock_rank::timer_node};
    // Under the lock, when in use.
    channel_core* channel = nullptr;  // Alive while there is an owner.
    std::shared_ptr<timer_function> function;
    call_site where;
    std::int64_t period = 0;
    std::int64_t when = 0;
    processor* home = nullptr;  // Whose heap the entry is in,
    std::uint64_t runtime = 0;  // of which runtime; 0: in none yet.
    std::uint32_t timers_added =
        0;  // Less timers_gone: how many entries name the node, stale ones included.

    // For a node that is home: under the pool's lock, which it was given back under after the last change.
    [[nodiscard]] bool is_named() const noexcept {
        return timers_gone.load(std::memory_order_acquire) != timers_added;  // last timer
    }
};

namespace {

constexpr std::uint64_t armed = 1;
constexpr std::uint64_t setting = 2;

constexpr std::size_t slabs_to_cool = 1024;  // 64 MiB, some ten milliseconds of the monitor's.

// Never destroyed: timers may be statics.
using node_pool = shrinking_pool<timer_node, &timer_node::link>;
alignas(node_pool) constinit node_pool nodes{"timers"};

std::uint64_t word_of(const timer_node& n) noexcept {
    return n.word.load(std::memory_order_relaxed);
}

// The next moment of a ticker that lies ahead; those that were missed are dropped.
std::int64_t next_tick(std::int64_t last, std::int64_t period, std::int64_t now) noexcept {
    const std::int64_t missed = now > last ? (now - last) / period : 0;
    if (last > never - period * (missed + 1)) return never - 1;
    return last + period * (missed + 1);
}

// Under the lock, on a machine. Throws std::bad_alloc.
WEFT_NOIPA void add_entry(timer_node& n) {
    WEFT_CALLS("timers.add");
    const timer_event event = timer_event::call(n, word_of(n));
    n.home = &sched.hooks.timers->add(*this_machine()->p, n.when, event);
    ++n.timers_added;
    n.runtime = sched.generation.load(std::memory_order_relaxed);
}

// The entry that `n` has left behind is stale. On any thread.
WEFT_NOIPA void forget_entry(processor* home, std::uint64_t runtime) noexcept {
    WEFT_CALLS("timers.forget");
    if (home == nullptr || sched.generation.load(std::memory_order_relaxed) != runtime) return;
    if (this_machine() != nullptr) {
        sched.hooks.timers->forget(*home);
        return;
    }
    const foreign_visit visit;
    if (!visit || outside_simulation()) return;
    if (sched.generation.load(std::memory_order_relaxed) != runtime) return;
    sched.hooks.timers->forget(*home);
}

struct call_of_timer {
    std::shared_ptr<timer_function> function;
    void operator()() { function->run(); }
};

// A coroutine that will call the function; null while the runtime stops. Under the node's lock: so the node holds the
// function too, and no last reference is dropped here, where nothing of the program's may run.
coroutine* prepare_call(const timer_node& n) noexcept {
    using frame = task_frame<call_of_timer, void>;
    try {
        coroutine& c = begin_spawn(frame::type, nullptr, nullptr, spawn_mode::detached, n.where);
        // We are no coroutine that a shutdown waits for. Counted first and asked behind it: either it waits for this
        // one, or it is seen here (the pair of the fence is the heavy one in cancel_all).
        light_fence();
        if (sched.draining.load(std::memory_order_acquire)) {
            abandon_spawn(c);
            return nullptr;
        }
        ::new (static_cast<void*>(static_cast<frame*>(frame_of(c))->call_bytes))
            call_of_timer{n.function};
        return &c;
    } catch (const std::bad_alloc&) {
        check_failed(__FILE__, __LINE__, "there is memory for the function of a timer");
    }
}

}  // namespace

void fire_node(timer_target& target, std::uint64_t word) noexcept {
    auto& n = static_cast<timer_node&>(target);
    chan_step step;
    coroutine* call = nullptr;
    {
        const std::lock_guard hold(n.lock);
        if (word_of(n) != word) return;
        const std::int64_t now = now_ns();
        if (n.period == 0) {
            n.word.store((word & ~armed) + setting, std::memory_order_relaxed);
        } else {
            n.when = next_tick(n.when, n.period, now);
            try {
                add_entry(n);
            } catch (const std::bad_alloc&) {
                check_failed(__FILE__, __LINE__, "there is memory for the next tick of a ticker");
            }
        }
        if (n.function != nullptr) {
            call = prepare_call(n);
        } else {
            const std::lock_guard hold_channel(n.channel->lock);
            if (n.channel->count.load(std::memory_order_relaxed) == 0) {
                const clock::time_point time{std::chrono::nanoseconds(now)};
                step = send_locked(*n.channel, &time);
            }
        }
    }
    // As a timer wakes a sleeper: who waited for it goes ahead of the others.
    step.wake(&wake_claimed_by_timer);
    if (call != nullptr) commit_spawn(*call);
}

namespace {

// Takes the value out that nobody has received; false when there is none. Under the node's lock.
bool drain(channel_core* c) noexcept {
    if (c == nullptr) return false;
    const std::lock_guard hold(c->lock);
    if (c->count.load(std::memory_order_relaxed) == 0) return false;
    c->set_count(0);  // Of one cell, at the head.
    return true;
}

struct setting_before {
    bool pending = false;
    processor* home = nullptr;
    std::uint64_t runtime = 0;
};

// A new setting, unarmed. Under the lock.
setting_before disarm_locked(timer_node& n) noexcept {
    const std::uint64_t word = word_of(n);
    setting_before before;
    if ((word & armed) != 0) {
        before = {true, n.home, n.runtime};
        n.home = nullptr;
    }
    n.word.store((word & ~armed) + setting, std::memory_order_relaxed);
    if (drain(n.channel)) before.pending = true;
    return before;
}

// Names a node from outside of the heaps, and counts as an entry of one: the node's memory stays.
class node_name {
public:
    // Under the node's lock.
    explicit node_name(timer_node& n) noexcept : node_(&n) { ++n.timers_added; }
    node_name(node_name&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    node_name& operator=(node_name&&) = delete;
    ~node_name() {
        if (node_ != nullptr)
            node_->timers_gone.fetch_add(1, std::memory_order_release);  // last timer
    }
    [[nodiscard]] timer_node& operator*() const noexcept { return *node_; }

private:
    timer_node* node_;
};

// From a thread that has no timers of its own: a coroutine adds the entry, if it is still wanted by then.
void add_entry_elsewhere(node_name name, std::uint64_t word) {
    weft::go([name = std::move(name), word] {
        const no_cancel to_the_end;
        timer_node& n = *name;
        const std::lock_guard hold(n.lock);
        if (word_of(n) == word) add_entry(n);
    });
}

std::int64_t moment(std::chrono::nanoseconds d) noexcept {
    return deadline_after(std::max(d, std::chrono::nanoseconds(0))).time_since_epoch().count();
}

// Throws what add_entry() and go() do; the node is then unarmed.
bool set(timer_node& n, std::chrono::nanoseconds d, bool stops_first) {
    setting_before before;
    std::uint64_t word = 0;
    const bool here = this_coroutine() != nullptr;
    std::optional<node_name> name;
    {
        const std::lock_guard hold(n.lock);
        if (!here) name.emplace(n);
        if (stops_first) before = disarm_locked(n);
        word = word_of(n) | armed;
        n.word.store(word, std::memory_order_relaxed);
        n.when = moment(d);
        n.home = nullptr;
        try {
            if (here) add_entry(n);
        } catch (...) {
            n.word.store(word & ~armed, std::memory_order_relaxed);
            throw;
        }
    }
    forget_entry(before.home, before.runtime);
    if (here) {
        simulation_point();
        return before.pending;
    }
    try {
        add_entry_elsewhere(std::move(*name), word);
    } catch (...) {
        const std::lock_guard hold(n.lock);
        if (word_of(n) == word) disarm_locked(n);
        throw;
    }
    return before.pending;
}

bool stop_node(timer_node& n) noexcept {
    setting_before before;
    {
        const std::lock_guard hold(n.lock);
        before = disarm_locked(n);
    }
    forget_entry(before.home, before.runtime);
    return before.pending;
}

void give_node(timer_node& n) noexcept {
    // The function's destructor is the program's: under no lock.
    std::shared_ptr<timer_function> function;
    setting_before before;
    {
        const std::lock_guard hold(n.lock);
        before = disarm_locked(n);
        function = std::move(n.function);
        n.channel = nullptr;
    }
    forget_entry(before.home, before.runtime);
    nodes.give(n);
    if (function != nullptr) call_user([&function] { function.reset(); });
}

timer_node& take_node() {
    timer_node* const n = nodes.take();
    if (n == nullptr) throw std::bad_alloc();
    // Without a monitor their memory would not go back, and it starts only with the first spawn.
    if (nodes.slabs() > 1 && this_machine() != nullptr &&
        sched.sim.load(std::memory_order_relaxed) == nullptr) {
        ensure_monitor();
    }
    const std::lock_guard hold(n->lock);
    n->period = 0;
    n->home = nullptr;
    return *n;
}

receiver<clock::time_point> time_channel() {
    return receiver<clock::time_point>(chan<clock::time_point>(1));
}

void let_go_of_after(channel_owner& owner) noexcept {
    WEFT_CALLED_AS("channel_owner");
    give_node(static_cast<timer_node&>(owner));
}

}  // namespace

void release_timer_nodes() noexcept { nodes.release(); }

std::size_t cool_timer_nodes() noexcept { return nodes.cool(slabs_to_cool); }

timer_core::timer_core(std::chrono::nanoseconds first, std::chrono::nanoseconds period)
    : node_(nullptr), channel_(time_channel()) {
    timer_node& n = take_node();
    {
        const std::lock_guard hold(n.lock);
        n.channel = handle_access::core_or_null(channel_);
        n.period = period.count();
    }
    try {
        set(n, first, false);
    } catch (...) {
        give_node(n);
        throw;
    }
    node_ = &n;
}

timer_core::timer_core(std::chrono::nanoseconds first, std::shared_ptr<timer_function> f,
                       const call_site& where)
    : node_(nullptr) {
    timer_node& n = take_node();
    {
        const std::lock_guard hold(n.lock);
        n.function = std::move(f);
        n.where = where;
    }
    try {
        set(n, first, false);
    } catch (...) {
        give_node(n);
        throw;
    }
    node_ = &n;
}

timer_core& timer_core::operator=(timer_core&& other) noexcept {
    if (this == &other) return *this;
    if (node_ != nullptr) give_node(*node_);
    node_ = std::exchange(other.node_, nullptr);
    channel_ = std::move(other.channel_);
    return *this;
}

timer_core::~timer_core() {
    if (node_ != nullptr) give_node(*node_);
}

timer_node& timer_core::node() const {
    if (node_ == nullptr)
        throw std::logic_error("weft: this timer was moved from; use the one it was moved to");
    return *node_;
}

bool timer_core::stop() {
    timer_node& n = node();
    simulation_point();
    return stop_node(n);
}

bool timer_core::reset(std::chrono::nanoseconds d) {
    timer_node& n = node();
    simulation_point();
    return set(n, d, true);
}

receiver<clock::time_point> time_after(std::chrono::nanoseconds d) {
    receiver<clock::time_point> channel = time_channel();
    channel_core& core = *handle_access::core_or_null(channel);
    timer_node& n = take_node();
    {
        const std::lock_guard hold(n.lock);
        n.channel = &core;
        n.let_go = &let_go_of_after;
    }
    core.owner = &n;  // From here on the channel sees to the node.
    set(n, d, false);
    return channel;
}

}  // namespace weft::detail
