// Selects that share channels, in both directions and with cases in common: each value goes through one case, and the
// cases that were not chosen have left nothing behind.
#include "chan/exchange.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

class SelectStress : public channel_stress {
protected:
    static constexpr std::size_t crowd = 10;
    static constexpr std::size_t count = 4;

    template <class T>
    static void drain(const chan<T>& c, account& values) {
        while (const auto got = c.try_recv()) values.received(numbered<T>::number(*got));
    }

    // All send and receive at once, through two channels or one, and nobody waits for long.
    template <class T>
    static void exchange(std::size_t threads) {
        const std::uint64_t seed = stress_seed();
        const std::uint64_t each = stress_rounds(20'000);
        account values(each * 2 * crowd);
        const std::array<chan<T>, count> channels{chan<T>(0), chan<T>(0), chan<T>(1), chan<T>(2)};
        run_crowd(crowd, threads, [&](std::size_t who) {
            randoms random = randoms_of(seed, who);
            for (std::uint64_t i = 0; i != each; ++i) {
                const std::uint64_t n = (who * each + i) * 2;
                T first = numbered<T>::make(n);
                T second = numbered<T>::make(n + 1);
                const auto any = [&]() -> const chan<T>& { return channels[random() % count]; };
                const auto receives = [&](std::optional<T>&& got) {
                    if (got) values.received(numbered<T>::number(*got));
                };
                const auto d = std::chrono::microseconds(random() % 30);
                const std::size_t chosen =
                    random() % 2 == 0
                        ? select(on_recv(any(), receives),
                                 on_send(any(), first, [&] { values.sent(n); }),
                                 on_send(any(), second, [&] { values.sent(n + 1); }), on_timeout(d))
                        : select(on_recv(any(), receives),
                                 on_send(any(), first, [&] { values.sent(n); }),
                                 on_recv(any(), receives), on_timeout(d));
                if (chosen != 1) {
                    EXPECT_EQ(numbered<T>::number(first), n);
                }
            }
        });
        for (const auto& c : channels) drain(c, values);
        values.expect_settled();
    }

    // Half of them send and half receive, without a limit of time: this hangs when somebody is forgotten.
    template <class T>
    static void stream(std::size_t threads) {
        const std::uint64_t seed = stress_seed();
        const std::uint64_t each = stress_rounds(50'000);
        account values(each * crowd);
        const std::array<chan<T>, count> channels{chan<T>(0), chan<T>(0), chan<T>(1), chan<T>(2)};
        std::atomic<std::size_t> sending{crowd / 2};
        run_crowd(crowd, threads, [&](std::size_t who) {
            randoms random = randoms_of(seed, who);
            // One channel alone now and then, so that selects meet plain operations.
            if (who < crowd / 2) {
                for (std::uint64_t i = 0; i != each; ++i) {
                    const std::uint64_t n = who * each + i;
                    const auto& a = channels[random() % count];
                    const auto& b = channels[random() % count];
                    T value = numbered<T>::make(n);
                    values.sent(n);
                    if (random() % 4 == 0) {
                        a.send(std::move(value));
                    } else {
                        select(on_send(a, std::move(value)), on_send(b, numbered<T>::make(n)));
                    }
                    linger(random() % 64);
                }
                if (--sending == 0) {
                    for (const auto& c : channels) c.close();
                }
                return;
            }
            select_set open;
            std::size_t left = count;
            std::array<std::size_t, count> at{};
            for (std::size_t i = 0; i != count; ++i) {
                at[i] = open.add(on_recv(channels[i], [&, i](std::optional<T>&& got) {
                    if (got) {
                        values.received(numbered<T>::number(*got));
                    } else {
                        open.remove(at[i]);
                        --left;
                    }
                }));
            }
            while (left != 0) open.wait();
        });
        values.expect_settled();
    }
};

TEST_P(SelectStress, PlainValuesThroughOneCaseEach) { exchange<parcel>(0); }
TEST_P(SelectStress, PointersThroughOneCaseEach) { exchange<std::unique_ptr<parcel>>(0); }
TEST_P(SelectStress, StringsThroughOneCaseEach) { exchange<std::string>(0); }
TEST_P(SelectStress, WithThreadsAmongThem) {
    exchange<parcel>(3);
    exchange<std::unique_ptr<parcel>>(5);
}

TEST_P(SelectStress, NobodyIsForgotten) { stream<parcel>(0); }
TEST_P(SelectStress, NoThreadIsForgotten) { stream<parcel>(4); }
TEST_P(SelectStress, NoPointerIsForgotten) { stream<std::unique_ptr<parcel>>(2); }

// Two values, of which one is on its way from channel to channel at most: there is never a moment when both are empty.
TEST_P(SelectStress, OtherwiseIsChosenOnlyWhenThereWasSuchAMoment) {
    const std::uint64_t each = stress_rounds(30'000);
    const std::array<chan<parcel>, 2> channels{chan<parcel>(2), chan<parcel>(2)};
    channels[0].send(numbered<parcel>::make(0));
    channels[1].send(numbered<parcel>::make(1));
    std::atomic<bool> over{false};
    run_crowd(2, 1, [&](std::size_t who) {
        if (who == 1) {
            while (!over) {
                for (std::size_t from = 0; from != 2; ++from) {
                    if (const auto moved = channels[from].try_recv())
                        channels[1 - from].send(*moved);
                }
            }
            return;
        }
        for (std::uint64_t i = 0; i != each; ++i) {
            std::optional<parcel> taken;
            const auto takes = [&](std::optional<parcel> got) { taken = got; };
            const std::size_t chosen =
                select(on_recv(channels[0], takes), on_recv(channels[1], takes), otherwise());
            EXPECT_NE(chosen, 2u);
            if (taken) channels[i % 2].send(*taken);
        }
        over = true;
    });
}

// The worst for lock orders: two select the same two channels, each from its own end.
TEST_P(SelectStress, CrossedSelectsDoNotLockEachOtherOut) {
    const std::uint64_t each = stress_rounds(20'000);
    const chan<parcel> a;
    const chan<parcel> b;
    std::array<std::atomic<std::uint64_t>, 2> sent{};
    std::array<std::atomic<std::uint64_t>, 2> received{};
    run_crowd(4, 1, [&](std::size_t who) {
        const auto& mine = who % 2 == 0 ? a : b;
        const auto& other = who % 2 == 0 ? b : a;
        for (std::uint64_t i = 0; i != each; ++i) {
            select(on_send(mine, numbered<parcel>::make(i), [&] { ++sent[who % 2]; }),
                   on_recv(other,
                           [&](std::optional<parcel> got) {
                               if (got) ++received[(who + 1) % 2];
                           }),
                   on_timeout(std::chrono::milliseconds(1)));
        }
    });
    EXPECT_EQ(sent[0], received[0]);
    EXPECT_EQ(sent[1], received[1]);
}

INSTANTIATE_TEST_SUITE_P(Processors, SelectStress, ::testing::Values(2u, 8u),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace weft::test
