// Edge *claim*: a claimed coroutine never runs while it is held, and is never lost.
//
// Coroutines in rings park and are made ready all the time, while claimers walk over them and hold whom they
// get. A coroutine counts whenever it runs; while it is held its count must stand still. That every ring comes
// to its end shows that nobody was lost. (ThreadSanitizer can't judge the edge *parked*: it sees the
// store of `parked` on the stack of whoever runs next. So the count is atomic.)
#include "base/random.hpp"
#include "base/stress.hpp"
#include "os/fence.hpp"
#include "sched/claim.hpp"
#include "sched/machine.hpp"
#include "sched/token_box.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <latch>
#include <string>
#include <thread>
#include <vector>

namespace weft::detail {
namespace {

struct member {
    token_box box;
    token_box end;
    std::atomic<coroutine*> self{nullptr};
    std::atomic<unsigned> holders{0};
    alignas(64) std::atomic<std::uint64_t> steps{0};

    void count() noexcept {
        steps.store(steps.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
};

class ClaimStress : public ::testing::TestWithParam<unsigned> {
protected:
    static constexpr std::size_t ring = 8;

    // Nobody ends while there are claimers: a descriptor must not serve another coroutine meanwhile.
    void go_round(std::size_t i, std::uint64_t rounds) {
        member& me = members[i];
        member& next = members[i / ring * ring + (i + 1) % ring];
        me.self.store(this_coroutine());
        for (std::uint64_t n = 0; n != rounds; ++n) {
            me.box.take();
            me.count();
            next.box.give();
            me.count();
        }
        arrived.count_down();
        me.end.take();
    }

    // Claims at random until told to stop, among the first `among`; several at once, behind one fence, as a trimmer would.
    void claim(std::uint64_t seed, std::size_t among) {
        struct one {
            member* of;
            coroutine* c;
        };
        random_source random(seed);
        const claimer me;
        std::vector<one> asked;
        while (!over.load(std::memory_order_relaxed)) {
            asked.clear();
            for (std::uint32_t n = 1 + random.below(4); n != 0; --n) {
                member& m = members[random.below(static_cast<std::uint32_t>(among))];
                coroutine* const c = m.self.load();
                if (c != nullptr && me.request(*c)) asked.push_back({&m, c});
            }
            heavy_fence();
            for (const auto& [m, c] : asked) {
                // Others may ask, run it, and ask again between the fence and this.
                for (std::uint32_t n = random.below(50); n != 0; --n) {
                    std::atomic_signal_fence(std::memory_order_seq_cst);
                }
                if (!me.confirm(*c)) continue;
                if (m->holders.fetch_add(1) != 0) shared.fetch_add(1);
                const std::uint64_t before = m->steps.load();
                for (std::uint32_t n = random.below(200); n != 0; --n) {
                    std::atomic_signal_fence(std::memory_order_seq_cst);
                }
                if (random.below(16) == 0) std::this_thread::yield();
                if (m->steps.load() != before) moved.fetch_add(1);
                held.fetch_add(1, std::memory_order_relaxed);
                m->holders.fetch_sub(1);
                me.release(*c);
            }
            if (asked.empty()) std::this_thread::yield();
        }
    }

    // Rings go round while `claimers` claim the members of the first `among`.
    void claim_meanwhile(std::uint64_t claimers, std::size_t among) {
        const std::uint64_t seed = stress_seed();
        const std::uint64_t rounds = stress_rounds(200'000);
        const test::watchdog dog(stress_seconds());
        std::vector<std::thread> threads;
        {
            runtime up({.processors = GetParam()});
            for (std::size_t i = 0; i != members.size(); ++i) {
                static_cast<void>(up.submit([this, i, rounds] { go_round(i, rounds); }));
            }
            for (std::size_t i = 0; i != members.size(); i += 4) members[i].box.give();
            for (std::uint64_t n = 0; n != claimers; ++n) {
                threads.emplace_back([this, seed, n, among] { claim(seed + n, among); });
            }
            arrived.wait();
            over.store(true);
            for (auto& thread : threads) thread.join();
            for (member& m : members) m.end.give();
        }
        EXPECT_EQ(moved.load(), 0u) << "ran while it was held";
        EXPECT_EQ(shared.load(), 0u) << "two held it";
        EXPECT_GT(held.load(), 0u) << "nobody was ever held; the test showed nothing";
    }

    std::vector<member> members{2 * ring};
    std::latch arrived{2 * ring};
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> held{0};
    std::atomic<std::uint64_t> moved{0};
    std::atomic<std::uint64_t> shared{0};
};

TEST_P(ClaimStress, AClaimedCoroutineStandsStillAndIsNeverLost) {
    claim_meanwhile(2, members.size());
}

// A trimmer, a dump and another dump, say.
TEST_P(ClaimStress, SeveralWhoWantTheSameOneDoNotTakeEachOthersRequests) { claim_meanwhile(4, 1); }

INSTANTIATE_TEST_SUITE_P(Processors, ClaimStress, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

TEST(Claim, ACoroutineThatRunsIsNotClaimed) {
    run([] {
        coroutine& self = *this_coroutine();
        EXPECT_FALSE(claimer().request(self));
        EXPECT_EQ(self.claim.load(), 0);
    });
}

TEST(Claim, OneThatParksIsClaimedOnceAndQueuedAgainAfterIt) {
    run(
        [] {
            member m;
            std::atomic<bool> ran{false};
            scope children;
            children.go([&] {
                m.self.store(this_coroutine());
                m.box.take();
                ran = true;
            });
            while (m.self.load() == nullptr || m.self.load()->state.load() != co_state::parked)
                yield();
            coroutine& c = *m.self.load();

            const claimer me;
            const claimer another;
            ASSERT_TRUE(me.request(c));
            EXPECT_FALSE(another.request(c)) << "somebody is claiming it already";
            heavy_fence();
            EXPECT_FALSE(another.confirm(c)) << "it is not the one who asked";
            ASSERT_TRUE(me.confirm(c));
            m.box.give();
            for (int i = 0; i != 10; ++i) yield();
            EXPECT_FALSE(ran.load());
            EXPECT_EQ(state_of_claim(c.claim.load()), claim_state::held_ready)
                << "its switch found the claim";
            me.release(c);
            children.join();
            EXPECT_TRUE(ran.load());
        },
        {.processors = 1});
}

TEST(Claim, ARequestIsSettledByWhoSwitchesIn) {
    run(
        [] {
            member m;
            scope children;
            children.go([&] {
                m.self.store(this_coroutine());
                m.box.take();
                m.end.take();
            });
            while (m.self.load() == nullptr || m.self.load()->state.load() != co_state::parked)
                yield();
            coroutine& c = *m.self.load();

            const claimer me;
            ASSERT_TRUE(me.request(c));
            m.box.give();
            while (m.steps.load() == 0 && c.claim.load() != 0) yield();
            EXPECT_FALSE(me.confirm(c)) << "it has run meanwhile";
            EXPECT_EQ(c.claim.load(), 0);
            m.end.give();
            children.join();
        },
        {.processors = 1});
}

}  // namespace
}  // namespace weft::detail
