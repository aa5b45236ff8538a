// Nothing is written outside of the segment that it belongs to, whatever the size of a frame and wherever it ends. And
// what does write there ends in a report.
#include "sched/preempt.hpp"
#include "sched/split_stack.hpp"
#include "split/segments.hpp"
#include "support/child.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#define FOREIGN_SHARED
#include "split/foreign.hpp"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

// Owns every second segment of each class, filled with a pattern: what coroutines have meanwhile lies between these.
class surroundings {
public:
    static constexpr unsigned char pattern = 0xa5;

    // In main, with one processor, before there are coroutines.
    surroundings() {
        detail::segment_cache& cache = detail::this_machine()->p->segments;
        for (unsigned c = 0; c != detail::class_large; ++c) {
            std::vector<segment*> all;
            const std::size_t slabs = 2;
            while (all.size() < slabs * 64 * 1024 / detail::size_of_class(c)) {
                all.push_back(cache.take(c, detail::sched.segments));
            }
            std::sort(all.begin(), all.end());
            for (std::size_t i = 0; i != all.size(); ++i) {
                if (i % 2 == 0) {
                    mine_.push_back({all[i]->base(), detail::size_of_class(c), all[i]->size_class});
                    std::memset(all[i]->base(), pattern, detail::size_of_class(c));
                } else {
                    cache.give(*all[i], detail::sched.segments);
                }
            }
        }
    }
    surroundings(const surroundings&) = delete;
    surroundings& operator=(const surroundings&) = delete;
    ~surroundings() {
        detail::segment_cache& cache = detail::this_machine()->p->segments;
        for (const block& b : mine_) {
            cache.give(*detail::make_segment(b.base, b.size_class, b.size), detail::sched.segments);
        }
    }

    [[nodiscard]] std::size_t bytes_written() const {
        std::size_t written = 0;
        for (const block& b : mine_) {
            const auto* const bytes = reinterpret_cast<const unsigned char*>(b.base);
            written +=
                b.size - static_cast<std::size_t>(std::count(bytes, bytes + b.size, pattern));
        }
        return written;
    }

    /// Whether the segment lies between two of these.
    [[nodiscard]] bool surround(const segment& s) const {
        return std::any_of(mine_.begin(), mine_.end(),
                           [&](const block& b) { return b.base + b.size == s.base(); });
    }

private:
    struct block {
        std::byte* base;
        std::size_t size;
        unsigned size_class;
    };
    std::vector<block> mine_;
};

// What happens at the deepest point of a chain of frames.
using event = void (*)(int);

// Uses the 128 bytes that the ABI lets a leaf use below its stack pointer.
[[gnu::noinline]] int leaf(int x) {
    volatile char bytes[120];
    bytes[x & 63] = 1;
    bytes[0] = 2;
    return bytes[x & 31];
}

template <std::size_t Frame>
[[gnu::noinline]] int chain(int depth, event each) {
    volatile char frame[Frame + 8];
    frame[0] = static_cast<char>(depth);
    frame[Frame + 7] = static_cast<char>(depth);
    each(depth);
    leaf(depth);
    const int below = depth == 0 ? 0 : chain<Frame>(depth - 1, each);
    return below + frame[0] - frame[Frame + 7];
}

template <std::size_t... I>
constexpr auto chains_of(std::index_sequence<I...>) {
    return std::array<int (*)(int, event), sizeof...(I)>{&chain<I * 8>...};
}
// 8 to 304 bytes: both kinds of prologues.
constexpr auto chains = chains_of(std::make_index_sequence<38>());

class Bounds : public plain_runtime {
protected:
    static void nothing_is_written(event each) {
        weft::run(
            [&] {
                std::size_t surrounded = 0;
                const surroundings around;
                for (const auto& frames : chains) {
                    spawn([&] {
                        surrounded += around.surround(newest_segment());
                        frames(30, each);
                    }).join();
                    ASSERT_EQ(around.bytes_written(), 0u) << &frames - chains.data();
                }
                EXPECT_GT(surrounded, chains.size() / 2);
            },
            {.processors = 1});
    }
};

TEST_F(Bounds, OfGrowing) {
    nothing_is_written([](int) {});
}
TEST_F(Bounds, OfYielding) {
    nothing_is_written([](int) { yield(); });
}
TEST_F(Bounds, OfPreemption) {
    nothing_is_written([](int) {
        detail::machine& m = *detail::this_machine();
        detail::request_preemption(m, detail::preempt_slice);
    });
}
TEST_F(Bounds, OfPreemptionAtACallToForeignCode) {
    nothing_is_written([](int depth) {
        detail::machine& m = *detail::this_machine();
        detail::request_preemption(m, detail::preempt_slice);
        foreign_shared::deep(depth);
    });
}
TEST_F(Bounds, OfSleeping) {
    nothing_is_written([](int) { sleep_for(1us); });
}
TEST_F(Bounds, OfSpawningAndJoining) {
    nothing_is_written([](int) { spawn([] {}).join(); });
}
TEST_F(Bounds, OfChannels) {
    nothing_is_written([](int depth) {
        const chan<int> c(1);
        c.send(depth);
        static_cast<void>(c.recv());
        select(on_recv(c), on_timeout(1us));
    });
}
TEST_F(Bounds, OfLocks) {
    nothing_is_written([](int) {
        mutex m;
        wait_group group;
        group.add();
        go([&] {
            const std::lock_guard hold(m);
            yield();
            group.done();
        });
        yield();
        const std::lock_guard hold(m);
        group.wait();
    });
}
TEST_F(Bounds, OfForeignCode) {
    nothing_is_written([](int depth) { foreign_shared::deep(depth); });
}
TEST_F(Bounds, OfForeignCodeThatCallsBackAndParks) {
    nothing_is_written([](int) { foreign_shared::call_function([] { yield(); }); });
}
TEST_F(Bounds, OfTheCLibrary) {
    nothing_is_written([](int depth) {
        char text[64];
        std::snprintf(text, sizeof text, "%d %g", depth, 0.5);
        std::string(100, 'x').append(text);
    });
}
TEST_F(Bounds, OfAlloca) {
    nothing_is_written([](int depth) {
        auto* const bytes = static_cast<volatile char*>(
            __builtin_alloca(static_cast<std::size_t>(64 + depth * 16)));
        bytes[0] = 1;
    });
}
TEST_F(Bounds, OfExceptions) {
    nothing_is_written([](int depth) {
        if (depth % 8 != 0) return;
        try {
            throw depth;
        } catch (int) {
            leaf(depth);
        }
    });
}
TEST_F(Bounds, OfArgumentsOnTheStack) {
    nothing_is_written([](int depth) {
        foreign_shared::weigh_twelve(1, 2, 3, 4, 5, 6, 7, 8, 9, 10.0, depth, 12.0L);
    });
}

