// The run queue under contention: whatever the interleaving, each coroutine pushed comes out exactly
// once, with what its pusher wrote to it.
//
// One owner pushes, pops and spills while thieves steal from it and from each other. No thread
// records anything another can see until all are joined, so the queue's own orderings are the only
// ones between them: under ThreadSanitizer a missing *publish* edge is a reported race on the frame.
// (A missing *vacate* edge is invisible to it, slots being atomic; that takes a model checker.)
//
// A biased queue's thieves revoke the bias before they first steal from it, while the owner pops: a plain pop
// that overlaps a claim shows as a coroutine that comes out twice. There the runs are short and many.
#include "sched/run_queue.hpp"

#include "base/random.hpp"
#include "base/stress.hpp"
#include "sched/coroutine.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <tuple>
#include <vector>

namespace weft::detail {
namespace {

constexpr std::uint32_t capacity = run_queue::capacity;

// What the pusher writes: plain memory, for ThreadSanitizer to judge.
std::uint64_t& label_of(coroutine& c) { return *reinterpret_cast<std::uint64_t*>(c.frame.data()); }

struct worker {
    explicit worker(bool shared) : owner_bias(shared) {}

    bias owner_bias;
    run_queue queue{owner_bias};
    std::vector<std::uint64_t> seen;  // Touched by this worker alone until it is joined.

    void run_one(coroutine& c) { seen.push_back(label_of(c)); }
};

class RunQueueStress : public ::testing::TestWithParam<std::tuple<int, bool>> {
protected:
    void start_over(std::size_t thieves, bool shared) {
        workers.clear();
        for (std::size_t i = 0; i != thieves + 1; ++i) {
            workers.push_back(std::make_unique<worker>(shared));
        }
        waited_for.store(workers.size());
        producing.store(true);
    }

    void await_all() {
        waited_for.fetch_sub(1);
        while (waited_for.load() != 0) std::this_thread::yield();
    }

    // Pushes every coroutine once, in bursts that overshoot the queue now and then.
    void produce(std::uint64_t round_seed) {
        random_source random(round_seed);
        worker& self = *workers.front();
        std::array<coroutine*, run_queue::half> spilled;

        await_all();
        for (std::uint64_t next = 0; next != coroutines.size();) {
            const std::uint64_t burst = 1 + random.below(2 * capacity);
            for (std::uint64_t i = 0; i != burst && next != coroutines.size(); ++i, ++next) {
                label_of(coroutines[next]) = next;
                while (!self.queue.push(coroutines[next])) {
                    const std::size_t n = self.queue.spill(spilled);
                    for (std::size_t s = 0; s != n; ++s) self.run_one(*spilled[s]);
                }
            }
            for (std::uint64_t pops = random.below(capacity); pops != 0; --pops) {
                if (coroutine* const c = self.queue.pop()) self.run_one(*c);
            }
            if (random.below(4) == 0)
                std::this_thread::yield();  // Let the thieves in, on one core too.
        }
        producing.store(false, std::memory_order_relaxed);
    }

    void steal(std::size_t index, std::uint64_t round_seed) {
        random_source random(round_seed + index);
        worker& self = *workers[index];
        std::vector<bool> revoked(workers.size(), std::get<1>(GetParam()));

        await_all();
        while (producing.load(std::memory_order_relaxed)) {
            const std::size_t victim = random.below(static_cast<std::uint32_t>(workers.size()));
            if (victim != index && !revoked[victim]) {
                for (auto pause = random.below(2000); pause != 0; --pause) {
                    std::atomic_signal_fence(std::memory_order_seq_cst);
                }
                workers[victim]->owner_bias.revoke();
                revoked[victim] = true;
            }
            if (victim == index || self.queue.steal_from(workers[victim]->queue) == 0) {
                std::this_thread::yield();
            }
            // Leave some behind, so that thieves have something to take from thieves.
            for (std::uint64_t pops = random.below(capacity / 2); pops != 0; --pops) {
                if (coroutine* const c = self.queue.pop()) self.run_one(*c);
            }
        }
    }

    void run_round(std::uint64_t round_seed) {
        std::vector<std::thread> threads;
        threads.emplace_back([this, round_seed] { produce(round_seed); });
        for (std::size_t i = 1; i != workers.size(); ++i) {
            threads.emplace_back([this, i, round_seed] { steal(i, round_seed); });
        }
        for (auto& thread : threads) thread.join();
        for (auto& w : workers) {
            while (coroutine* const c = w->queue.pop()) w->run_one(*c);
            ASSERT_TRUE(w->queue.empty());
        }
    }

    // Also returns how many went through a thief.
    void check_each_once(std::uint64_t& stolen) {
        std::vector<int> times(coroutines.size());
        for (const auto& w : workers) {
            for (const std::uint64_t label : w->seen) {
                ASSERT_LT(label, times.size());
                ++times[label];
            }
            if (w != workers.front()) stolen += w->seen.size();
        }
        for (std::size_t i = 0; i != times.size(); ++i) ASSERT_EQ(times[i], 1) << "coroutine " << i;
    }

    std::vector<coroutine> coroutines;
    std::vector<std::unique_ptr<worker>> workers;  // The owner first, then the thieves.
    std::atomic<std::size_t> waited_for{0};
    std::atomic<bool> producing{true};
};

TEST_P(RunQueueStress, EachCoroutineComesOutExactlyOnce) {
    const std::uint64_t seed = stress_seed();
    const test::watchdog dog(stress_seconds());
    const auto [thieves, shared] = GetParam();
    const std::uint64_t rounds = shared ? 1 : stress_rounds(600);
    coroutines = std::vector<coroutine>(shared ? stress_rounds(2'000'000) : 2'000);

    std::uint64_t stolen = 0;
    for (std::uint64_t round = 0; round != rounds; ++round) {
        start_over(static_cast<std::size_t>(thieves), shared);
        run_round(seed + round);
        check_each_once(stolen);
        if (HasFatalFailure()) return;
    }
    EXPECT_GT(stolen, 0u) << "the thieves never ran; the test showed nothing";
}

INSTANTIATE_TEST_SUITE_P(Thieves, RunQueueStress,
                         ::testing::Combine(::testing::Values(1, 3, 7), ::testing::Bool()),
                         [](const auto& one) {
                             return (std::get<1>(one.param) ? "Shared" : "Biased") +
                                    std::to_string(std::get<0>(one.param));
                         });

}  // namespace
}  // namespace weft::detail
