// What do channels and select cost, by what travels and how, beside a queue of std's for threads?
//
// An item is one value: sent, and received.
#include "support/inside.hpp"

#include <weft/weft.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

template <class T>
T a_value() {
    if constexpr (std::is_same_v<T, std::unique_ptr<int>>) {
        return std::make_unique<int>(1);
    } else if constexpr (std::is_same_v<T, std::string>) {
        return "a value that is too long to lie in the string itself";
    } else {
        return T();
    }
}

// Larger than what travels in the channel itself.
using block = std::array<std::uint64_t, 16>;

// There and back: two values, two switches.
template <class T>
void ping_pong(benchmark::State& state) {
    inside(state, [&] {
        chan<T> ping;
        chan<T> pong;
        auto echo = spawn([=] {
            for (T& v : ping) pong.send(std::move(v));
        });
        T ball = a_value<T>();
        for (auto _ : state) {
            ping.send(std::move(ball));
            ball = *pong.recv();
        }
        ping.close();
        echo.join();
    });
    state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(ping_pong<int>)->Apply(on_one_and_two);
BENCHMARK(ping_pong<std::unique_ptr<int>>)->Apply(on_one);
BENCHMARK(ping_pong<std::string>)->Apply(on_one);
BENCHMARK(ping_pong<block>)->Apply(on_one);

// One sends, one receives, through a buffer.
template <class T>
void flow(benchmark::State& state) {
    const auto capacity = static_cast<std::size_t>(state.range(1));
    inside(state, [&] {
        chan<T> c(capacity);
        auto producer = spawn([=] {
            try {
                for (;;) c.send(T());
            } catch (const channel_closed&) {}
        });
        for (auto _ : state) benchmark::DoNotOptimize(c.recv());
        c.close();
        producer.join();
    });
    state.SetItemsProcessed(state.iterations());
}
void capacities(benchmark::internal::Benchmark* b) {
    b->ArgNames({"P", "capacity"})->MeasureProcessCPUTime()->UseRealTime();
    for (const int processors : {1, 2}) {
        for (const int capacity : {0, 1, 16, 128}) b->Args({processors, capacity});
    }
}
BENCHMARK(flow<int>)->Apply(capacities);
BENCHMARK(flow<block>)->Apply(capacities);

// Nobody else: into a place of the buffer, and out again.
void alone(benchmark::State& state) {
    inside(state, [&] {
        const chan<int> c(1);
        int got = 0;
        for (auto _ : state) {
            c.send(1);
            benchmark::DoNotOptimize(c.try_recv(got));
        }
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(alone)->Apply(on_one);

void try_on_empty(benchmark::State& state) {
    inside(state, [&] {
        const chan<int> c;
        int got = 0;
        for (auto _ : state) benchmark::DoNotOptimize(c.try_recv(got));
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(try_on_empty)->Apply(on_one);

void make_one(benchmark::State& state) {
    inside(state, [&] {
        for (auto _ : state) benchmark::DoNotOptimize(chan<int>());
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(make_one)->Apply(on_one);

// ------------------------------------------------------------------------------------------------ select

// One case of `Cases` is ready.
template <std::size_t... Case>
void select_ready(benchmark::State& state, std::index_sequence<Case...>) {
    inside(state, [&] {
        const std::array<chan<int>, sizeof...(Case)> c = {((void)Case, chan<int>(1))...};
        std::int64_t sum = 0;
        const auto add = [&](std::optional<int> v) { sum += *v; };
        std::size_t next = 0;
        for (auto _ : state) {
            c[next++ % sizeof...(Case)].send(1);
            select(on_recv(c[Case], add)...);
        }
        benchmark::DoNotOptimize(sum);
    });
    state.SetItemsProcessed(state.iterations());
}
template <std::size_t Cases>
void select_ready(benchmark::State& state) {
    select_ready(state, std::make_index_sequence<Cases>());
}
BENCHMARK(select_ready<1>)->Apply(on_one);
BENCHMARK(select_ready<2>)->Apply(on_one);
BENCHMARK(select_ready<4>)->Apply(on_one);
BENCHMARK(select_ready<8>)->Apply(on_one);

// None is, until another has sent: a wait in each of two channels, and a switch there and back.
void select_waits(benchmark::State& state) {
    inside(state, [&] {
        const chan<int> a;
        const chan<int> b;
        auto producer = spawn([=] {
            try {
                for (;;) {
                    a.send(1);
                    b.send(1);
                }
            } catch (const channel_closed&) {}
        });
        std::int64_t sum = 0;
        const auto add = [&](std::optional<int> v) { sum += *v; };
        for (auto _ : state) select(on_recv(a, add), on_recv(b, add));
        a.close();
        b.close();
        producer.join();
        benchmark::DoNotOptimize(sum);
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(select_waits)->Apply(on_one_and_two);

void select_otherwise(benchmark::State& state) {
    inside(state, [&] {
        const chan<int> a;
        const chan<int> b;
        std::int64_t none = 0;
        for (auto _ : state)
            select(on_recv(a, [](std::optional<int>) {}), on_recv(b, [](std::optional<int>) {}),
                   otherwise([&] { ++none; }));
        benchmark::DoNotOptimize(none);
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(select_otherwise)->Apply(on_one);

// With a timeout that does not come: a timer made and forgotten.
void select_with_timeout(benchmark::State& state) {
    inside(state, [&] {
        const chan<int> c;
        auto producer = spawn([=] {
            try {
                for (;;) c.send(1);
            } catch (const channel_closed&) {}
        });
        std::int64_t sum = 0;
        for (auto _ : state)
            select(on_recv(c, [&](std::optional<int> v) { sum += *v; }), on_timeout(1h, [] {}));
        c.close();
        producer.join();
        benchmark::DoNotOptimize(sum);
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(select_with_timeout)->Apply(on_one);

// The same cases in a set.
void select_set_ready(benchmark::State& state) {
    const auto cases = static_cast<std::size_t>(state.range(1));
    inside(state, [&] {
        std::vector<chan<int>> c;
        select_set set;
        std::int64_t sum = 0;
        for (std::size_t i = 0; i != cases; ++i)
            set.add(on_recv(c.emplace_back(1), [&](std::optional<int> v) { sum += *v; }));
        std::size_t next = 0;
        for (auto _ : state) {
            c[next++ % cases].send(1);
            benchmark::DoNotOptimize(set.wait());
        }
        benchmark::DoNotOptimize(sum);
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(select_set_ready)
    ->ArgNames({"P", "cases"})
    ->Args({1, 1})
    ->Args({1, 4})
    ->Args({1, 8})
    ->Args({1, 64})
    ->MeasureProcessCPUTime()
    ->UseRealTime();

// ------------------------------------------------------------------------------------------------ timers

void timer_reset(benchmark::State& state) {
    inside(state, [&] {
        timer t(1h);
        for (auto _ : state) benchmark::DoNotOptimize(t.reset(1h));
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(timer_reset)->Apply(on_one);

// Made and dropped before its time.
void make_timer(benchmark::State& state) {
    inside(state, [&] {
        for (auto _ : state) benchmark::DoNotOptimize(timer(1h));
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(make_timer)->Apply(on_one);

void make_after(benchmark::State& state) {
    inside(state, [&] {
        for (auto _ : state) benchmark::DoNotOptimize(after(1h));
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(make_after)->Apply(on_one);

// One that is due at once: set, fired, received.
void timer_fires(benchmark::State& state) {
    inside(state, [&] {
        timer t(0ns);
        benchmark::DoNotOptimize(t.channel().recv());
        for (auto _ : state) {
            (void)t.reset(0ns);
            benchmark::DoNotOptimize(t.channel().recv());
        }
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(timer_fires)->Apply(on_one);

// -------------------------------------------------------------------------------------------- the baseline

// A queue of std's between two threads. The argument is its capacity.
void threads_flow(benchmark::State& state) {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<int> queue;
    bool over = false;
    const auto capacity = static_cast<std::size_t>(state.range(0));
    std::thread producer([&] {
        std::unique_lock hold(mutex);
        for (;;) {
            changed.wait(hold, [&] { return over || queue.size() < capacity; });
            if (over) return;
            queue.push_back(1);
            changed.notify_one();
        }
    });
    for (auto _ : state) {
        std::unique_lock hold(mutex);
        changed.wait(hold, [&] { return !queue.empty(); });
        queue.pop_front();
        changed.notify_one();
    }
    {
        const std::lock_guard hold(mutex);
        over = true;
    }
    changed.notify_one();
    producer.join();
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(threads_flow)->ArgName("capacity")->Arg(1)->Arg(128)->UseRealTime();

}  // namespace
}  // namespace weft::bench
