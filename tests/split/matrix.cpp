// The core of split stacks, compiled in each of the ways that programs are. Not a GoogleTest, so that one takes moments to
// build: returns how many checks failed, and prints which.
#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <complex>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#define FOREIGN_SHARED
#include "split/foreign.hpp"
#include "split/variadic.hpp"

namespace {

using namespace std::chrono_literals;
using weft::test::sum_variadic;

std::atomic<int> failures{0};

void check(bool right, const char* what, int line) {
    if (right) return;
    ++failures;
    std::fprintf(stderr, "matrix.cpp:%d: %s\n", line, what);
}
#define CHECK(...) check((__VA_ARGS__), #__VA_ARGS__, __LINE__)

[[gnu::noinline]] long recurse(long depth) {
    volatile long here = depth;
    if (depth == 0) return 0;
    const long below = recurse(depth - 1);
    return below + 1 + (here - depth);
}

struct words {
    std::array<std::uint64_t, 40> w;
};
[[gnu::noinline]] words combine(words x, std::uint64_t k, words y) {
    words result;
    for (std::size_t i = 0; i != 40; ++i) result.w[i] = x.w[i] * k + y.w[i];
    return result;
}

[[gnu::noinline]] long weigh(long a, long b, long c, long d, long e, long f, long g, long h, long i,
                             double x) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i +
           static_cast<long>(10 * x);
}
[[gnu::noinline]] long double extended(int a) { return static_cast<long double>(a) + 0.5L; }
[[gnu::noinline]] std::complex<double> complex_of(double a) { return {a, -a}; }

[[gnu::noinline]] long sum_on_the_stack(std::size_t count) {
    auto* const bytes = static_cast<volatile char*>(__builtin_alloca(count));
    for (std::size_t i = 0; i != count; ++i) bytes[i] = 1;
    long sum = 0;
    for (std::size_t i = 0; i != count; ++i) sum += bytes[i];
    return sum;
}

struct counts_end {
    int& count;
    explicit counts_end(int& c) : count(c) {}
    counts_end(const counts_end&) = delete;
    counts_end& operator=(const counts_end&) = delete;
    ~counts_end() { count += recurse(10) == 10; }
};
[[gnu::noinline]] int throw_below(int depth, int& count) {
    const counts_end guard(count);
    volatile char frame[300];
    frame[0] = 1;
    if (depth == 0) throw std::runtime_error("below");
    return throw_below(depth - 1, count) + frame[0];
}

[[gnu::noinline]] void everything(int depth) {
    volatile char frame[40];
    frame[0] = static_cast<char>(depth);
    words x;
    words y;
    for (std::size_t i = 0; i != 40; ++i) {
        x.w[i] = i;
        y.w[i] = 3 * i;
    }
    const words r = combine(x, 5, y);
    bool right = true;
    for (std::size_t i = 0; i != 40; ++i) right = right && r.w[i] == 8 * i;
    CHECK(right);
    CHECK(sum_variadic(12, 1, 2.0, 3, 4.0, 5, 6.0, 7, 8.0, 9, 10.0, 11, 12.0) == 78);
    CHECK(weigh(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) == 385);
    CHECK(extended(depth) == static_cast<long double>(depth) + 0.5L);
    CHECK(complex_of(depth).imag() == -depth);
    CHECK(sum_on_the_stack(100 + static_cast<std::size_t>(depth)) == 100 + depth);
    CHECK(foreign_shared::weigh_twelve(1, 2, 3, 4, 5, 6, 7, 8, 9, 10.0, 11, 12.0L) == 650);
    CHECK(foreign_shared::call_back(&recurse, 50) == 51);
    if (depth % 16 == 0) {
        int ended = 0;
        try {
            throw_below(depth, ended);
        } catch (const std::runtime_error& e) {
            CHECK(std::string(e.what()) == "below");
        }
        CHECK(ended == depth + 1);
        weft::yield();
    }
    if (depth != 0) everything(depth - 1);
    CHECK(frame[0] == static_cast<char>(depth));
}

int order(const void* a, const void* b) {
    recurse(20);
    return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

void parks_in_every_way() {
    const weft::chan<std::string> words_of(0);
    weft::scope all;
    all.go([words_of] {
        for (int i = 0; i != 10; ++i) words_of.send(std::string(50, static_cast<char>('a' + i)));
        words_of.close();
    });
    int received = 0;
    for (const std::string& word : words_of) {
        received += word.size() == 50;
        weft::sleep_for(10us);
    }
    CHECK(received == 10);
    weft::mutex m;
    int held = 0;
    for (int i = 0; i != 10; ++i) {
        all.go([&] {
            const std::lock_guard hold(m);
            weft::yield();
            held += recurse(100) == 100;
        });
    }
    all.join();
    CHECK(held == 10);
    const weft::chan<int> never(0);
    CHECK(weft::select(weft::on_recv(never), weft::on_timeout(1ms)) == 1);
}

// Until there were some preemptions.
void preempted() {
    std::atomic<bool> stop{false};
    weft::scope all;
    for (int k = 0; k != 3; ++k) {
        all.go([&, k] {
            while (!stop.load(std::memory_order_relaxed)) {
                CHECK(weigh(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) == 385);
                CHECK(sum_variadic(4, k, 2.0, 3, 4.0) == k + 9);
                CHECK(recurse(20) == 20);
            }
        });
    }
    while (weft::stats().preemptions + weft::stats().cut_ins < 50) weft::sleep_for(100us);
    stop = true;
    all.join();
}

}  // namespace

int main() {
    weft::run(
        [] {
            weft::spawn([] { everything(200); }).join();
            weft::spawn([] { CHECK(recurse(100'000) == 100'000); }).join();
            weft::spawn([] {
                int numbers[] = {3, 1, 2};
                std::qsort(numbers, 3, sizeof(int), &order);
                CHECK(numbers[0] == 1 && numbers[2] == 3);
            }).join();
            weft::spawn([] { parks_in_every_way(); }).join();
            weft::spawn([] { preempted(); }).join();
            weft::scope all;
            for (int i = 0; i != 50; ++i) all.go([i] { everything(i); });
            all.join();
        },
        {.processors = 2, .preempt_after = 200us});
    return failures == 0 ? 0 : 1;
}
