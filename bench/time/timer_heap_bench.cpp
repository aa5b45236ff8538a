// What does a timer cost, to let expire and to cancel, beside a priority queue and a map under a mutex?
//
// The argument is how many other timers there are. No coroutine is woken: the tickets are stale, so
// what is measured is the heap.
#include "time/timer_heap.hpp"

#include "sched/processor.hpp"
#include "sched/sleeper.hpp"
#include "sched/work_source.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <queue>
#include <random>
#include <vector>

namespace weft::detail {
namespace {

constexpr std::int64_t longest_ns = 100'000'000;

/// Moments up to 100 ms ahead, the same ones for everybody.
class moments {
public:
    std::int64_t after(std::int64_t now) { return now + 1 + ahead_(random_); }

private:
    std::minstd_rand random_{1};
    std::uniform_int_distribution<std::int64_t> ahead_{0, longest_ns};
};

/// A sleeper with a wait that has ended, and one that goes on.
struct tickets {
    sleeper nobody{false};
    timer_event stale = timer_event::wake(nobody.begin_wait(false, false, wait_kind::sleep));
    timer_event pending = timer_event::wake(nobody.begin_wait(false, false, wait_kind::sleep));
};

/// weft's timers, of a processor that nobody runs.
class heap_under_test {
public:
    void add(std::int64_t when) { heap_.add(owner_, when, tickets_.stale); }
    void add_pending(std::int64_t when) { heap_.add(owner_, when, tickets_.pending); }
    std::size_t run_due(std::int64_t now) { return heap_.run_due(owner_, now); }
    [[nodiscard]] std::int64_t earliest() const { return owner_.earliest_deadline; }
    void add_and_cancel(std::int64_t when) {
        add(when);
        heap_.forget(owner_);
    }

private:
    tickets tickets_;
    processor owner_{0, true, 1};
    timer_heap heap_;
};

/// The first baseline: what the standard library has for it. Nothing can be taken out of it.
class locked_priority_queue {
public:
    void add(std::int64_t when) {
        const std::lock_guard lock(mutex_);
        queue_.push({when, {}});
    }
    std::size_t run_due(std::int64_t now) {
        const std::lock_guard lock(mutex_);
        std::size_t count = 0;
        for (; !queue_.empty() && queue_.top().when <= now; queue_.pop(), ++count)
            benchmark::DoNotOptimize(queue_.top().event);
        return count;
    }
    [[nodiscard]] std::int64_t earliest() const { return queue_.top().when; }

private:
    struct later {
        bool operator()(const timer_heap::entry& a, const timer_heap::entry& b) const {
            return a.when > b.when;
        }
    };
    std::mutex mutex_;
    std::priority_queue<timer_heap::entry, std::vector<timer_heap::entry>, later> queue_;
};

/// The second: a map, from which a cancelled timer is taken at once.
class locked_map {
public:
    void add(std::int64_t when) {
        const std::lock_guard lock(mutex_);
        timers_.emplace(when, timer_event{});
    }
    void add_pending(std::int64_t when) { add(when); }
    std::size_t run_due(std::int64_t now) {
        const std::lock_guard lock(mutex_);
        std::size_t count = 0;
        for (; !timers_.empty() && timers_.begin()->first <= now; ++count) {
            benchmark::DoNotOptimize(timers_.begin()->second);
            timers_.erase(timers_.begin());
        }
        return count;
    }
    [[nodiscard]] std::int64_t earliest() const { return timers_.begin()->first; }
    void add_and_cancel(std::int64_t when) {
        mutex_.lock();
        const auto added = timers_.emplace(when, timer_event{});
        mutex_.unlock();
        const std::lock_guard lock(mutex_);
        timers_.erase(added);
    }

private:
    std::mutex mutex_;
    std::multimap<std::int64_t, timer_event> timers_;
};

// Time goes on to the earliest timer, which expires, and another is set: what sleepers do.
// Two of the same moment expire at once, so each is replaced by one.
template <class Timers>
void expire(benchmark::State& state) {
    Timers timers;
    moments when;
    for (std::int64_t i = 0; i <= state.range(0); ++i) timers.add(when.after(0));
    for (auto _ : state) {
        const std::int64_t now = timers.earliest();
        for (std::size_t due = timers.run_due(now); due != 0; --due) timers.add(when.after(now));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(expire<heap_under_test>)->RangeMultiplier(100)->Range(10, 100'000);
BENCHMARK(expire<locked_priority_queue>)->RangeMultiplier(100)->Range(10, 100'000);
BENCHMARK(expire<locked_map>)->RangeMultiplier(100)->Range(10, 100'000);

// A timer is set and cancelled before its time: what most timeouts do.
template <class Timers>
void cancel(benchmark::State& state) {
    Timers timers;
    moments when;
    for (std::int64_t i = 0; i < state.range(0); ++i) timers.add_pending(when.after(0));
    for (auto _ : state) timers.add_and_cancel(when.after(0));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(cancel<heap_under_test>)->RangeMultiplier(100)->Range(10, 100'000);
BENCHMARK(cancel<locked_map>)->RangeMultiplier(100)->Range(10, 100'000);

}  // namespace
}  // namespace weft::detail
