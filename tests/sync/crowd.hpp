// Coroutines and foreign threads that do the same thing at the same time, some of them called off in the middle of it.
#pragma once

#include "base/random.hpp"
#include "base/stress.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weft::detail {

struct crowd_shape {
    unsigned processors;
    unsigned coroutines;
    unsigned threads;
};

inline std::string name_of_crowd(const ::testing::TestParamInfo<crowd_shape>& info) {
    return std::to_string(info.param.processors) + "Processors" +
           std::to_string(info.param.coroutines) + "Coroutines" +
           std::to_string(info.param.threads) + "Threads";
}

class crowd_stress : public ::testing::TestWithParam<crowd_shape> {
protected:
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog{stress_seconds()};

    [[nodiscard]] unsigned size() const { return GetParam().coroutines + GetParam().threads; }

    /// Calls f(random) by every member at once, `rounds` times in all.
    template <class F>
    void everybody(std::uint64_t rounds, F f) {
        const std::uint64_t each = rounds / size() + 1;
        std::atomic<std::uint64_t> next{0};
        const auto member = [&] {
            random_source random(seed + 1000003 * next.fetch_add(1));
            for (std::uint64_t n = 0; n != each; ++n) f(random);
        };
        runtime up({.processors = GetParam().processors, .shutdown_grace = std::chrono::hours(1)});
        std::vector<std::thread> threads;
        for (unsigned i = 0; i != GetParam().threads; ++i) threads.emplace_back(member);
        auto root = up.submit([&] {
            scope s;
            for (unsigned i = 0; i != GetParam().coroutines; ++i) s.go(member);
            s.join();
        });
        root.get();
        for (auto& thread : threads) thread.join();
    }

    /// Calls f() in a coroutine that is asked to stop at some time. Whether f returned.
    template <class F>
    static bool called_off(random_source& random, F f) {
        const std::uint32_t steps = random.below(600);
        const bool gives_way = random.below(2) == 0;
        auto victim = spawn([&] { f(); });
        for (std::uint32_t i = steps; i != 0; --i)
            std::atomic_signal_fence(std::memory_order_seq_cst);
        if (gives_way) yield();
        victim.request_stop();
        try {
            victim.join();
            return true;
        } catch (const coroutine_cancelled&) {
            return false;
        }
    }

    static std::chrono::microseconds a_moment(random_source& random) {
        return std::chrono::microseconds(random.below(60));
    }
    static void perhaps_yield(random_source& random) {
        if (random.below(8) == 0) yield();
    }
};

#define WEFT_STRESS_CROWDS(suite)                                                                  \
    INSTANTIATE_TEST_SUITE_P(Crowds, suite,                                                        \
                             ::testing::Values(crowd_shape{1, 20, 0}, crowd_shape{1, 8, 2},        \
                                               crowd_shape{2, 2, 0}, crowd_shape{2, 100, 0},       \
                                               crowd_shape{2, 10, 3}, crowd_shape{8, 30, 2},       \
                                               crowd_shape{1, 1, 4}),                              \
                             name_of_crowd)

}  // namespace weft::detail
