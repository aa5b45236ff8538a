// Next slot, inbox and global queue under contention: each coroutine comes out once, with what its pusher wrote
// to it. (Plain memory, and no other edge between the threads: ThreadSanitizer judges *publish* and *deliver*.)
#include "base/random.hpp"
#include "base/stress.hpp"
#include "sched/global_queue.hpp"
#include "sched/inbox.hpp"
#include "sched/next_slot.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

std::uint64_t& label_of(coroutine& c) { return *reinterpret_cast<std::uint64_t*>(c.frame.data()); }

void expect_each_once(const std::vector<std::vector<std::uint64_t>>& seen, std::size_t count) {
    std::vector<int> times(count);
    for (const auto& labels : seen) {
        for (const std::uint64_t label : labels) {
            ASSERT_LT(label, count);
            ++times[label];
        }
    }
    for (std::size_t i = 0; i != count; ++i) ASSERT_EQ(times[i], 1) << "coroutine " << i;
}

class QueuesStress : public ::testing::Test {
protected:
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog{stress_seconds()};
};

TEST_F(QueuesStress, WhatIsPutInTheNextSlotIsTakenKickedOutOrStolenOnce) {
    std::vector<coroutine> all(stress_rounds(500'000));
    constexpr std::size_t thieves = 2;
    std::vector<std::vector<std::uint64_t>> seen(thieves + 1);
    bias owner_bias(true);
    next_slot slot;
    std::atomic<bool> over{false};

    std::vector<std::thread> threads;
    for (std::size_t t = 1; t <= thieves; ++t) {
        threads.emplace_back([&, t] {
            while (!over.load(std::memory_order_relaxed)) {
                coroutine* const c = slot.peek();
                if (c != nullptr && slot.steal(c)) seen[t].push_back(label_of(*c));
            }
        });
    }
    random_source random(seed);
    for (std::size_t i = 0; i != all.size(); ++i) {
        label_of(all[i]) = i;
        if (coroutine* const kicked = slot.put(&all[i], owner_bias))
            seen[0].push_back(label_of(*kicked));
        if (random.below(3) != 0) continue;
        if (coroutine* const taken = slot.take(owner_bias)) seen[0].push_back(label_of(*taken));
        if (random.below(64) == 0) std::this_thread::yield();
    }
    over.store(true, std::memory_order_relaxed);
    for (auto& thread : threads) thread.join();
    if (coroutine* const last = slot.take(owner_bias)) seen[0].push_back(label_of(*last));
    expect_each_once(seen, all.size());
}

TEST_F(QueuesStress, TheInboxDeliversEachOnceAndThoseOfOneSenderInOrder) {
    constexpr std::size_t senders = 3;
    constexpr std::size_t takers = 2;
    const std::size_t each = stress_rounds(200'000);
    std::vector<coroutine> all(senders * each);
    std::vector<std::vector<std::uint64_t>> seen(takers + 1);
    inbox box;
    std::atomic<std::size_t> sending{senders};

    std::vector<std::thread> threads;
    for (std::size_t s = 0; s != senders; ++s) {
        threads.emplace_back([&, s] {
            for (std::size_t i = s * each; i != (s + 1) * each; ++i) {
                label_of(all[i]) = i;
                box.push(all[i]);
                if (i % 256 == 0) std::this_thread::yield();
            }
            sending.fetch_sub(1, std::memory_order_relaxed);
        });
    }
    const auto take = [&](std::vector<std::uint64_t>& into) {
        std::array<std::uint64_t, senders> last{};
        for (coroutine* c = box.take_all(); c != nullptr;) {
            coroutine* const rest = c->link;
            const std::uint64_t label = label_of(*c);
            into.push_back(label);
            if (label < all.size()) {
                EXPECT_GE(label, last[label / each]) << "overtook within one batch";
                last[label / each] = label;
            }
            c = rest;
        }
    };
    for (std::size_t t = 0; t != takers; ++t) {
        threads.emplace_back([&, t] {
            while (sending.load(std::memory_order_relaxed) != 0) take(seen[t]);
        });
    }
    for (auto& thread : threads) thread.join();
    take(seen[takers]);
    expect_each_once(seen, all.size());
}

TEST_F(QueuesStress, TheGlobalQueueHandsOutEachOnce) {
    constexpr std::size_t pushers = 2;
    constexpr std::size_t takers = 2;
    const std::size_t each = stress_rounds(100'000);
    std::vector<coroutine> all(pushers * each);
    std::vector<std::vector<std::uint64_t>> seen(takers + 1);
    global_queue queue;
    std::atomic<std::size_t> pushing{pushers};

    std::vector<std::thread> threads;
    for (std::size_t p = 0; p != pushers; ++p) {
        threads.emplace_back([&, p] {
            random_source random(seed + p);
            for (std::size_t i = p * each; i != (p + 1) * each;) {
                std::array<coroutine*, 8> batch;
                std::size_t n = 0;
                for (std::uint32_t most = 1 + random.below(8); n != most && i != (p + 1) * each;
                     ++i) {
                    label_of(all[i]) = i;
                    if (random.below(2) == 0) all[i].state.store(co_state::runnable);
                    batch[n++] = &all[i];
                }
                const std::span<coroutine* const> some(batch.data(), n);
                const std::uint64_t turn = i / 1000;
                switch (random.below(4)) {
                case 0:
                    queue.push_arrivals(some);
                    break;
                case 1:
                    for (coroutine* const c : some) queue.push_expired(*c, turn);
                    break;
                default:
                    queue.spill(some, turn);
                }
            }
            pushing.fetch_sub(1, std::memory_order_relaxed);
        });
    }
    const auto take = [&](std::vector<std::uint64_t>& into) {
        std::array<coroutine*, 6> batch;
        const std::uint64_t turn = into.size() / 100;
        std::size_t n = 0;
        switch (into.size() % 5) {
        case 0:
            n = queue.take_fairly(batch, takers);
            break;
        case 1:
            n = queue.take_arrivals(batch, takers);
            break;
        case 2:
            batch[0] = queue.take_overdue(turn);
            n = batch[0] != nullptr ? 1 : 0;
            break;
        case 3:
            batch[0] = queue.take_expired();
            n = batch[0] != nullptr ? 1 : 0;
            break;
        default:
            n = queue.take(batch, takers, turn);
        }
        for (std::size_t i = 0; i != n; ++i) into.push_back(label_of(*batch[i]));
        return n;
    };
    for (std::size_t t = 0; t != takers; ++t) {
        threads.emplace_back([&, t] {
            while (pushing.load(std::memory_order_relaxed) != 0) take(seen[t]);
        });
    }
    for (auto& thread : threads) thread.join();
    // An empty kind does not end it, and the kinds come by turns of what was seen, so each is asked for.
    std::array<coroutine*, 1> last;
    while (!queue.empty()) {
        if (queue.take_arrivals(last, 1) != 0 || queue.take(last, 1, 0) != 0) {
            seen[takers].push_back(label_of(*last[0]));
        } else if (coroutine* const c = queue.take_expired()) {
            seen[takers].push_back(label_of(*c));
        }
    }
    queue.release();
    expect_each_once(seen, all.size());
}

}  // namespace
}  // namespace weft::detail
