// parked [N]: parks N coroutines (a million, unless told otherwise), says what each of them costs, and
// lets them end.
//
//     first  <-- joins --  second  <-- joins --  third  <-- ...  <-- joins --  last  <-- joins --  main
//
// Each joins the one before it, so one word wakes them all, one after the other, and each then ends by
// returning. Cancelling a million sleepers would show the cost of a million exceptions: unwinding takes
// deeper stacks than waiting does.
#include <weft/go.hpp>
#include <weft/runtime.hpp>

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

using namespace std::chrono_literals;
using weft::clock;

struct counters {
    std::atomic<std::uint64_t> waiting{0};
    std::atomic<std::uint64_t> ended{0};
    std::atomic<bool> released{false};
};

std::int64_t resident_bytes() {
    long long pages = 0;
    std::FILE* const statm = std::fopen("/proc/self/statm", "r");
    if (statm == nullptr || std::fscanf(statm, "%*s %lld", &pages) != 1)
        std::perror("/proc/self/statm");
    if (statm != nullptr) std::fclose(statm);
    return pages * sysconf(_SC_PAGESIZE);
}

weft::join_handle<void> park(std::uint64_t count, counters& c) {
    auto last = weft::spawn([&c] {
        ++c.waiting;
        while (!c.released) weft::sleep_for(1ms);
        ++c.ended;
    });
    for (std::uint64_t i = 1; i != count; ++i)
        last = weft::spawn([&c, before = std::move(last)]() mutable {
            ++c.waiting;
            before.join();
            ++c.ended;
        });
    return last;
}

void run(std::uint64_t count) {
    counters c;
    const std::int64_t bytes_before = resident_bytes();
    const clock::time_point begin = clock::now();
    weft::join_handle<void> last = park(count, c);
    while (c.waiting != count) weft::sleep_for(1ms);
    const std::chrono::nanoseconds took = clock::now() - begin;
    const std::int64_t bytes = resident_bytes() - bytes_before;

    // The time from the first spawn to the moment when all have run and wait.
    std::printf("coroutines %llu\nbytes_each %.0f\nspawn_ns %.0f\n",
                static_cast<unsigned long long>(count),
                static_cast<double>(bytes) / static_cast<double>(count),
                static_cast<double>(took.count()) / static_cast<double>(count));
    std::fflush(stdout);

    c.released = true;
    last.join();
    std::printf("ended %llu\n", static_cast<unsigned long long>(c.ended.load()));
}

bool parse(std::string_view text, std::uint64_t& count) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    return error == std::errc() && stop == end && count != 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t count = 1'000'000;
    if (argc > 2 || (argc == 2 && !parse(argv[1], count))) {
        std::fputs("usage: parked [N]\nParks N coroutines, 1000000 unless told otherwise.\n",
                   stderr);
        return 2;
    }
    try {
        return weft::run([count] { run(count); });
    } catch (const std::exception& e) {
        std::fprintf(stderr, "parked: %s\n", e.what());
        return 1;
    }
}