// An idle coroutine, as most are most of the time.
TEST_F(Bounds, OfACoroutineThatOnlyWaits) {
    weft::run(
        [] {
            const surroundings around;
            scope all;
            for (int i = 0; i != 20; ++i) all.go([] { sleep_for(1ms); });
            all.join();
            EXPECT_EQ(around.bytes_written(), 0u);
        },
        {.processors = 1});
}

// ------------------------------------------------------------------------------------------- overflows

class SplitOverflow : public with_runtime {
protected:
    static void reported(const child_result& child, const std::string& rest) {
        EXPECT_EQ(child.signal, SIGABRT) << child.err;
        const auto lines = child.lines_with("stack overflow in coroutine ");
        ASSERT_EQ(lines.size(), 1u) << child.err;
        EXPECT_NE(lines[0].find(rest), std::string::npos) << rest << " in: " << lines[0];
        EXPECT_NE(lines[0].find("bounds_test.cpp:"), std::string::npos) << lines[0];
    }
};
WEFT_TEST_PROCESSORS(SplitOverflow);

[[gnu::noinline]] int recurse_without_end(int depth) {
    volatile char frame[512];
    frame[0] = static_cast<char>(depth);
    const int below = depth < 0 ? 0 : recurse_without_end(depth + 1);
    return below + frame[0];
}

TEST_P(SplitOverflow, OfTheDepthThatIsAllowed) {
    const child_result child = run_child([] {
        return run([] { spawn({.name = "parser"}, [] { recurse_without_end(0); }).join(); },
                   {.max_stack = std::size_t{1} << 20});
    });
    reported(child, " 'parser' (limit 1 MiB), created at ");
}

TEST_P(SplitOverflow, OfAnArrayLargerThanIsAllowed) {
    const child_result child = run_child([] {
        return run(
            [] {
                spawn({.name = "greedy"}, [] {
                    volatile std::size_t bytes = std::size_t{4} << 20;
                    auto* const array = static_cast<volatile char*>(__builtin_alloca(bytes));
                    array[0] = 1;
                }).join();
            },
            {.max_stack = std::size_t{1} << 20});
    });
    reported(child, " 'greedy' (limit 1 MiB), created at ");
}

TEST_P(SplitOverflow, UpToWhatIsAllowedThereIsNone) {
    run([] { spawn([] { touch_deeper(700'000); }).join(); }, {.max_stack = std::size_t{1} << 20});
}

TEST_P(SplitOverflow, OfForeignCodeIsSeenByItsGuard) {
    const child_result child = run_child([] {
        return run(
            [] { spawn({.name = "foreign"}, [] { foreign_shared::use_stack(200'000); }).join(); });
    });
    reported(child, " 'foreign' (limit 64 KiB), created at ");
}

// Down to the lowest word of the newest segment.
[[gnu::noinline]] void write_base() {
    *reinterpret_cast<volatile std::uint64_t*>(newest_segment().base()) = 1;
}

[[gnu::noinline]] int write_base_of_the_next() {
    volatile char frame[700];
    frame[0] = 1;
    write_base();
    return frame[0];
}

TEST_P(SplitOverflow, OfASegmentWithoutAGuardIsSeenOnReturn) {
    const child_result child = run_child([] {
        return run([] {
            spawn({.name = "writer"}, [] {
                with_room(300, [] { write_base_of_the_next(); });
                std::fprintf(stderr, "not seen\n");
            }).join();
        });
    });
    reported(child, " 'writer' (limit ");
    EXPECT_EQ(child.lines_with("the end of a segment was written").size(), 1u) << child.err;
    EXPECT_EQ(child.lines_with("not seen").size(), 0u);
}

TEST_P(SplitOverflow, OfTheFirstSegmentIsSeenAtItsEnd) {
    const child_result child = run_child(
        [] { return run([] { spawn({.name = "writer"}, [] { write_base(); }).join(); }); });
    reported(child, " 'writer' (limit ");
}

TEST_P(SplitOverflow, AFaultElsewhereIsNotOurs) {
    const child_result child = run_child([] {
        return run([] {
            spawn([] {
                volatile int* volatile nowhere = nullptr;
                *nowhere = 1;
            }).join();
        });
    });
    EXPECT_EQ(child.signal, SIGSEGV) << child.err;
    EXPECT_EQ(child.lines_with("stack overflow").size(), 0u) << child.err;
}

}  // namespace
}  // namespace weft::test
