// What do the synchronisation objects cost, beside those of std for threads?
//
// An item is one operation: a lock with its unlock, a permit taken and given back, one hand-over.
#include "support/inside.hpp"

#include <weft/weft.hpp>

#include <benchmark/benchmark.h>

#include <barrier>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <thread>
#include <vector>

namespace weft::bench {
namespace {

// Nobody else wants it.
template <class Mutex>
void lock_alone(benchmark::State& state) {
    Mutex mutex;
    std::uint64_t shared = 0;
    inside(state, [&] {
        for (auto _ : state) {
            const std::lock_guard hold(mutex);
            benchmark::DoNotOptimize(++shared);
        }
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(lock_alone<weft::mutex>)->Apply(on_one);
BENCHMARK(lock_alone<weft::timed_mutex>)->Apply(on_one);
BENCHMARK(lock_alone<weft::recursive_mutex>)->Apply(on_one);
BENCHMARK(lock_alone<weft::shared_mutex>)->Apply(on_one);
BENCHMARK(lock_alone<std::mutex>)->Apply(on_one);
BENCHMARK(lock_alone<std::recursive_mutex>)->Apply(on_one);
BENCHMARK(lock_alone<std::shared_mutex>)->Apply(on_one);

template <class Mutex>
void share_alone(benchmark::State& state) {
    Mutex mutex;
    std::uint64_t shared = 0;
    inside(state, [&] {
        for (auto _ : state) {
            const std::shared_lock hold(mutex);
            benchmark::DoNotOptimize(++shared);
        }
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(share_alone<weft::shared_mutex>)->Apply(on_one);
BENCHMARK(share_alone<std::shared_mutex>)->Apply(on_one);

// A hundred coroutines, each in a loop. An iteration is a thousand locks of each.
constexpr int crowd = 100;
constexpr int locks_each = 1000;

template <class Mutex>
void lock_in_a_crowd(benchmark::State& state) {
    Mutex mutex;
    std::uint64_t shared = 0;
    inside(state, [&] {
        for (auto _ : state) {
            scope s;
            for (int i = 0; i != crowd; ++i) {
                s.go([&] {
                    for (int k = 0; k != locks_each; ++k) {
                        const std::lock_guard hold(mutex);
                        ++shared;
                    }
                });
            }
            s.join();
        }
    });
    if (shared != static_cast<std::uint64_t>(state.iterations()) * crowd * locks_each)
        state.SkipWithError("it does not exclude");
    state.SetItemsProcessed(static_cast<std::int64_t>(shared));
}
BENCHMARK(lock_in_a_crowd<weft::mutex>)->Apply(on_one_and_two);
BENCHMARK(lock_in_a_crowd<weft::shared_mutex>)->Apply(on_one_and_two);

// The same with something to do outside, so that processors meet at the lock now and then.
template <class Mutex>
void lock_between_work(benchmark::State& state) {
    Mutex mutex;
    std::uint64_t shared = 0;
    inside(state, [&] {
        for (auto _ : state) {
            scope s;
            for (int i = 0; i != crowd; ++i) {
                s.go([&] {
                    std::uint64_t x = 1;
                    for (int k = 0; k != locks_each; ++k) {
                        for (int n = 0; n != 100; ++n)
                            benchmark::DoNotOptimize(x = x * 6364136223846793005U + 1);
                        const std::lock_guard hold(mutex);
                        ++shared;
                    }
                });
            }
            s.join();
        }
    });
    state.SetItemsProcessed(static_cast<std::int64_t>(shared));
}
BENCHMARK(lock_between_work<weft::mutex>)->Apply(on_one_and_two);

// The baseline: as many threads as the argument says.
void threads_lock_in_a_crowd(benchmark::State& state) {
    std::mutex mutex;
    std::uint64_t shared = 0;
    for (auto _ : state) {
        std::vector<std::thread> threads;
        for (std::int64_t t = 0; t != state.range(0); ++t) {
            threads.emplace_back([&] {
                for (std::int64_t k = 0; k != crowd * locks_each / state.range(0); ++k) {
                    const std::lock_guard hold(mutex);
                    ++shared;
                }
            });
        }
        for (auto& thread : threads) thread.join();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(shared));
}
BENCHMARK(threads_lock_in_a_crowd)->Apply(on_one_and_two);

template <class Semaphore>
void semaphore_alone(benchmark::State& state) {
    Semaphore permits(1);
    inside(state, [&] {
        for (auto _ : state) {
            permits.acquire();
            permits.release();
        }
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(semaphore_alone<weft::counting_semaphore<>>)->Apply(on_one);
BENCHMARK(semaphore_alone<std::counting_semaphore<>>)->Apply(on_one);

// Two wake each other by turns: an item is one hand-over.
void semaphore_ping_pong(benchmark::State& state) {
    binary_semaphore mine(0);
    binary_semaphore yours(0);
    inside(state, [&] {
        bool done = false;
        auto partner = spawn([&] {
            for (;;) {
                yours.acquire();
                if (done) return;
                mine.release();
            }
        });
        for (auto _ : state) {
            yours.release();
            mine.acquire();
        }
        done = true;
        yours.release();
        partner.join();
    });
    state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(semaphore_ping_pong)->Apply(on_one_and_two);

void condition_ping_pong(benchmark::State& state) {
    weft::mutex mutex;
    weft::condition_variable changed;
    inside(state, [&] {
        enum class turn { mine, yours, over } now = turn::mine;
        auto partner = spawn([&] {
            std::unique_lock lock(mutex);
            for (;;) {
                changed.wait(lock, [&] { return now != turn::mine; });
                if (now == turn::over) return;
                now = turn::mine;
                changed.notify_one();
            }
        });
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
    });
    state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(condition_ping_pong)->Apply(on_one_and_two);

// A hundred children that do nothing but say so. An item is a child.
void wait_group_of_a_crowd(benchmark::State& state) {
    inside(state, [&] {
        for (auto _ : state) {
            wait_group group;
            for (int i = 0; i != crowd; ++i) {
                group.add();
                go([&] { group.done(); });
            }
            group.wait();
        }
    });
    state.SetItemsProcessed(crowd * state.iterations());
}
BENCHMARK(wait_group_of_a_crowd)->Apply(on_one_and_two);

void wait_group_alone(benchmark::State& state) {
    inside(state, [&] {
        wait_group group;
        for (auto _ : state) {
            group.add();
            group.done();
        }
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(wait_group_alone)->Apply(on_one);

// An item is one arrival.
void barrier_of_ten(benchmark::State& state) {
    constexpr int participants = 10;
    inside(state, [&] {
        weft::barrier<> meet(participants);
        bool done = false;
        scope s;
        for (int i = 1; i != participants; ++i) {
            s.go([&] {
                for (;;) {
                    meet.arrive_and_wait();
                    if (done) return;
                    meet.arrive_and_wait();
                }
            });
        }
        for (auto _ : state) {
            meet.arrive_and_wait();
            meet.arrive_and_wait();
        }
        done = true;
        meet.arrive_and_wait();
        s.join();
    });
    state.SetItemsProcessed(2 * participants * state.iterations());
}
BENCHMARK(barrier_of_ten)->Apply(on_one_and_two);

void once_again(benchmark::State& state) {
    inside(state, [&] {
        once_flag flag;
        for (auto _ : state) call_once(flag, [] {});
    });
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(once_again)->Apply(on_one);

}  // namespace
}  // namespace weft::bench
