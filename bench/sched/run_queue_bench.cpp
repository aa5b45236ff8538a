// What does the run queue cost, biased and shared, beside the same work on a std::deque under a mutex?
#include "sched/run_queue.hpp"

#include "sched/bias.hpp"
#include "sched/coroutine.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>

namespace weft::detail {
namespace {

/// A run queue with a bias of its own. Biased is how the queue of a lone processor stays.
template <bool Shared>
struct queue_of {
    bias sharing{Shared};
    run_queue queue{sharing};

    bool push(coroutine& c) { return queue.push(c); }
    coroutine* pop() { return queue.pop(); }
    std::size_t steal_from(queue_of& victim) { return queue.steal_from(victim.queue); }
};
using biased_queue = queue_of<false>;
using shared_queue = queue_of<true>;

/// The baseline: the same interface, the obvious way.
class locked_queue {
public:
    bool push(coroutine& c) {
        const std::lock_guard lock(mutex_);
        if (queue_.size() == run_queue::capacity) return false;
        queue_.push_back(&c);
        return true;
    }

    coroutine* pop() {
        const std::lock_guard lock(mutex_);
        if (queue_.empty()) return nullptr;
        coroutine* const c = queue_.front();
        queue_.pop_front();
        return c;
    }

    std::size_t steal_from(locked_queue& victim) {
        const std::scoped_lock lock(mutex_, victim.mutex_);
        const std::size_t count = victim.queue_.size() - victim.queue_.size() / 2;
        for (std::size_t i = 0; i != count; ++i) {
            queue_.push_back(victim.queue_.front());
            victim.queue_.pop_front();
        }
        return count;
    }

private:
    std::mutex mutex_;
    std::deque<coroutine*> queue_;
};

std::array<coroutine, run_queue::capacity> coroutines;

// The owner alone: push a burst, pop it. The burst length is the argument.
template <class Queue>
void push_pop(benchmark::State& state) {
    Queue queue;
    const auto burst = static_cast<std::size_t>(state.range(0));
    for (auto _ : state) {
        for (std::size_t i = 0; i != burst; ++i)
            benchmark::DoNotOptimize(queue.push(coroutines[i]));
        for (std::size_t i = 0; i != burst; ++i) benchmark::DoNotOptimize(queue.pop());
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(push_pop<biased_queue>)->Arg(1)->Arg(run_queue::capacity);
BENCHMARK(push_pop<shared_queue>)->Arg(1)->Arg(run_queue::capacity);
BENCHMARK(push_pop<locked_queue>)->Arg(1)->Arg(run_queue::capacity);

// A pair of queues, one stealing half of what the other has. Items are coroutines moved.
template <class Queue>
void steal_half(benchmark::State& state) {
    Queue victim;
    Queue thief;
    std::size_t moved = 0;
    for (auto _ : state) {
        for (coroutine& c : coroutines) benchmark::DoNotOptimize(victim.push(c));
        moved += thief.steal_from(victim);
        while (thief.pop() != nullptr) {}
        while (victim.pop() != nullptr) {}
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(moved));
}
BENCHMARK(steal_half<shared_queue>);
BENCHMARK(steal_half<locked_queue>);

// One owner pushing and popping while the other threads steal from it: what thieves cost the owner.
// Only the owner's items are counted; `stolen` says how many more went the other way.
template <class Queue>
void owner_with_thieves(benchmark::State& state) {
    static Queue victim;
    Queue own;
    std::size_t done = 0;
    std::size_t stolen = 0;
    for (auto _ : state) {
        if (state.thread_index() == 0) {
            for (std::size_t i = 0; i != 16; ++i) (void)victim.push(coroutines[i]);
            while (victim.pop() != nullptr) ++done;
        } else {
            stolen += own.steal_from(victim);
            while (own.pop() != nullptr) {}
        }
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(done));
    state.counters["stolen"] = benchmark::Counter(static_cast<double>(stolen));
}
BENCHMARK(owner_with_thieves<shared_queue>)->ThreadRange(1, 4)->UseRealTime();
BENCHMARK(owner_with_thieves<locked_queue>)->ThreadRange(1, 4)->UseRealTime();

}  // namespace
}  // namespace weft::detail
