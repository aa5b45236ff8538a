// Measures how long coroutines that can run wait beside others that compute. The bounds stand in docs/design/scheduler.md;
// the Go programs under bench/peers do the same work. WEFT_PROCS sets the number of processors.
//
//     weft_fairness s14 [checks | yields [count]]   short ones started beside four that compute
//     weft_fairness s15 [blocking | foreign | timer [hogs]]   what comes from outside, beside those who compute
//     weft_fairness s16                             ping-pong beside a loop without a safepoint
//     weft_fairness s17                             400 short ones beside pairs that hand over and compute 200 us a turn
//     weft_fairness crowd [count]                   600 loops of no end: when the last of them starts
//     weft_fairness shares [count]                  equal loops: the least and the greatest share, of the fair one
//     weft_fairness fork                            a second task is started and the first goes on for 5 ms; 50 ms of rest
#include "measure.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using bench::clock;
using bench::result;

double ms(clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

std::uint64_t processors() { return weft::stats().processors; }

// Computes until `stop`, and checks every few hundred nanoseconds.
std::uint64_t compute(const std::atomic<bool>& stop) {
    std::uint64_t steps = 0;
    for (std::uint64_t x = 1; !stop.load(std::memory_order_relaxed); ++steps) {
        for (int k = 0; k != 100; ++k) x = x * 6364136223846793005U + 1442695040888963407U;
        asm volatile("" : : "r"(x));
        weft::checkpoint();
    }
    return steps;
}

void compute_for(clock::duration time) {
    const auto until = clock::now() + time;
    while (clock::now() < until) {}
}

// `beside` runs beside so many that compute, once they all do.
template <class Beside>
void with_hogs(int count, Beside&& beside) {
    std::atomic<bool> stop{false};
    std::atomic<int> up{0};
    weft::scope all;
    for (int i = 0; i != count; ++i) {
        all.go([&] {
            ++up;
            compute(stop);
        });
    }
    while (up != count) weft::sleep_for(1ms);
    beside();
    stop = true;
    all.join();
}

// Starts so many that do nothing, and waits until the last of them has run.
void start_short_ones(weft::scope& all, std::size_t count) {
    std::atomic<std::size_t> left{count};
    std::atomic<std::int64_t> last{0};
    const auto start = clock::now();
    for (std::size_t i = 0; i != count; ++i) {
        all.go([&] {
            if (left.fetch_sub(1) == 1) last = (clock::now() - start).count();
        });
    }
    while (last == 0) weft::sleep_for(1ms);
    result("all_started", ms(clock::duration(last.load())), "ms");
}

// S14: how long until all of many short ones that are started have run?
void starts(bool checks, std::size_t count) {
    std::atomic<bool> stop{false};
    std::atomic<int> up{0};
    weft::scope all;
    for (int i = 0; i != 4; ++i) {
        all.go([&] {
            ++up;
            if (checks) {
                compute(stop);
            } else {
                for (; !stop.load(std::memory_order_relaxed); weft::yield()) compute_for(5ms);
            }
        });
    }
    while (up != 4) weft::sleep_for(1ms);
    start_short_ones(all, count);
    stop = true;
    all.join();
}

std::int64_t ns_since(clock::time_point start) {
    return std::chrono::nanoseconds(clock::now() - start).count();
}

// S15: how late is what a thread without a processor makes ready?
void from_outside(std::string_view kind, int hogs) {
    constexpr auto time = 3s;
    std::vector<std::int64_t> late;
    with_hogs(hogs, [&] {
        const auto until = clock::now() + time;
        if (kind == "blocking") {
            while (clock::now() < until) {
                const auto start = clock::now();
                weft::blocking([] { ::usleep(1000); });
                late.push_back(ns_since(start) - 1'000'000);
            }
            return;
        }
        weft::chan<int> there(0);
        weft::chan<int> back(0);
        weft::scope echo;
        echo.go([&] {
            while (const auto x = there.recv()) back.send(*x);
        });
        std::atomic<bool> ended{false};
        std::thread outside([&] {
            while (clock::now() < until) {
                const auto start = clock::now();
                if (kind == "timer") {
                    weft::timer due(1ms);
                    due.channel().recv();
                    late.push_back(ns_since(start) - 1'000'000);
                } else {
                    there.send(1);
                    back.recv();
                    late.push_back(ns_since(start));
                }
                std::this_thread::sleep_for(3ms);
            }
            there.close();
            ended = true;
        });
        while (!ended) weft::sleep_for(10ms);
        outside.join();
        echo.join();
    });
    bench::report_lateness(late);
}

// S16: how much of its rate has a ping-pong beside a loop that never comes by a safepoint?
void beside_a_loop() {
    constexpr auto time = 1s;
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> rounds{0};
    std::atomic<bool> looping{false};
    weft::chan<int> ping(0);
    weft::chan<int> pong(0);
    weft::scope all;
    all.go([&] {
        while (const auto x = ping.recv()) pong.send(*x);
    });
    all.go([&] {
        while (!over.load(std::memory_order_relaxed)) {
            ping.send(1);
            pong.recv();
            rounds.fetch_add(1, std::memory_order_relaxed);
        }
        ping.close();
    });
    const auto rounds_in = [&] {
        const std::uint64_t before = rounds;
        const auto start = clock::now();
        weft::sleep_for(time);
        return static_cast<double>(rounds - before) * 1000 / ms(clock::now() - start);
    };
    const double alone = rounds_in();
    all.go([&] {
        looping = true;
        while (!over.load(std::memory_order_relaxed)) asm volatile("");
    });
    while (!looping) weft::sleep_for(1ms);
    const double beside = rounds_in();
    over = true;
    all.join();
    result("rounds_alone", alone / 1e6, "M/s");
    result("rounds_beside", beside / 1e6, "M/s");
    result("rounds_kept", 100 * beside / alone, "%");
}

// When has each of so many that compute for good run for the first time, and how equal are they by then?
void crowd(std::size_t count) {
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> left{count};
    std::atomic<std::int64_t> last{0};
    const auto start = clock::now();
    weft::scope all;
    for (std::size_t i = 0; i != count; ++i) {
        all.go([&] {
            if (left.fetch_sub(1) == 1) last = ns_since(start);
            compute(stop);
        });
    }
    while (last == 0) weft::sleep_for(1ms);
    stop = true;
    all.join();
    result("all_started", ms(clock::duration(last.load())), "ms");
}

// S17: how long until 400 short ones have run beside a pair for each processor, each of which computes in its turn?
void beside_pairs() {
    std::atomic<bool> stop{false};
    weft::scope all;
    for (std::uint64_t i = 0; i != processors(); ++i) {
        auto ping = std::make_shared<weft::chan<int>>(0);
        auto pong = std::make_shared<weft::chan<int>>(0);
        all.go([=, &stop] {
            while (!stop) {
                compute_for(200us);
                ping->send(1);
                pong->recv();
            }
            ping->close();
        });
        all.go([=] {
            while (ping->recv()) {
                compute_for(200us);
                pong->send(1);
            }
        });
    }
    weft::sleep_for(20ms);
    start_short_ones(all, 400);
    stop = true;
    all.join();
}

void shares(std::size_t count) {
    std::atomic<bool> stop{false};
    std::vector<std::uint64_t> steps(count);
    weft::scope all;
    for (std::uint64_t& mine : steps) {
        all.go([&] { mine = compute(stop); });
    }
    weft::sleep_for(3s);
    stop = true;
    all.join();
    double sum = 0;
    for (const std::uint64_t one : steps) sum += static_cast<double>(one);
    const auto share = [&](std::uint64_t one) {
        return static_cast<double>(one) * static_cast<double>(count) / sum;
    };
    result("share_least", share(*std::min_element(steps.begin(), steps.end())), "x");
    result("share_most", share(*std::max_element(steps.begin(), steps.end())), "x");
}

void fork_and_go_on() {
    std::vector<std::int64_t> late;
    for (int round = 0; round != 50; ++round) {
        weft::sleep_for(50ms);
        const auto start = clock::now();
        auto second = weft::spawn([&] { late.push_back(ns_since(start)); });
        compute_for(5ms);
        second.join();
    }
    bench::report_lateness(late);
}

std::size_t number(std::string_view text) {
    std::size_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size() || n == 0)
        throw std::invalid_argument("not a number of coroutines: " + std::string(text));
    return n;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> given(argv + 1, argv + argc);
    const auto argument = [&](std::size_t i, std::string_view otherwise) {
        return i < given.size() ? given[i] : otherwise;
    };
    const std::string_view what = argument(0, "");
    return weft::run([&] {
        if (what == "s14") {
            starts(argument(1, "checks") == "checks", number(argument(2, "1000")));
        } else if (what == "s15") {
            from_outside(argument(1, "blocking"), static_cast<int>(number(argument(2, "2"))));
        } else if (what == "s16") {
            beside_a_loop();
        } else if (what == "crowd") {
            crowd(number(argument(1, "600")));
        } else if (what == "s17") {
            beside_pairs();
        } else if (what == "shares") {
            shares(number(argument(1, "3")));
        } else if (what == "fork") {
            fork_and_go_on();
        } else {
            std::fputs("usage: weft_fairness s14 [checks | yields [count]] | s15 [blocking | "
                       "foreign | timer [hogs]] |\n"
                       "                     s16 | s17 | crowd [count] | shares [count] | fork\n",
                       stderr);
            return 2;
        }
        return 0;
    });
}
