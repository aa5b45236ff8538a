// The workloads of bench/README.md that are about channels and locks, on weft: what does it cost to hand
// a value over, to move one through a buffer, to select, to lock, and what does a channel hold on to? The
// peers under bench/peers do the same work. WEFT_PROCS sets the number of processors.
//
//     weft_channels s3 | s3b | s5 | s8 | s9 | chan_memory
#include "measure.hpp"

#include <weft/chan.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>
#include <weft/sync.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace {

using bench::clock;
using bench::ns_each;
using bench::result;

constexpr double mib = 1 << 20;

void expect(bool condition, const char* otherwise) {
    if (!condition) throw std::runtime_error(otherwise);
}

/// 0 + 1 + ... + (count - 1)
constexpr std::int64_t sum_below(std::int64_t count) { return count * (count - 1) / 2; }

// S3: what does it cost to give a value to another coroutine and to get one back? Two unbuffered
// channels, 2M round trips.
void ping_pong() {
    constexpr int trips = 2'000'000;
    weft::chan<int> ping, pong;
    const auto start = clock::now();
    auto echo = weft::spawn([ping, pong]() mutable {
        for (const int v : ping) pong.send(v);
    });
    std::int64_t sum = 0;
    for (int i = 0; i != trips; ++i) {
        ping.send(i);
        sum += *pong.recv();
    }
    const auto elapsed = clock::now() - start;
    ping.close();
    echo.join();
    expect(sum == sum_below(trips), "a value was lost");
    result("pingpong", ns_each(elapsed, trips), "ns/roundtrip");
}

// S3b: what does it cost to move a value through a buffer of 128? One producer, one consumer.
void buffered() {
    constexpr int items = 10'000'000;
    weft::chan<int> c(128);
    const auto start = clock::now();
    auto producer = weft::spawn([c]() mutable {
        for (int i = 0; i != items; ++i) c.send(i);
        c.close();
    });
    std::int64_t sum = 0;
    for (const int v : c) sum += v;
    const auto elapsed = clock::now() - start;
    expect(sum == sum_below(items), "an item was lost");
    result("buffered128", ns_each(elapsed, items), "ns/item");
}

// S5: what does a burst of short-lived coroutines cost that report to their parents? Ten children each,
// 1M leaves; each leaf sends its number, each parent the sum of what it got.
void skynet(weft::chan<std::int64_t>& out, std::int64_t number, std::int64_t leaves) {
    if (leaves == 1) {
        out.send(number);
        return;
    }
    constexpr std::int64_t children = 10;
    const std::int64_t each = leaves / children;
    weft::chan<std::int64_t> sums;
    for (std::int64_t i = 0; i != children; ++i)
        // By value: the parent may have gone before a child is back from its send.
        weft::go([sums, first = number + i * each, each]() mutable { skynet(sums, first, each); });
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i != children; ++i) sum += *sums.recv();
    out.send(sum);
}

void grow_skynet() {
    constexpr std::int64_t leaves = 1'000'000;
    weft::chan<std::int64_t> out;
    const auto start = clock::now();
    weft::go([out]() mutable { skynet(out, 0, leaves); });
    const std::int64_t sum = *out.recv();
    const std::chrono::duration<double, std::milli> elapsed = clock::now() - start;
    expect(sum == sum_below(leaves), "a leaf was lost");
    result("skynet", elapsed.count(), "ms");
    result("peak_rss", bench::peak_rss_bytes() / mib, "MiB");
}

// S8: what does a lock cost that many want? 100 coroutines lock and unlock one mutex 100k times each.
void locking() {
    constexpr std::size_t coroutines = 100;
    constexpr std::size_t times = 100'000;
    weft::mutex lock;
    std::size_t counter = 0;
    const auto start = clock::now();
    weft::scope all;
    for (std::size_t i = 0; i != coroutines; ++i)
        all.go([&] {
            for (std::size_t k = 0; k != times; ++k) {
                const std::lock_guard guard(lock);
                ++counter;
            }
        });
    all.join();
    const auto elapsed = clock::now() - start;
    expect(counter == coroutines * times, "the lock did not exclude");
    result("mutex", ns_each(elapsed, coroutines * times), "ns/op");
}

// S9: what does it cost to wait for whichever of four channels has something? Four producers send 1M
// each through unbuffered channels.
void selecting() {
    constexpr int each = 1'000'000;
    std::array<weft::chan<int>, 4> c;
    weft::scope producers;
    for (auto& one : c)
        producers.go([&one] {
            for (int k = 0; k != each; ++k) one.send(k);
        });
    std::int64_t sum = 0;
    const auto add = [&sum](std::optional<int> v) { sum += *v; };
    const auto start = clock::now();
    for (std::size_t k = 0; k != c.size() * each; ++k)
        weft::select(weft::on_recv(c[0], add), weft::on_recv(c[1], add), weft::on_recv(c[2], add),
                     weft::on_recv(c[3], add));
    const auto elapsed = clock::now() - start;
    producers.join();
    expect(sum == static_cast<std::int64_t>(c.size()) * sum_below(each), "a value was lost");
    result("select4", ns_each(elapsed, c.size() * each), "ns/select");
}

// What does a channel hold on to that is unbuffered, and that nobody uses yet?
void channel_memory() {
    // Written, so resident, before the measurement.
    std::vector<std::optional<weft::chan<int>>> held(1'000'000);
    const double before = bench::rss_bytes();
    for (auto& one : held) one.emplace();
    const double grown = bench::rss_bytes() - before;
    result("channel_bytes", grown / static_cast<double>(held.size()), "B");
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view workload = argc > 1 ? argv[1] : "";
    if (workload == "s3") return weft::run([] { ping_pong(); });
    if (workload == "s3b") return weft::run([] { buffered(); });
    if (workload == "s5") return weft::run([] { grow_skynet(); });
    if (workload == "s8") return weft::run([] { locking(); });
    if (workload == "s9") return weft::run([] { selecting(); });
    if (workload == "chan_memory") return weft::run([] { channel_memory(); });
    std::fputs("usage: weft_channels s3 | s3b | s5 | s8 | s9 | chan_memory\n", stderr);
    return 2;
}
