// What split stacks cost, and what they save.
//
//     weft_split parked [count]       coroutines that touched 8 KiB before, parked: memory each
//     weft_split parked_libc [count]  the same, and the frame that parks also calls the C library
//     weft_split locals [count] [100|300|600|select]
//                                     coroutines that wait in a receive with so many bytes of locals, or in a select of
//                                     two with 100: memory each
//     weft_split calls                a crossing in a loop; calls into code that does not check, from a tiny segment and
//                                     from a large one; each less the same call without
//     weft_split code                 programs with many calls, compiled for split stacks and not
//     weft_split preempt              from the request to yield to the scheduler, one processor
#include "../api/measure.hpp"
#include "code.hpp"
#include "plain_calls.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using bench::clock;
using bench::ns_each;
using bench::result;

void keep(void* p) { asm volatile("" : : "r"(p) : "memory"); }

// Some 250 bytes a frame.
[[gnu::noinline]] int deep(int frames) {
    volatile char room[200];
    room[0] = static_cast<char>(frames);
    keep(const_cast<char*>(room));
    return frames == 0 ? 0 : deep(frames - 1) + room[0] % 2;
}

class parking_lot {
public:
    parking_lot(std::size_t count, bool calls_libc) : count_(count), calls_libc_(calls_libc) {}

    void run() {
        const double before = bench::rss_bytes();
        const auto start = clock::now();
        for (std::size_t i = 0; i != count_; ++i) weft::go([this] { park(); });
        while (announced_.load(std::memory_order_acquire) != count_) weft::yield();
        const double spawn_park = ns_each(clock::now() - start, count_);
        weft::sleep_for(20ms);
        result("rss_split", (bench::rss_bytes() - before) / static_cast<double>(count_), "B");
        result("spawn_park", spawn_park, "ns");
        gate_.done();
        while (left_.load(std::memory_order_acquire) != count_) weft::yield();
    }

private:
    void park() {
        static_cast<void>(deep(32));
        if (calls_libc_) {
            char text[32];
            std::snprintf(text, sizeof(text), "%zu", announced_.load());
            keep(text);
        }
        announced_.fetch_add(1, std::memory_order_release);
        gate_.wait();
        left_.fetch_add(1, std::memory_order_release);
    }

    const std::size_t count_;
    const bool calls_libc_;
    weft::wait_group gate_{1};
    std::atomic<std::size_t> announced_ = 0;
    std::atomic<std::size_t> left_ = 0;
};

// Coroutines that wait in a receive, or in a select of two, with so many bytes of locals in the frame that waits.
template <std::size_t Locals, bool Selects>
[[gnu::noinline]] void wait_with_locals(weft::chan<int>& a, weft::chan<int>& b) {
    volatile char mine[Locals];
    for (std::size_t i = 0; i < Locals; i += 64) mine[i] = 1;
    if constexpr (Selects) {
        weft::select(weft::on_recv(a), weft::on_recv(b));
    } else {
        static_cast<void>(a.recv());
    }
    keep(const_cast<char*>(mine));
}

template <std::size_t Locals, bool Selects>
void measure_locals(const char* name, std::size_t count) {
    weft::chan<int> a(0);
    weft::chan<int> b(0);
    weft::scope all;
    std::size_t started = 0;
    const double before = bench::rss_bytes();
    for (std::size_t i = 0; i != count; ++i) {
        all.go([&] {
            ++started;
            wait_with_locals<Locals, Selects>(a, b);
        });
    }
    while (started != count) weft::yield();
    weft::yield();
    result(name, (bench::rss_bytes() - before) / static_cast<double>(count), "B");
    all.cancel();
}

// In one process each would begin with what the one before has left.
void locals(std::size_t count, std::string_view which) {
    if (which == "100") measure_locals<100, false>("held_with_locals", count);
    if (which == "300") measure_locals<300, false>("held_with_locals", count);
    if (which == "600") measure_locals<600, false>("held_with_locals", count);
    if (which == "select") measure_locals<100, true>("held_with_locals", count);
}

[[gnu::noinline]] int small(int a, int b) {
    asm volatile("");
    return a + b;
}

// A frame that no segment below a large one has room for, beside the one that calls it.
[[gnu::noinline]] int crossing(int a, int b) {
    volatile char room[900];
    room[0] = static_cast<char>(a);
    keep(const_cast<char*>(room));
    return room[0] + b;
}

template <class F>
double cheapest(F&& call) {
    constexpr std::size_t calls = 2'000'000;
    double least = std::numeric_limits<double>::max();
    for (int round = 0; round != 5; ++round) {
        const auto start = clock::now();
        for (std::size_t i = 0; i != calls; ++i) call(static_cast<int>(i & 15), 2);
        least = std::min(least, ns_each(clock::now() - start, calls));
    }
    return least;
}

struct costs {
    double crossing, plain, split;
};

