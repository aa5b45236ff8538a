// What does it cost to run somebody else, beside the bare jump below it and the threads of the kernel?
//
// An item is one switch, so the time of one is 1 / items_per_second.
#include "context/context.hpp"
#include "sched/park.hpp"
#include "support/inside.hpp"

#include <weft/go.hpp>

#include <pthread.h>
#include <sched.h>

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <cfenv>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

namespace weft::bench {
namespace {

// The floor: registers saved and restored, nobody chosen. A jump loads the MXCSR of the context it goes
// to, which CPUs do fast only while the value stays the same: so it matters whether one side has
// floating-point exception flags set that the other has not.
void jump_between(benchmark::State& state, int flags) {
    alignas(16) static std::array<std::byte, std::size_t{64} * 1024> stack;
    detail::context_ref other = detail::make_context(
        stack.data() + stack.size(), stack.size(), [](detail::raw_arrival from) {
            for (detail::context_ref back = from.fctx;;) back = detail::jump(back, nullptr).from;
        });
    std::feclearexcept(FE_ALL_EXCEPT);
    std::feraiseexcept(flags);
    for (auto _ : state) other = detail::jump(other, nullptr).from;
    state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK_CAPTURE(jump_between, same_flags, 0);
BENCHMARK_CAPTURE(jump_between, different_flags, FE_INEXACT);

void yield(benchmark::State& state) {
    inside(state, [&] {
        bool done = false;
        auto partner = weft::spawn([&] {
            while (!done) weft::yield();
        });
        for (auto _ : state) weft::yield();
        done = true;
        partner.join();
    });
    state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(yield)->Apply(on_one);

// Two coroutines wake each other by turns. Each prepares to park before it wakes the other, who may be
// quicker to wake it than it is to park.
void park_and_ready(benchmark::State& state) {
    inside(state, [&] {
        detail::coroutine& self = detail::current_coroutine();
        std::atomic<detail::coroutine*> partner_is = nullptr;
        std::atomic<bool> done = false;
        auto partner = weft::spawn([&] {
            detail::coroutine& me = detail::current_coroutine();
            detail::prepare_park(me);
            partner_is = &me;
            detail::park(me);
            while (!done) {
                detail::prepare_park(me);
                detail::ready(self);
                detail::park(me);
            }
        });
        while (partner_is == nullptr) weft::yield();
        detail::coroutine& other = *partner_is;
        for (auto _ : state) {
            detail::prepare_park(self);
            detail::ready(other);
            detail::park(self);
        }
        done = true;
        detail::ready(other);
        partner.join();
    });
    state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(park_and_ready)->Apply(on_one_and_two);

// The baselines. Threads have to share a CPU to be switched at all.
void bind_to_this_cpu(std::thread& thread) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<unsigned>(sched_getcpu()), &here);
    pthread_setaffinity_np(pthread_self(), sizeof(here), &here);
    pthread_setaffinity_np(thread.native_handle(), sizeof(here), &here);
}

class affinity_restorer {
public:
    affinity_restorer() { pthread_getaffinity_np(pthread_self(), sizeof(before_), &before_); }
    ~affinity_restorer() { pthread_setaffinity_np(pthread_self(), sizeof(before_), &before_); }
    affinity_restorer(const affinity_restorer&) = delete;
    affinity_restorer& operator=(const affinity_restorer&) = delete;

private:
    cpu_set_t before_{};
};

void thread_yield(benchmark::State& state) {
    const affinity_restorer restore;
    std::atomic<bool> done = false;
    std::thread partner([&] {
        while (!done.load(std::memory_order_relaxed)) std::this_thread::yield();
    });
    bind_to_this_cpu(partner);
    for (auto _ : state) std::this_thread::yield();
    done = true;
    partner.join();
    state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(thread_yield)->MeasureProcessCPUTime()->UseRealTime();

// With the argument 1 both threads have one CPU between them, with 2 they may have one each.
void thread_condition(benchmark::State& state) {
    const affinity_restorer restore;
    std::mutex mutex;
    std::condition_variable changed;
    enum class turn { mine, yours, over } now = turn::mine;
    std::thread partner([&] {
        std::unique_lock lock(mutex);
        for (;;) {
            changed.wait(lock, [&] { return now != turn::mine; });
            if (now == turn::over) return;
            now = turn::mine;
            changed.notify_one();
        }
    });
    if (state.range(0) == 1) bind_to_this_cpu(partner);
    {
        std::unique_lock lock(mutex);
        for (auto _ : state) {
            now = turn::yours;
            changed.notify_one();
            changed.wait(lock, [&] { return now == turn::mine; });
        }
        now = turn::over;
        changed.notify_one();
    }
    partner.join();
    state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(thread_condition)->Apply(on_one_and_two);

}  // namespace
}  // namespace weft::bench
