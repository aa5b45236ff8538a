// The workloads of bench/README.md on weft: what does it cost to yield, to spawn and join, to wake
// another coroutine, to be parked, and to sleep? The peers under bench/peers do the same work.
// WEFT_PROCS sets the number of processors.
//
//     weft_workloads s1 | s2 | s4 | s6 [coroutines] | s7 [coroutines [slack, us]]
#include "measure.hpp"
#include "sched/park.hpp"

#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using bench::clock;
using bench::ns_each;
using bench::result;
using weft::detail::coroutine;

// S1: what does a yield cost? Two coroutines take turns, 5M yields each.
void yielding() {
    constexpr std::size_t yields = 5'000'000;
    const auto turns = [] {
        for (std::size_t k = 0; k != yields; ++k) weft::yield();
    };
    const auto start = clock::now();
    auto first = weft::spawn(turns);
    auto second = weft::spawn(turns);
    first.join();
    second.join();
    result("yield", ns_each(clock::now() - start, 2 * yields), "ns/switch");
}

// S2: what does starting a coroutine and waiting for its end cost? The body is empty. Each is joined
// by its own handle, which says more than the wait group of the Go program.
void spawning() {
    constexpr std::size_t batch = 10'000;
    constexpr std::size_t rounds = 100;
    std::vector<weft::join_handle<void>> all;
    all.reserve(batch);
    const auto start = clock::now();
    for (std::size_t r = 0; r != rounds; ++r) {
        for (std::size_t i = 0; i != batch; ++i) all.push_back(weft::spawn([] {}));
        for (auto& one : all) one.join();
        all.clear();
    }
    result("spawn", ns_each(clock::now() - start, batch * rounds), "ns/spawn");
}

// S4: what does waking another coroutine and going to sleep cost? A token runs round a ring of
// coroutines, by the runtime's own park and ready; the peers use their channels.
class ring {
public:
    void run() {
        std::vector<weft::join_handle<void>> all;
        all.reserve(size);
        const auto start = clock::now();
        for (std::size_t i = 0; i != size; ++i) all.push_back(weft::spawn([this, i] { node(i); }));
        while (announced_.load(std::memory_order_acquire) != size) weft::yield();
        weft::detail::ready(*nodes_[0]);
        for (auto& one : all) one.join();
        result("ring", ns_each(end_ - start, hops), "ns/hop");
    }

private:
    static constexpr std::size_t size = 503;
    static constexpr std::int64_t hops = 5'000'000;
    static constexpr std::int64_t last = -static_cast<std::int64_t>(size) + 1;

    // Every node is woken once for each time it parks. The token goes on for one lap below zero, on
    // which each node that gets it passes it on and ends; the last one has nobody left to wake.
    void node(std::size_t i) {
        coroutine& self = weft::detail::current_coroutine();
        nodes_[i] = &self;
        weft::detail::prepare_park(self);  // Before anybody can know of this node.
        announced_.fetch_add(1, std::memory_order_release);
        weft::detail::park(self);
        coroutine& next = *nodes_[(i + 1) % size];
        for (;;) {
            const std::int64_t token = token_--;
            if (token == 0) end_ = clock::now();
            if (token <= 0) {
                if (token != last) weft::detail::ready(next);
                return;
            }
            // First, for on another processor the token may be back at once.
            weft::detail::prepare_park(self);
            weft::detail::ready(next);
            weft::detail::park(self);
        }
    }

    std::array<coroutine*, size> nodes_{};
    std::atomic<std::size_t> announced_ = 0;
    std::int64_t token_ = hops;  // Belongs to the node that was woken last.
    clock::time_point end_;
};

// S6: what does a parked coroutine hold on to? Each has called nothing deep.
class parking_lot {
public:
    explicit parking_lot(std::size_t count) : parked_(count) {}

