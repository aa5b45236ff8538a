// What a coroutine that waits for long gives back.
#include "support/build.hpp"
#include "support/resident.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

// How many pages of the `bytes` below `top` the process has in memory.
std::size_t resident_below(std::uintptr_t top, std::size_t bytes) {
    constexpr std::uintptr_t page = 4096;
    const std::uintptr_t end = top & ~(page - 1);
    std::vector<unsigned char> pages(bytes / page);
    if (::mincore(reinterpret_cast<void*>(end - bytes), bytes, pages.data()) != 0) return 0;
    std::size_t count = 0;
    for (const unsigned char in : pages) count += in & 1u;
    return count;
}

[[gnu::noinline]] void touch(std::size_t bytes) {
    auto* const deep = static_cast<volatile char*>(__builtin_alloca(bytes));
    for (std::size_t i = 0; i < bytes; i += 1024) deep[i] = 1;
}

class Trim : public plain_runtime {};

TEST_F(Trim, ThePagesBelowALongParkedCoroutineGoBack) {
    if (split_stacks) GTEST_SKIP() << "what was deep is given back when it returns";
    constexpr std::size_t deep = 64 * 1024;
    run(
        [] {
            std::atomic<std::uintptr_t> frame{0};
            auto sleeper = spawn([&] {
                char here = 0;
                touch(deep);
                frame = reinterpret_cast<std::uintptr_t>(&here);
                sleep_for(1h);
                return here;
            });
            wait_until([&] { return frame != 0; });
            EXPECT_GE(resident_below(frame - 4096, deep / 2), deep / 2 / 4096 - 1);
            while (stats().trimmed_bytes == 0) sleep_for(10ms);
            // Its own frames, and those of the sleep, are a page or two.
            while (resident_below(frame - 8192, deep / 2) != 0) sleep_for(10ms);
            sleeper.request_stop();
            EXPECT_THROW(sleeper.join(), coroutine_cancelled);
        },
        {.processors = 2});
}

TEST_F(Trim, WhatIsAboveStaysAsItWas) {
    if (split_stacks) GTEST_SKIP() << "what was deep is given back when it returns";
    run(
        [] {
            std::atomic<bool> stop{false};
            scope s;
            for (int i = 0; i != 50; ++i) {
                s.go([&, i] {
                    volatile int mine[100];
                    for (int k = 0; k != 100; ++k) mine[k] = i * k;
                    touch(32 * 1024);
                    // Parked for longer than a look takes, again and again.
                    while (!stop) sleep_for(2500ms);
                    for (int k = 0; k != 100; ++k) ASSERT_EQ(mine[k], i * k);
                });
            }
            while (stats().trimmed_bytes < 50 * 4096) sleep_for(50ms);
            stop = true;
            s.join();
        },
        {.processors = 2});
}

// Descriptors, stacks, and page tables where the kernel takes those back.
TEST_F(Trim, WhatASpikeOfCoroutinesTookGoesBack) {
    if (thread_sanitizer || address_sanitizer) {
        GTEST_SKIP() << "a sanitizer keeps memory of its own";
    }
    constexpr int count = 30'000;
    constexpr std::size_t tolerance = std::size_t{4} << 20;
    static_assert(count * 192 > tolerance + (std::size_t{1} << 20), "descriptors alone show");
    const bool tables = kernel_takes_page_tables_back();
    run(
        [tables] {
            const auto held = [tables] {
                return resident_bytes() + (tables ? page_table_bytes() : 0);
            };
            const auto spike = [&held] {
                chan<int> end;
                std::atomic<int> parked{0};
                scope s;
                for (int i = 0; i != count; ++i) {
                    s.go([&] {
                        ++parked;
                        static_cast<void>(end.recv());
                    });
                }
                wait_until([&] { return parked == count; });
                const std::size_t most = held();
                end.close();
                s.join();
                return most;
            };
            const std::size_t left = held() + tolerance;
            EXPECT_GT(spike(), left) << "the test shows nothing";
            while (held() > left) sleep_for(50ms);
            spike();  // All of it serves again.
        },
        {.processors = 2});
}

}  // namespace
}  // namespace weft::test