[[gnu::noinline]] costs measure_calls() {
    volatile int sink = 0;
    costs c{};
    c.split = cheapest([&](int a, int b) { sink = small(a, b); });
    c.crossing = cheapest([&](int a, int b) { sink = crossing(a, b); });
    c.plain = cheapest([&](int a, int b) { sink = bench::plain_leaf(a, b); });
    return c;
}

void calls() {
    const costs tiny = weft::spawn([] { return measure_calls(); }).join();
    const costs large = weft::spawn([] {
                            return weft::on_big_stack([] { return measure_calls(); }, 256 * 1024);
                        }).join();
    result("hot_split", tiny.crossing - large.crossing, "ns");
    const double plain = bench::plain_call_ns();
    result("plain_from_tiny", tiny.plain - plain, "ns");
    result("plain_from_large", large.plain - plain, "ns");
}

double once(long (*f)()) {
    double least = std::numeric_limits<double>::max();
    for (int round = 0; round != 15; ++round) {
        const auto start = clock::now();
        volatile long value = f();
        static_cast<void>(value);
        least = std::min(least, ns_each(clock::now() - start, 1));
    }
    return least;
}

void code() {
    struct program {
        const char* name;
        long (*plain)();
        long (*split)();
    };
    const program programs[] = {
        {"fib", &bench::plain::fib, &bench::split::fib},
        {"parse", &bench::plain::parse, &bench::split::parse},
        {"regex", &bench::plain::regex, &bench::split::regex},
        {"sort", &bench::plain::sort, &bench::split::sort},
    };
    // On a thread's own stack; and on a coroutine's, whose first segment is large or tiny. From a tiny one a call at some
    // depth crosses to the next segment, each time.
    weft::spawn_options large;
    large.stack_size = 64 * 1024;
    double product = 1;
    for (const program& p : programs) {
        const double plain = once(p.plain);
        const double split = weft::spawn(large, [&p] { return once(p.split); }).join();
        const double tiny = weft::spawn([&p] { return once(p.split); }).join();
        product *= split / plain;
        const std::string name = p.name;
        result(("code_" + name).c_str(), 100 * (split / plain - 1), "%");
        result(("tiny_" + name).c_str(), 100 * (tiny / plain - 1), "%");
    }
    result("code_mean", 100 * (std::pow(product, 0.25) - 1), "%");
}

[[gnu::noinline]] long spin(long n) { return n < 2 ? n : spin(n - 1) + spin(n - 2); }

// One coroutine only calls functions. A thread asks for its preemption; another coroutine notes when it runs.
class preemptions {
public:
    void run() {
        std::atomic<weft::detail::machine*> machine{nullptr};
        auto hog = weft::spawn([&] {
            machine.store(weft::detail::this_machine());
            while (!done_.load(std::memory_order_relaxed)) {
                computing_.store(true, std::memory_order_relaxed);
                static_cast<void>(spin(12));
            }
        });
        auto witness = weft::spawn([&] {
            while (!done_.load(std::memory_order_relaxed)) {
                seen_at_.store(clock::now().time_since_epoch().count());
                computing_.store(false);
                weft::yield();
            }
        });
        while (machine.load() == nullptr) weft::yield();
        std::thread asker([&] {
            for (std::size_t i = 0; i != count; ++i) {
                while (!computing_.load()) {}
                const auto asked = clock::now().time_since_epoch().count();
                weft::detail::request_preemption(*machine.load(), weft::detail::preempt_slice);
                while (seen_at_.load() < asked) {}
                took_.push_back(seen_at_.load() - asked);
            }
            done_.store(true);
        });
        hog.join();
        witness.join();
        asker.join();
        std::sort(took_.begin(), took_.end());
        result("preempt_p50", static_cast<double>(took_[count / 2]) / 1000, "us");
        result("preempt_p99", static_cast<double>(took_[count * 99 / 100]) / 1000, "us");
    }

private:
    static constexpr std::size_t count = 10'000;
    std::atomic<bool> done_{false};
    std::atomic<bool> computing_{false};
    std::atomic<std::int64_t> seen_at_{0};
    std::vector<std::int64_t> took_;
};

}  // namespace

int main(int argc, char** argv) {
    const std::string_view workload = argc > 1 ? argv[1] : "";
    const std::size_t count = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1'000'000;
    if (workload == "parked") return weft::run([&] { parking_lot(count, false).run(); });
    if (workload == "parked_libc") return weft::run([&] { parking_lot(count, true).run(); });
    if (workload == "locals") {
        weft::options one;
        one.processors = 1;
        return weft::run([&] { locals(count, argc > 3 ? argv[3] : "100"); }, one);
    }
    if (workload == "calls") return weft::run([] { calls(); });
    if (workload == "code") return weft::run([] { code(); });
    if (workload == "preempt") {
        weft::options one;
        one.processors = 1;
        return weft::run([] { preemptions().run(); }, one);
    }
    std::fputs("usage: weft_split parked [count] | parked_libc [count] | "
               "locals [count] [100|300|600|select] | calls | code | preempt\n",
               stderr);
    return 2;
}