    void run() {
        const double before = bench::rss_bytes();
        const auto start = clock::now();
        for (std::size_t i = 0; i != parked_.size(); ++i) weft::go([this, i] { park(i); });
        while (announced_.load(std::memory_order_acquire) != parked_.size()) weft::yield();
        const double spawn_park = ns_each(clock::now() - start, parked_.size());
        weft::sleep_for(20ms);
        const double held = bench::rss_bytes() - before;
        result("rss_per_coroutine", held / static_cast<double>(parked_.size()), "B");
        result("spawn_park", spawn_park, "ns");

        for (coroutine* const c : parked_) weft::detail::ready(*c);
        while (left_.load(std::memory_order_acquire) != parked_.size()) weft::yield();
    }

private:
    void park(std::size_t i) {
        coroutine& self = weft::detail::current_coroutine();
        parked_[i] = &self;
        weft::detail::prepare_park(self);
        announced_.fetch_add(1, std::memory_order_release);
        weft::detail::park(self);
        left_.fetch_add(1, std::memory_order_release);
    }

    std::vector<coroutine*> parked_;  // Written, so resident, before the measurement.
    std::atomic<std::size_t> announced_ = 0;
    std::atomic<std::size_t> left_ = 0;
};

// S7, and S18 with a timer slack: how late do sleepers wake, and what does a sleep cost? Each coroutine sleeps ten times
// for a pseudo-random 1 to 100 ms.
class dormitory {
public:
    explicit dormitory(std::size_t count) : count_(count), late_ns_(count * rounds) {}

    void run() {
        const auto cpu_before = bench::cpu_time();
        const auto start = clock::now();
        {
            weft::scope sleepers;
            for (std::size_t i = 0; i != count_; ++i) sleepers.go([this, i] { sleep(i); });
            sleepers.join();
        }
        const std::chrono::duration<double> elapsed = clock::now() - start;
        const auto cpu = bench::cpu_time() - cpu_before;
        const auto sleeps = static_cast<double>(late_ns_.size());
        result("sleeps_per_s", sleeps / elapsed.count() / 1e6, "M/s");
        result("cpu_per_sleep", ns_each(cpu, late_ns_.size()), "ns");
        bench::report_lateness(late_ns_);
    }

private:
    static constexpr std::size_t rounds = 10;

    void sleep(std::size_t i) {
        auto x = static_cast<std::uint32_t>(i) * 2654435761U + 12345U;
        for (std::size_t r = 0; r != rounds; ++r) {
            x = x * 1664525U + 1013904223U;
            const auto d = std::chrono::microseconds(1000 + (x >> 8) % 99000);
            const auto asleep = clock::now();
            weft::sleep_for(d);
            late_ns_[i * rounds + r] = std::chrono::nanoseconds(clock::now() - asleep - d).count();
        }
    }

    std::size_t count_;
    std::vector<std::int64_t> late_ns_;
};

/// The number of coroutines asked for, 0 when that is not a number.
std::size_t parse_count(std::string_view text) {
    std::size_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    return error == std::errc{} && end == text.data() + text.size() ? count : 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view workload = argc > 1 ? argv[1] : "";
    std::size_t count = workload == "s6" ? 1'000'000 : 10'000;
    if (argc > 2) count = parse_count(argv[2]);

    if (count != 0) {
        if (workload == "s1") return weft::run([] { yielding(); });
        if (workload == "s2") return weft::run([] { spawning(); });
        if (workload == "s4") return weft::run([] { ring().run(); });
        if (workload == "s6") return weft::run([&] { parking_lot(count).run(); });
        if (workload == "s7") {
            weft::options opts;
            if (argc > 3) opts.timer_slack = std::chrono::microseconds(parse_count(argv[3]));
            return weft::run([&] { dormitory(count).run(); }, opts);
        }
    }
    std::fputs(
        "usage: weft_workloads s1 | s2 | s4 | s6 [coroutines] | s7 [coroutines [slack, us]]\n",
        stderr);
    return 2;
}
