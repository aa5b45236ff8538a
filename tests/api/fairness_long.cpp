// Arrivals beside coroutines that compute, in real time: how many dispatches of others come between ready and running. A machine
// that is loaded from outside makes all of it slower, but not more of it, so the counts hold there, too.
#include "support/pair.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using testing::compute;

constexpr int rounds = slowdown == 1 ? 100 : 30;

struct load {
    const char* name;
    std::uint64_t
        in_two_ms;  // So many dispatches it makes of a processor in the time that an arrival may wait.
    void (*start)(scope&, const std::atomic<bool>& stop);
};

void start_checking(scope& s, const std::atomic<bool>& stop) {
    s.go([&stop] {
        while (!stop) compute(1ms);
    });
}
void start_yielding(scope& s, const std::atomic<bool>& stop) {
    s.go([&stop] {
        while (!stop) {
            compute(500us);
            yield();
        }
    });
}
void start_pair_of_200us(scope& s, const std::atomic<bool>& stop) { start_pair(s, stop, 200us); }
constexpr load loads[] = {{"checking", 1, start_checking},
                          {"yielding", 4, start_yielding},
                          {"pairs", 10, start_pair_of_200us}};

// Each returns how many dispatches there have been between ready and running.
std::uint64_t blocking_call() {
    std::uint64_t ready = 0;
    blocking([&] {
        std::this_thread::sleep_for(1ms);
        ready = stats().switches;
    });
    return stats().switches - ready;
}
std::uint64_t message_from_a_thread() {
    chan<std::uint64_t> values;
    std::thread other([values]() mutable {
        std::this_thread::sleep_for(1ms);
        values.send(stats().switches);
    });
    const std::uint64_t ready = *values.recv();
    const std::uint64_t waited = stats().switches - ready;
    blocking([&] { other.join(); });
    return waited;
}
std::uint64_t hand_over() {
    chan<std::uint64_t> values;
    scope s;
    s.go([values]() mutable { values.send(stats().switches); });
    const std::uint64_t ready = *values.recv();
    const std::uint64_t waited = stats().switches - ready;
    s.join();
    return waited;
}

struct arrival {
    const char* name;
    std::uint64_t (*wait)();
};
constexpr arrival arrivals[] = {{"a blocking call", blocking_call},
                                {"another thread's message", message_from_a_thread}};

class FairnessLong : public with_runtime {
protected:
    template <class F>
    static std::vector<std::uint64_t> beside(const load& what, unsigned each, F&& wait) {
        std::vector<std::uint64_t> waits;
        run([&] {
            std::atomic<bool> stop{false};
            scope busy;
            for (unsigned i = 0; i != each * GetParam(); ++i) what.start(busy, stop);
            sleep_for(30ms);
            for (int i = 0; i != rounds; ++i) {
                waits.push_back(wait());
                sleep_for(1ms);
            }
            stop = true;
            busy.join();
        });
        std::sort(waits.begin(), waits.end());
        return waits;
    }
};

TEST_P(FairnessLong, ArrivalsWaitForFewDispatches) {
    for (const load& what : loads) {
        for (const unsigned each : {1u, 2u, 8u}) {
            for (const arrival& one : arrivals) {
                const auto waits = beside(what, each, one.wait);
                const std::string which = std::string(one.name) + " beside " +
                                          std::to_string(each) + " a processor that are " +
                                          what.name;
                const std::uint64_t bound = (what.in_two_ms + 2) * GetParam();
                EXPECT_LE(waits[rounds / 2], 2 * bound) << which;
                EXPECT_LE(waits[rounds * 9 / 10], 20 * bound) << which;
                // The thread that brings it may not be run for long, after it has looked.
                EXPECT_LE(waits.back(), 200 * bound) << which;
            }
        }
    }
}

TEST_P(FairnessLong, AHandOverWaitsForOne) {
    for (const load& what : loads) {
        const auto waits = beside(what, 2, hand_over);
        EXPECT_LE(waits[rounds / 2], 2 + what.in_two_ms * GetParam()) << what.name;
    }
}

TEST_P(FairnessLong, NewOnesRunWithinAFewSlices) {
    for (const load& what : loads) {
        run([&] {
            std::atomic<bool> stop{false};
            scope busy;
            for (unsigned i = 0; i != 2 * GetParam(); ++i) what.start(busy, stop);
            sleep_for(30ms);
            const std::uint64_t before = stats().switches;
            std::atomic<std::uint64_t> last{0};
            scope fresh;
            for (int i = 0; i != 1000; ++i) {
                fresh.go([&] {
                    std::uint64_t seen = last;
                    const std::uint64_t now = stats().switches;
                    while (seen < now && !last.compare_exchange_weak(seen, now)) {}
                });
            }
            fresh.join();
            // They themselves, and 200 ms of the others.
            EXPECT_LE(last - before, 2000 + 100 * what.in_two_ms * GetParam()) << what.name;
            stop = true;
            busy.join();
        });
    }
}

INSTANTIATE_TEST_SUITE_P(Processors, FairnessLong, ::testing::Values(1u, 2u, 3u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::test
