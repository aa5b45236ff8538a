// How late a sleeper wakes while others compute.
//
//     wakeups [SECONDS]      1 by default
//
// One coroutine sleeps for a millisecond again and again; twice as many as there are processors compute meanwhile,
// and call weft::checkpoint() as they go. Prints what became of it, a line each: `key value`.
#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <vector>

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

void compute(const std::atomic<bool>& stop) {
    std::uint64_t x = 1;
    while (!stop) {
        for (int k = 0; k != 100; ++k) x = x * 6364136223846793005U + 1442695040888963407U;
        asm volatile("" : : "r"(x));
        weft::checkpoint();  // Without it the others still run: weft adds a processor for a while.
    }
}

void measure(std::chrono::seconds time) {
    std::vector<std::int64_t> late_us;
    {
        std::atomic<bool> stop{false};
        weft::scope computing;
        const unsigned count = 2 * weft::processors();
        for (unsigned i = 0; i != count; ++i) computing.go([&] { compute(stop); });
        for (const auto until = clock_type::now() + time; clock_type::now() < until;) {
            const auto due = clock_type::now() + 1ms;
            weft::sleep_until(due);
            late_us.push_back(
                std::chrono::duration_cast<std::chrono::microseconds>(clock_type::now() - due)
                    .count());
        }
        stop = true;
        computing.join();
    }
    std::ranges::sort(late_us);
    std::printf("wakeups %zu\n", late_us.size());
    std::printf("late_p50_us %lld\n", static_cast<long long>(late_us[late_us.size() / 2]));
    std::printf("late_p99_us %lld\n", static_cast<long long>(late_us[late_us.size() * 99 / 100]));
}

}  // namespace

int main(int argc, char** argv) {
    int seconds = 1;
    if (argc > 2) seconds = 0;
    if (argc == 2) {
        const char* const end = argv[1] + std::strlen(argv[1]);
        const auto [last, error] = std::from_chars(argv[1], end, seconds);
        if (last != end || error != std::errc()) seconds = 0;
    }
    if (seconds < 1 || seconds > 3600) {
        std::fputs("usage: wakeups [SECONDS]\n", stderr);
        return 2;
    }
    return weft::run([=] { measure(std::chrono::seconds(seconds)); });
}
