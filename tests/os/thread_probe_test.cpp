// What can be seen of another thread.
#include "os/mutex_owner.hpp"
#include "os/thread_probe.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <semaphore>
#include <thread>

namespace weft::detail {
namespace {

// A thread that does as it is told, and its number.
class ThreadProbe : public ::testing::Test {
protected:
    void start(bool computes) {
        thread = std::thread([this, computes] {
            id = this_thread_id();
            if (computes) {
                while (!stop.load(std::memory_order_relaxed)) {}
            } else {
                wait.acquire();
            }
        });
        while (id == 0) std::this_thread::yield();
    }
    void TearDown() override {
        stop = true;
        wait.release();
        if (thread.joinable()) thread.join();
    }

    std::atomic<int> id{0};
    std::atomic<bool> stop{false};
    std::binary_semaphore wait{0};
    std::thread thread;
    thread_probe probe;
};

TEST_F(ThreadProbe, OneThatWaitsSleeps) {
    start(false);
    while (probe.state(id) != thread_state::sleeping) std::this_thread::yield();
    std::array<char, 64> buffer;
    // Empty where the kernel does not say.
    EXPECT_LE(thread_probe::wait_channel(id, buffer).size(), buffer.size());
}

TEST_F(ThreadProbe, OneThatComputesRunsAndItsClockGoesOn) {
    start(true);
    EXPECT_EQ(probe.state(id), thread_state::running);
    const std::int64_t before = thread_probe::cpu_ns(id);
    ASSERT_GE(before, 0);
    while (thread_probe::cpu_ns(id) == before) std::this_thread::yield();
}

TEST_F(ThreadProbe, OneThatIsNotThereIsUnknown) {
    constexpr int nobody = 0x3fffff0;  // Above what the kernel gives out.
    EXPECT_EQ(probe.state(nobody), thread_state::unknown);
    EXPECT_EQ(thread_probe::cpu_ns(nobody), -1);
    std::array<char, 64> buffer;
    EXPECT_TRUE(thread_probe::wait_channel(nobody, buffer).empty());
}

TEST_F(ThreadProbe, OneThatWaitsForAMutexTellsItsOwner) {
    if (!std::ifstream("/proc/self/syscall")) GTEST_SKIP() << "this kernel does not say";
    std::mutex held;
    const std::lock_guard hold(held);
    thread = std::thread([&] {
        id = this_thread_id();
        const std::lock_guard too_late(held);
    });
    while (id == 0) std::this_thread::yield();
    thread_probe::place place;
    while (probe.state(id) != thread_state::sleeping || place.futex == 0) {
        place = thread_probe::waits_at(id);
        if (place.sp == 0) std::this_thread::yield();
    }
    EXPECT_EQ(place.futex, reinterpret_cast<std::uintptr_t>(&held));
    EXPECT_EQ(owner_of_mutex(place.futex), this_thread_id());
    held.unlock();
    thread.join();
    held.lock();
}

TEST_F(ThreadProbe, WhatIsNoMutexHasNoOwner) {
    std::mutex idle;
    const std::array<int, 16> words{2, 1, 0x3fffff0, 1};
    EXPECT_EQ(owner_of_mutex(0), 0);
    EXPECT_EQ(owner_of_mutex(reinterpret_cast<std::uintptr_t>(&idle)), 0);
    EXPECT_EQ(owner_of_mutex(reinterpret_cast<std::uintptr_t>(words.data())), 0);
    EXPECT_EQ(owner_of_mutex(8), 0);
}

TEST_F(ThreadProbe, OneProbeLooksAtSeveralThreadsInTurn) {
    start(true);
    EXPECT_EQ(probe.state(id), thread_state::running);
    EXPECT_EQ(probe.state(this_thread_id()), thread_state::running);
    EXPECT_EQ(probe.state(id), thread_state::running);
}

}  // namespace
}  // namespace weft::detail
