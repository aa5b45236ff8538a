// How much a coroutine holds that waits with locals of its own: a first segment that is as large as its like turn out to need.
#include "sched/first_class.hpp"
#include "sched/split_stack.hpp"

#include "split/segments.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using detail::sched;

constexpr std::size_t kib = 1024;
// Beside the first few of a type, from which it is learned.
constexpr std::size_t slack = 16 * kib;

template <std::size_t Bytes>
struct locals {
    volatile char bytes[Bytes];
    locals() noexcept {
        for (std::size_t i = 0; i < Bytes; i += 32) bytes[i] = 1;
    }
    ~locals() { asm volatile("" : : "r"(this) : "memory"); }
};
template <>
struct locals<0> {};

// The coroutines wait for these, and nobody ever gives them.
struct things {
    chan<int> a;
    chan<int> b;
    chan<int> c;
    chan<int> d;
    chan<std::array<char, 200>> boxes;
    mutex held;
    mutex free;
    condition_variable changed;
    wait_group never;
    join_handle<void> target;
};

std::uint64_t bytes_held() { return sched.segments.bytes_out() - bytes_cached(); }

class FirstClass : public plain_runtime {
protected:
    void SetUp() override {
        plain_runtime::SetUp();
#if !defined(__OPTIMIZE__)
        GTEST_SKIP() << "the program's frames are larger where they are not optimised";
#endif
        if (detail::assertions) GTEST_SKIP() << "the runtime's frames are larger with assertions";
        if (detail::weft_first_class_min != 0) GTEST_SKIP() << "they are larger by this compiler";
        sched.first_class.forget();
    }

    static void end(scope& s) {
        s.cancel();
        try {
            s.join();
        } catch (const cancelled&) {}
    }

    static std::size_t parked() {
        std::size_t n = 0;
        sched.coroutines.for_each([&n](const detail::coroutine& c) {
            if (c.state.load(std::memory_order_acquire) == detail::co_state::parked) ++n;
        });
        return n;
    }

    // Starts `count` that wait in `wait`, and returns the bytes of segments once `waiting` wait: all, and those that they start.
    template <class Wait>
    static std::uint64_t held_by(std::size_t count, std::size_t waiting, const Wait& wait,
                                 unsigned processors = 1) {
        std::uint64_t held = 0;
        weft::run(
            [&] {
                things what;
                const std::lock_guard hold(what.held);
                what.never.add();
                what.target = spawn([] { sleep_for(1h); });
                wait_until([] { return parked() == 1; });
                scope s;
                const std::uint64_t before = bytes_held();
                for (std::size_t i = 0; i != count; ++i) s.go([&] { wait(what); });
                wait_until([waiting] { return parked() >= 1 + waiting; });
                held = bytes_held() - before;
                end(s);
                what.target.request_stop();
                what.target.detach();
                what.never.done();
            },
            {.processors = processors});
        return held;
    }

    template <class Wait>
    static void expect_each_to_hold(std::size_t bytes, const Wait& wait, const std::string& how) {
        constexpr std::size_t count = 1'000;
        EXPECT_LE(held_by(count, count, wait), count * bytes + slack) << how;
    }

    // Each wait with so many bytes of locals in the frame that waits.
    template <std::size_t Locals>
    static void expect_waits(std::size_t small, std::size_t large) {
        const std::string with = " with " + std::to_string(Locals) + " bytes of locals";
        const auto waits = [&](const char* name, std::size_t bytes, auto wait) {
            expect_each_to_hold(
                bytes,
                [wait](things& what) {
                    [[maybe_unused]] const locals<Locals> mine;
                    wait(what);
                },
                name + with);
        };
        waits("recv", small, [](things& what) { static_cast<void>(what.a.recv()); });
        waits("send", small, [](things& what) { what.a.send(1); });
        waits("mutex", small, [](things& what) { what.held.lock_or_cancel(); });
        waits("sleep", small, [](things&) { sleep_for(1h); });
        waits("wait_group", small, [](things& what) { what.never.wait(); });
        waits("boxed recv", large, [](things& what) { static_cast<void>(what.boxes.recv()); });
        waits("select of 2", large, [](things& what) { select(on_recv(what.a), on_recv(what.b)); });
        waits("condition", large, [](things& what) {
            std::unique_lock lock(what.free);
            what.changed.wait(lock);
        });
    }
};

