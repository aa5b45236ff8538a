// What the monitor is for: how late does a sleeper wake beside others that compute, what do calls cost that block, and what
// do a million parked coroutines keep of stacks that were once deep? WEFT_PROCS sets the number of processors.
//
//     weft_disturbed s12 [calls | loop]  a 1 ms sleeper beside four that compute: with checkpoints, with calls of functions
//                                  only (that preempts with split stacks), or without any call
//     weft_disturbed grown [count]  parked coroutines that touched 8 KiB before, once trimmed
//     weft_disturbed blocking       10,000 blocking calls of 1 ms, a 1 ms sleeper beside them; and a pool of 64 threads
//     weft_disturbed affinity none | hint | pin [KiB [count]]   64 coroutines that each walk their own memory, woken in
//                                                             rounds
//     weft_disturbed idle           wake-ups of the process a second, with nothing to do
#include "measure.hpp"
#include "sched/park.hpp"

#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <dirent.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using bench::clock;
using bench::ns_each;
using bench::result;

constexpr int hogs = 4;

// What four coroutines get done in `time`; `beside` runs meanwhile. One step is some 100 ns.
enum class hog { checks, calls, loops };

[[gnu::noinline]] std::uint64_t step(std::uint64_t x) {
    for (int k = 0; k != 100; ++k) x = x * 6364136223846793005U + 1442695040888963407U;
    return x;
}

template <class Beside>
double compute(hog kind, clock::duration time, Beside&& beside) {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> steps{0};
    weft::scope all;
    for (int i = 0; i != hogs; ++i) {
        all.go([&] {
            std::uint64_t mine = 0;
            std::uint64_t x = 1;
            while (!stop.load(std::memory_order_relaxed)) {
                if (kind == hog::calls) {
                    x = step(x);
                } else {
                    for (int k = 0; k != 100; ++k) {
                        x = x * 6364136223846793005U + 1442695040888963407U;
                    }
                }
                asm volatile("" : : "r"(x));
                ++mine;
                if (kind == hog::checks) weft::checkpoint();
            }
            steps += mine;
        });
    }
    const auto until = clock::now() + time;
    beside(until);
    while (clock::now() < until) weft::sleep_for(until - clock::now());
    stop = true;
    all.join();
    return static_cast<double>(steps.load());
}

// S12: how late does a sleeper wake beside coroutines that compute, and what is left to them?
void wake_up(hog kind) {
    constexpr auto time = 3s;
    const double alone = compute(kind, 1s, [](clock::time_point) {});
    std::vector<std::int64_t> late;
    const double beside = compute(kind, time, [&](clock::time_point until) {
        while (clock::now() < until) {
            const auto asleep = clock::now();
            weft::sleep_for(1ms);
            late.push_back(std::chrono::nanoseconds(clock::now() - asleep - 1ms).count());
        }
    });
    result("wakeups", static_cast<double>(late.size()), "n");
    bench::report_lateness(late);
    result("hogs_keep", 100 * beside / (3 * alone), "%");
}

// S6, grown: what does a parked coroutine keep of a stack that was deeper once?
[[gnu::noinline]] void touch_8k() {
    volatile char deep[8 * 1024];
    for (std::size_t i = 0; i < sizeof(deep); i += 512) deep[i] = 1;
}

void grown(std::size_t count) {
    std::vector<weft::detail::coroutine*> parked(count);
    std::atomic<std::size_t> announced{0};
    std::atomic<std::size_t> left{0};
    const double before = bench::rss_bytes();
    for (std::size_t i = 0; i != count; ++i) {
        weft::go([&, i] {
            touch_8k();
            auto& self = weft::detail::current_coroutine();
            parked[i] = &self;
            weft::detail::prepare_park(self);
            announced.fetch_add(1);
            weft::detail::park(self);
            left.fetch_add(1);
        });
    }
    while (announced != count) weft::yield();
    const auto each = [&] { return (bench::rss_bytes() - before) / static_cast<double>(count); };
    result("rss_grown", each(), "B");
    const auto start = clock::now();
    // Until a second has brought nothing more: less than a byte each, for what the rest of the process holds on to
    // comes and goes.
    for (double last = 0, now = each(); std::abs(now - last) >= 1 || clock::now() - start < 3s;) {
        last = now;
        weft::sleep_for(1500ms);
        now = each();
    }
    result("rss_trimmed", each(), "B");
    result("trimming", std::chrono::duration<double>(clock::now() - start).count(), "s");
    for (auto* const c : parked) weft::detail::ready(*c);
    while (left != count) weft::yield();
}

// What do calls cost that block for a millisecond, and whom do they hold up?
void blocking_calls() {
    constexpr int calls = 10'000;
    const auto pool = [] {
        std::atomic<int> left{calls};
        std::vector<std::thread> threads;
        const auto start = clock::now();
        for (int i = 0; i != 64; ++i) {
            threads.emplace_back([&] {
                while (left.fetch_sub(1) > 0) ::usleep(1000);
            });
        }
        for (auto& thread : threads) thread.join();
        return std::chrono::duration<double, std::milli>(clock::now() - start).count();
    };
    const auto ours = [] {
        const auto start = clock::now();
        weft::scope all;
        for (int i = 0; i != calls; ++i) {
            all.go([] { weft::blocking([] { ::usleep(1000); }); });
        }
        all.join();
        return std::chrono::duration<double, std::milli>(clock::now() - start).count();
    };
    ours();  // The threads are there from here on.
    std::vector<double> pools;
    std::vector<double> mine;
    std::vector<std::int64_t> late;
    for (int round = 0; round != 5; ++round) {
        pools.push_back(pool());
        std::atomic<bool> done{false};
        auto sleeper = weft::spawn([&] {
            while (!done) {
                const auto asleep = clock::now();
                weft::sleep_for(1ms);
                late.push_back(std::chrono::nanoseconds(clock::now() - asleep - 1ms).count());
            }
        });
        mine.push_back(ours());
        done = true;
        sleeper.join();
    }
    const auto median = [](std::vector<double>& of) {
        std::ranges::sort(of);
        return of[of.size() / 2];
    };
    const double p = median(pools);
    const double m = median(mine);
    result("pool64", p, "ms");
    result("blocking", m, "ms");
    result("pool_over_blocking", p / m, "x");
    bench::report_lateness(late);
}

