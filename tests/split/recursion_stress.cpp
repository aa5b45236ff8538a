// Very many coroutines in random recursion, that throw, park and borrow at random places. At the end every segment is
// where it belongs.
#include "split/segments.hpp"
#include "support/stress.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#define FOREIGN_SHARED
#include "split/foreign.hpp"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

struct thrown {
    int at;
};

// Small, for there are very many.
class random_choices {
public:
    explicit random_choices(std::uint64_t seed) noexcept : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
    std::uint32_t operator()(std::uint32_t below) noexcept {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return static_cast<std::uint32_t>(state_ >> 33) % below;
    }

private:
    std::uint64_t state_;
};

[[gnu::noinline]] int wander(random_choices& choose, int depth, const chan<int>& numbers);

// The same with a larger frame, or with one whose size nobody knows before.
[[gnu::noinline]] int wander_large(random_choices& choose, int depth, const chan<int>& numbers) {
    volatile char frame[2'000];
    frame[0] = static_cast<char>(depth);
    frame[1'999] = frame[0];
    const int below = wander(choose, depth, numbers);
    return below + (frame[1'999] - static_cast<char>(depth));
}
[[gnu::noinline]] int wander_any(random_choices& choose, int depth, const chan<int>& numbers) {
    const std::size_t size = choose(10'000) + 1;
    auto* const frame = static_cast<volatile char*>(__builtin_alloca(size));
    frame[0] = static_cast<char>(depth);
    frame[size - 1] = static_cast<char>(depth);
    const int below = wander(choose, depth, numbers);
    return below + (frame[size - 1] - static_cast<char>(depth));
}

int wander(random_choices& choose, int depth, const chan<int>& numbers) {
    volatile char frame[40];
    frame[0] = static_cast<char>(depth);
    frame[39] = frame[0];
    int result = 0;
    if (depth != 0) {
        switch (choose(24)) {
        case 0:
            sleep_for(std::chrono::microseconds(choose(50)));
            break;
        case 1:
            yield();
            break;
        case 2:
            throw thrown{depth};
        case 3:
        case 4:
            try {
                result = wander(choose, depth - 1, numbers);
            } catch (const thrown& e) {
                if (e.at >= depth) std::abort();
                if (choose(2) == 0) yield();
                if (choose(8) == 0) throw;
            }
            break;
        case 5: {
            char text[32];
            std::snprintf(text, sizeof text, "%d", depth);
            result = std::stoi(text) - depth;
            break;
        }
        case 6:
            foreign_shared::call_function([&] { result = wander(choose, depth - 1, numbers); });
            break;
        case 7: {
            int number = depth;
            if (numbers.try_send(number)) static_cast<void>(numbers.try_recv());
            break;
        }
        case 8:
            result = wander_large(choose, depth - 1, numbers);
            break;
        case 9:
            result = wander_any(choose, depth - 1, numbers);
            break;
        default:
            result = wander(choose, depth - 1, numbers);
        }
    }
    return result + (frame[39] - static_cast<char>(depth));
}

class SplitStress : public with_runtime {};
WEFT_TEST_PROCESSORS(SplitStress);

TEST_P(SplitStress, RandomRecursionLosesNoSegment) {
    const std::uint64_t seed = stress_seed();
    const auto count = stress_rounds(100'000);
    std::atomic<std::uint64_t> ended{0};
    run(
        [&] {
            const chan<int> numbers(100);
            {
                scope all({.limit = 2'000});
                for (std::uint64_t i = 0; i != count; ++i) {
                    all.go([&, i] {
                        random_choices choose(seed + i);
                        try {
                            EXPECT_EQ(wander(choose, static_cast<int>(choose(100)), numbers), 0);
                        } catch (const thrown&) {}
                        ++ended;
                    });
                }
                all.join();
            }
            EXPECT_EQ(ended, count);
            wait_for_segments();
        },
        {.preempt_after = 200us});
    EXPECT_EQ(detail::sched.segments.bytes_out(), 0u);
}

TEST_P(SplitStress, CancelledAnywhereLosesNoSegment) {
    const std::uint64_t seed = stress_seed();
    random_choices choose_here(seed);
    const auto rounds = stress_rounds(100);
    run([&] {
        const chan<int> numbers(100);
        for (std::uint64_t round = 0; round != rounds; ++round) {
            scope all;
            for (std::uint64_t i = 0; i != 100; ++i) {
                all.go([&, i, round] {
                    random_choices choose(seed + round * 1'000 + i);
                    for (;;) {
                        try {
                            wander(choose, static_cast<int>(choose(100)), numbers);
                        } catch (const thrown&) {}
                        checkpoint();
                    }
                });
            }
            for (std::uint32_t n = choose_here(30); n != 0; --n) yield();
        }
        wait_for_segments();
    });
    EXPECT_EQ(detail::sched.segments.bytes_out(), 0u);
}

}  // namespace
}  // namespace weft::test