TEST_F(FirstClass, IsAKibibyteWithSmallLocals) {
    expect_waits<0>(1 * kib, 2 * kib);
    expect_waits<100>(1 * kib, 2 * kib);
}
TEST_F(FirstClass, IsTwoWithLargerOnes) {
    expect_waits<300>(2 * kib, 2 * kib);
    expect_waits<600>(2 * kib, 2 * kib);
}

// Eight processors start at once, so the first on each teaches the same, and none holds the later ones back.
TEST_F(FirstClass, IsLearnedOnAllProcessors) {
    constexpr std::size_t count = 10'000;
    const std::uint64_t held = held_by(
        count, count,
        [](things& what) {
            const locals<300> mine;
            static_cast<void>(what.a.recv());
        },
        8);
    EXPECT_LE(held, count * 2 * kib + 8 * slack);
}

TEST_F(FirstClass, IsTwoForThoseThatJoin) {
    std::uint64_t held = 0;
    constexpr std::size_t count = 500;
    weft::run(
        [&] {
            std::vector<join_handle<void>> targets;
            std::size_t asleep = 0;
            for (std::size_t i = 0; i != count; ++i) {
                targets.push_back(spawn([&] {
                    ++asleep;
                    sleep_for(1h);
                }));
            }
            while (asleep != count) yield();
            yield();
            const std::uint64_t before = bytes_held();
            scope s;
            std::size_t started = 0;
            for (std::size_t i = 0; i != count; ++i) {
                s.go([&, i] {
                    const locals<300> mine;
                    ++started;
                    targets[i].join();
                });
            }
            while (started != count) yield();
            yield();
            held = bytes_held() - before;
            end(s);
            for (auto& t : targets) {
                t.request_stop();
                t.detach();
            }
        },
        {.processors = 1});
    EXPECT_LE(held, count * 2 * kib + slack);
}

// They go deep for a moment, all of them, and wait with next to nothing.
TEST_F(FirstClass, IsAKibibyteForThoseThatGoDeeperStill) {
    expect_each_to_hold(
        1 * kib,
        [](things& what) {
            touch_deeper(8'192);
            static_cast<void>(what.a.recv());
        },
        "deep before");
}

// One in ten goes a little deeper, the others never.
TEST_F(FirstClass, IsAtMostTwoWhereOnlySomeNeedIt) {
    std::size_t n = 0;
    expect_each_to_hold(
        2 * kib,
        [&n](things& what) {
            if (n++ % 10 == 0) {
                const locals<300> mine;
                static_cast<void>(what.a.recv());
            } else {
                static_cast<void>(what.a.recv());
            }
        },
        "one in ten");
}

// A stack that is handed on from one that has ended is the right one too.
TEST_F(FirstClass, HoldsWhereTypesFollowEachOther) {
    std::size_t n = 0;
    const std::uint64_t held = held_by(1, 601, [&n](things& what) {
        scope s;
        for (int i = 0; i != 300; ++i) {
            s.go([&n] { ++n; });  // Ends at once, on a small one.
            s.go([&] {
                const locals<300> mine;
                static_cast<void>(what.a.recv());
            });
            s.go([&] { static_cast<void>(what.b.recv()); });
        }
        try {
            s.join();
        } catch (const cancelled&) {}
    });
    EXPECT_EQ(n, 300u);
    EXPECT_LE(held, 300 * (2 + 1) * kib + slack);
}

TEST_F(FirstClass, AsAskedForIsNeverSmaller) {
    weft::run([] {
        spawn({.stack_size = 16 * kib}, [] {
            EXPECT_EQ(newest_segment().size(), 16 * kib);
        }).join();
        spawn({.stack_size = 2 * kib}, [] { EXPECT_GE(newest_segment().size(), 2 * kib); }).join();
    });
}

}  // namespace
}  // namespace weft::test