// Memory to be walked through, line by line, in an order that nothing can foresee: the time is that of the cache that
// the lines are found in.
class maze {
public:
    maze(std::size_t bytes, std::uint32_t seed) : lines_(bytes / sizeof(line)) {
        std::vector<std::uint32_t> order(lines_.size());
        std::iota(order.begin(), order.end(), 0u);
        std::shuffle(order.begin() + 1, order.end(), std::minstd_rand(seed));
        for (std::size_t i = 0; i != order.size(); ++i)
            lines_[order[i]].next = order[(i + 1) % order.size()];
    }
    [[nodiscard]] std::uint32_t walk() const {
        std::uint32_t at = 0;
        for (std::size_t i = 0; i != lines_.size(); ++i) at = lines_[at].next;
        return at;
    }

private:
    struct alignas(64) line {
        std::uint32_t next = 0;
    };
    std::vector<line> lines_;
};

// What does it bring to run where one ran before? Each coroutine walks its own memory and parks; main wakes all, again
// and again. (`pin` hints too, and binds each thread to its CPU.)
void affinity(bool hint, std::size_t bytes, std::size_t count) {
    constexpr std::size_t rounds = 100;
    struct walker {
        maze memory;
        weft::detail::coroutine* self = nullptr;
    };
    std::vector<walker> walkers;
    for (std::uint32_t i = 0; i != count; ++i) walkers.push_back({maze(bytes, i + 1)});
    std::atomic<std::size_t> here{0};
    std::atomic<std::uint64_t> sum{0};
    bool stop = false;
    weft::scope all;
    for (std::size_t i = 0; i != count; ++i) {
        all.go([&, i] {
            walker& w = walkers[i];
            if (hint) weft::set_affinity_hint(static_cast<unsigned>(i % weft::processors()));
            w.self = &weft::detail::current_coroutine();
            for (;;) {
                weft::detail::prepare_park(*w.self);
                here.fetch_add(1, std::memory_order_release);
                weft::detail::park(*w.self);
                if (stop) return;
                sum.fetch_add(w.memory.walk(), std::memory_order_relaxed);
            }
        });
    }
    const auto all_here = [&] {
        while (here.load(std::memory_order_acquire) != count) weft::yield();
        here = 0;
    };
    all_here();
    const auto start = clock::now();
    for (std::size_t r = 0; r != rounds; ++r) {
        for (auto& w : walkers) weft::detail::ready(*w.self);
        all_here();
    }
    result("walk", ns_each(clock::now() - start, rounds * count), "ns");
    // What there is to gain: one walk again and again, and all in turn.
    const auto alone = [&](std::size_t different) {
        const auto begun = clock::now();
        for (std::size_t i = 0; i != 10 * count; ++i)
            sum.fetch_add(walkers[i % different].memory.walk(), std::memory_order_relaxed);
        return ns_each(clock::now() - begun, 10 * count);
    };
    result("walk_again", alone(1), "ns");
    result("walk_in_turn", alone(count), "ns");
    stop = true;
    for (auto& w : walkers) weft::detail::ready(*w.self);
    all.join();
}

// How often the threads of a process wake that has nothing to do: their voluntary switches.
double voluntary_switches() {
    double total = 0;
    DIR* const tasks = ::opendir("/proc/self/task");
    while (const dirent* const task = ::readdir(tasks)) {
        std::ifstream status("/proc/self/task/" + std::string(task->d_name) + "/status");
        for (std::string key; status >> key;) {
            if (key == "voluntary_ctxt_switches:") {
                double count = 0;
                status >> count;
                total += count;
            }
        }
    }
    ::closedir(tasks);
    return total;
}

void idle() {
    weft::spawn([] {}).join();
    weft::blocking([] { ::sleep(6); });  // Until everything has gone to sleep.
    weft::blocking([] {
        const double before = voluntary_switches();
        ::sleep(10);
        // One of them is this thread's.
        result("idle_wakeups", (voluntary_switches() - before - 1) / 10, "/s");
    });
}

std::size_t number(std::string_view text, std::size_t otherwise) {
    std::size_t value = otherwise;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view workload = argc > 1 ? argv[1] : "";
    const std::string_view how = argc > 2 ? argv[2] : "";
    if (workload == "s12")
        return weft::run([&] {
            wake_up(how == "loop" ? hog::loops : how == "calls" ? hog::calls : hog::checks);
        });
    if (workload == "grown") return weft::run([&] { grown(number(how, 1'000'000)); });
    if (workload == "blocking") return weft::run([] { blocking_calls(); });
    if (workload == "idle") return weft::run([] { idle(); });
    if (workload == "affinity" && (how == "none" || how == "hint" || how == "pin")) {
        const std::size_t kib = argc > 3 ? number(argv[3], 256) : 256;
        return weft::run(
            [&] { affinity(how != "none", kib * 1024, argc > 4 ? number(argv[4], 64) : 64); },
            {.pin = how == "pin"});
    }
    std::fputs("usage: weft_disturbed s12 [calls | loop] | grown [count] | blocking | idle |"
               " affinity none|hint|pin [KiB [count]]\n",
               stderr);
    return 2;
}
