// What the kernel does for us: pages, sleeping on a word, threads, locks in their order.
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/memory.hpp"
#include "os/ranked_lock.hpp"
#include "os/thread.hpp"

#include "base/config.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

namespace weft::detail {
namespace {

class Pages : public ::testing::Test {
protected:
    static constexpr std::size_t size = 16 * page_size;

    void reserve(std::size_t align = page_size) {
        base = static_cast<std::byte*>(reserve_pages(size, align, "test"));
        ASSERT_NE(base, nullptr);
    }
    ~Pages() override {
        if (base != nullptr) release_pages(base, size);
    }
    std::byte* base = nullptr;
};

TEST_F(Pages, AreZeroAndWritable) {
    reserve();
    for (std::size_t i = 0; i < size; i += page_size) {
        EXPECT_EQ(base[i], std::byte{0});
        base[i] = std::byte{1};
    }
}

TEST_F(Pages, LieWhereTheAlignmentSays) {
    reserve(std::size_t{1} << 20);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(base) % (std::size_t{1} << 20), 0u);
    base[0] = base[size - 1] = std::byte{1};
}

TEST_F(Pages, ReadZeroAfterADiscardAndTheirNeighboursDoNot) {
    reserve();
    std::memset(base, 7, size);
    discard_pages(base + page_size, 2 * page_size);
    EXPECT_EQ(base[page_size - 1], std::byte{7});
    EXPECT_EQ(base[page_size], std::byte{0});
    EXPECT_EQ(base[3 * page_size - 1], std::byte{0});
    EXPECT_EQ(base[3 * page_size], std::byte{7});
}

TEST_F(Pages, CanBeFoundByNameInTheListOfMappings) {
    reserve();
    std::ifstream maps("/proc/self/maps");
    std::string all((std::istreambuf_iterator<char>(maps)), {});
    if (all.find("[anon:") == std::string::npos) GTEST_SKIP() << "the kernel names no mappings";
    EXPECT_NE(all.find("weft:test"), std::string::npos);
}

using PagesDeathTest = Pages;

TEST_F(PagesDeathTest, GuardedOnesFaultAndTheirNeighboursDoNot) {
    reserve();
    if (!guard_pages(base + page_size, page_size)) GTEST_SKIP() << "the kernel has no light guards";
    base[0] = base[2 * page_size] = std::byte{1};
    EXPECT_DEATH(*const_cast<volatile std::byte*>(base + page_size) = std::byte{1}, "");
    EXPECT_DEATH(*const_cast<volatile std::byte*>(base + 2 * page_size - 1) = std::byte{1}, "");
}

TEST_F(PagesDeathTest, GuardsSurviveADiscard) {
    reserve();
    if (!guard_pages(base, page_size)) GTEST_SKIP() << "the kernel has no light guards";
    discard_pages(base, size);
    EXPECT_DEATH(*const_cast<volatile std::byte*>(base) = std::byte{1}, "");
}

TEST(Clock, GoesOn) {
    const std::int64_t before = monotonic_ns();
    EXPECT_GT(before, 0);
    while (monotonic_ns() == before) {}
    EXPECT_GT(monotonic_ns(), before);
}

TEST(Futex, ReturnsAtOnceWhenTheWordIsAnother) {
    std::atomic<std::uint32_t> word{1};
    EXPECT_TRUE(futex_wait(word, 0, never));
    EXPECT_TRUE(futex_wait(word, 0, monotonic_ns() + 1'000'000'000));
}

TEST(Futex, TimesOutAndNeverEarly) {
    std::atomic<std::uint32_t> word{0};
    for (const std::int64_t duration : {0, 1'000, 100'000, 3'000'000}) {
        const std::int64_t deadline = monotonic_ns() + duration;
        while (futex_wait(word, 0, deadline)) {}  // True: for no reason.
        EXPECT_GE(monotonic_ns(), deadline);
    }
}

TEST(Futex, ADeadlineInThePastHasPassed) {
    std::atomic<std::uint32_t> word{0};
    EXPECT_FALSE(futex_wait(word, 0, 1));
    EXPECT_FALSE(futex_wait(word, 0, -1));
}

TEST(Futex, AWakeEndsTheSleepOfWhoSleepsOnTheWord) {
    const test::watchdog dog(60);
    std::atomic<std::uint32_t> word{0};
    std::thread sleeper([&] {
        while (word.load() == 0) futex_wait(word, 0, never);
    });
    word.store(1);
    futex_wake(word);
    sleeper.join();
}

TEST(Threads, RunWithTheirNameAndAreCounted) {
    static std::atomic<std::uint32_t> step{0};
    step.store(0);
    thread_handle handle{};
    ASSERT_FALSE(start_thread(
        handle,
        [](void*) -> void* {
            name_this_thread("weft-test");
            step.store(1);
            while (step.load() != 2) std::this_thread::yield();
            return nullptr;
        },
        nullptr));
    while (step.load() != 1) std::this_thread::yield();
    EXPECT_GE(count_threads(), 2u);
    step.store(2);
    join_thread(handle);
}

TEST(Threads, KnowTheBoundsOfTheirStack) {
    const stack_bounds bounds = this_thread_stack();
    const auto* const here = static_cast<const char*>(__builtin_frame_address(0));
    const auto* const bottom = static_cast<const char*>(bounds.bottom);
    EXPECT_GE(here, bottom);
    EXPECT_LT(here, bottom + bounds.size);
}

TEST(RankedLockDeathTest, TakingOneOfALowerRankDies) {
    if constexpr (!assertions) GTEST_SKIP() << "needs WEFT_ASSERTIONS";
    ranked_lock low(lock_rank::timers);
    ranked_lock high(lock_rank::pool);
    {
        const std::lock_guard first(low);
        const std::lock_guard second(high);
    }
    {
        const std::lock_guard again(low);  // What was released counts no more.
    }
    EXPECT_DEATH(
        {
            high.lock();
            low.lock();
        },
        "rising order of rank");
}

TEST(RankedLockDeathTest, TakingTwoOfOneRankDies) {
    if constexpr (!assertions) GTEST_SKIP() << "needs WEFT_ASSERTIONS";
    ranked_lock one(lock_rank::idle);
    ranked_lock other(lock_rank::idle);
    EXPECT_DEATH(
        {
            one.lock();
            other.lock();
        },
        "rising order of rank");
}

}  // namespace
}  // namespace weft::detail
