// prepare_park, ready, park: a ready() that comes at any moment, also before the waiter has left its stack, ends
// the wait it was meant for, once.
//
// Rings of coroutines hand tokens round. With few tokens machines fall idle and are woken all the time; with many,
// ready() often meets a coroutine that is only about to park. A lost one leaves the ring waiting, which the
// watchdog ends; a doubled one aborts in the box or in an assertion.
#include "base/random.hpp"
#include "base/stress.hpp"
#include "sched/token_box.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

struct shape {
    unsigned processors;
    std::size_t members;
    std::size_t tokens;
};

class ParkStress : public ::testing::TestWithParam<shape> {};

TEST_P(ParkStress, TokensGoRoundARingOfCoroutines) {
    const shape ring = GetParam();
    const std::uint64_t rounds =
        stress_rounds(2'000'000) / (ring.members * (ring.processors == 1 ? 1 : 4)) + 1;
    const test::watchdog dog(stress_seconds());
    std::vector<token_box> boxes(ring.members);
    std::vector<std::uint64_t> taken(ring.members);  // Each touched by its coroutine alone.

    run(
        [&] {
            {
                scope members;
                for (std::size_t i = 0; i != ring.members; ++i) {
                    members.go([&, i] {
                        for (std::uint64_t n = 0; n != rounds * ring.tokens; ++n) {
                            boxes[i].take();
                            ++taken[i];
                            boxes[(i + 1) % ring.members].give();
                        }
                    });
                }
                for (std::size_t t = 0; t != ring.tokens; ++t) boxes[t % ring.members].give();
                members.join();
            }
        },
        {.processors = ring.processors});
    for (const std::uint64_t n : taken) EXPECT_EQ(n, rounds * ring.tokens);
}

std::string name_of_shape(const ::testing::TestParamInfo<shape>& info) {
    return std::to_string(info.param.processors) + "Processors" +
           std::to_string(info.param.members) + "Members" + std::to_string(info.param.tokens) +
           "Tokens";
}

INSTANTIATE_TEST_SUITE_P(Rings, ParkStress,
                         ::testing::Values(shape{1, 2, 1}, shape{1, 100, 10}, shape{2, 2, 1},
                                           shape{2, 100, 1}, shape{2, 100, 30}, shape{8, 2, 1},
                                           shape{8, 300, 8}),
                         name_of_shape);

// Readies at random whom it finds, from a coroutine that yields between, so that the order is never the same.
TEST(ParkStress, GiversAtRandomWakeEveryTaker) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t gifts = stress_rounds(2'000'000);
    constexpr std::size_t takers = 16;
    constexpr std::size_t givers = 4;
    const test::watchdog dog(stress_seconds());
    std::vector<token_box> boxes(takers);
    std::vector<std::uint64_t> wanted(takers);

    // Who gets how many is drawn beforehand, so that each taker knows when it is done.
    std::vector<std::vector<std::uint32_t>> plans(givers);
    for (std::size_t g = 0; g != givers; ++g) {
        random_source random(seed + g);
        for (std::uint64_t n = 0; n != gifts / givers; ++n) {
            plans[g].push_back(random.below(takers));
            ++wanted[plans[g].back()];
        }
    }
    run(
        [&] {
            scope all;
            for (std::size_t i = 0; i != takers; ++i) {
                all.go([&, i] {
                    for (std::uint64_t n = 0; n != wanted[i]; ++n) boxes[i].take();
                });
            }
            for (std::size_t g = 0; g != givers; ++g) {
                all.go([&, g] {
                    random_source random(~seed + g);
                    for (const std::uint32_t to : plans[g]) {
                        boxes[to].give();
                        if (random.below(8) == 0) yield();
                    }
                });
            }
            all.join();
        },
        {.processors = 4});
}

// The same from outside: foreign threads have no processor, and put what they ready on the global queue.
TEST(ParkStress, ThreadsWakeCoroutines) {
    const std::uint64_t gifts = stress_rounds(400'000);
    const test::watchdog dog(stress_seconds());
    std::vector<token_box> boxes(3);
    std::vector<std::thread> givers;
    {
        runtime up({.processors = 2});
        std::vector<std::future<void>> takers;
        for (token_box& box : boxes) {
            takers.push_back(up.submit([&box, gifts] {
                for (std::uint64_t n = 0; n != gifts; ++n) box.take();
            }));
            givers.emplace_back([&box, gifts] {
                for (std::uint64_t n = 0; n != gifts; ++n) {
                    box.give();
                    if (n % 16 == 0) std::this_thread::yield();
                }
            });
        }
        for (auto& giver : givers) giver.join();
        for (auto& taker : takers) taker.get();
    }
}

}  // namespace
}  // namespace weft::detail
