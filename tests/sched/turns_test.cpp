// The bound table of docs/design/scheduler.md, row by row and for random programs, over virtual time.
#include "sched/turns_model.hpp"

#include "support/build.hpp"
#include "support/stress.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

namespace weft::detail::model {
namespace {

script hog(ns compute, bool polite = true, bool loops = false) {
    script s;
    s.steps = {{compute, act::end}};
    s.polite = polite;
    s.loops = loops;
    return s;
}

// Started in order, a nanosecond apart, by a thread without a processor.
void start_all(machine_room& room, ns when = 0) {
    for (std::size_t i = 0; i != room.count(); ++i)
        room.start_at(when + static_cast<ns>(i), static_cast<int>(i));
}

// A coroutine that starts `n` short ones at `when`.
script starter(ns when, int n, ns each) {
    script s;
    s.steps = {{us, act::sleep, when}, {us, act::end}};
    s.steps[1].spawns = n;
    s.steps[1].spawn_compute = each;
    return s;
}

ns last_first_run(machine_room& room, std::size_t from) {
    ns last = 0;
    for (std::size_t i = from; i != room.count(); ++i) {
        const ns at = room[static_cast<int>(i)].first_run;
        EXPECT_GE(at, 0) << i << " has not run";
        last = std::max(last, at);
    }
    return last;
}

class Turns : public ::testing::TestWithParam<unsigned> {
protected:
    void SetUp() override {
        if (GetParam() > 8 && weft::test::slowdown != 1) GTEST_SKIP() << "64 take minutes here";
    }
};

TEST_P(Turns, AnArrivalWaitsForHalfAMillisecondBesideThoseWhoCompute) {
    machine_room room(GetParam());
    for (unsigned i = 0; i != 2 * GetParam(); ++i) room.add(hog(10 * slice));
    start_all(room);
    script caller;
    caller.steps = {{us, act::blocking, ms}};
    caller.repeats = true;
    const int c = room.add(std::move(caller));
    room.start_at(50 * us, c);
    room.run_until(8 * slice);
    EXPECT_EQ(room.broken(), "");
    // A call of 1 ms, and half a millisecond until somebody makes room.
    EXPECT_GE(room[c].ran, 80 * ms / (1600 * us) * us);
}

TEST_P(Turns, ShortOnesStartedBesideHogsRunWithinTheirBound) {
    machine_room room(GetParam());
    for (unsigned i = 0; i != 2 * GetParam(); ++i) room.add(hog(100 * slice));
    const int s = room.add(starter(20 * ms, 1000, us));
    start_all(room);
    room.run_until(70 * slice);
    EXPECT_EQ(room.broken(), "");
    EXPECT_LE(last_first_run(room, static_cast<std::size_t>(s) + 1), 20 * ms + 12 * slice);
}

TEST_P(Turns, ShortOnesStartedBesideThoseWhoYieldEveryFiveMillisecondsDoToo) {
    machine_room room(GetParam());
    for (unsigned i = 0; i != 2 * GetParam(); ++i) {
        script y = hog(5 * ms, false);
        y.steps[0].then = act::yield;
        y.repeats = true;
        room.add(std::move(y));
    }
    const int s = room.add(starter(20 * ms, 1000, us));
    start_all(room);
    room.run_until(100 * slice);
    EXPECT_EQ(room.broken(), "");
    EXPECT_LE(last_first_run(room, static_cast<std::size_t>(s) + 1),
              20 * ms + (tiny_limits ? 60 : 18) * slice);
}

TEST_P(Turns, EqualHogsGetEqualShares) {
    for (const unsigned hogs : {GetParam() + 1, 2 * GetParam() + 1}) {
        machine_room room(GetParam());
        for (unsigned i = 0; i != hogs; ++i) room.add(hog(1000 * slice));
        start_all(room);
        room.run_until(200 * slice);
        const auto fair = static_cast<double>(200 * slice) * GetParam() / hogs;
        for (unsigned i = 0; i != hogs; ++i) {
            const auto share = static_cast<double>(room[static_cast<int>(i)].ran) / fair;
            EXPECT_GT(share, 0.9) << hogs << " hogs, " << i;
            EXPECT_LT(share, 1.1) << hogs << " hogs, " << i;
        }
        EXPECT_EQ(room.broken(), "");
    }
}

// A pair that hands over and computes in between, as long as it likes.
void add_pair(machine_room& room, ns compute) {
    const int a = static_cast<int>(room.count());
    for (const int other : {a + 1, a}) {
        script s;
        s.steps = {{compute, act::wait, 0, other}};
        s.repeats = true;
        s.polite = false;
        room.add(std::move(s));
    }
}

TEST_P(Turns, APairThatHandsOverHasOneSliceTogether) {
    for (const ns compute : {80 * us / 1000, 100 * us, 200 * us, 1 * ms, 7 * ms}) {
        if (GetParam() > 8 && compute < us) continue;  // Too many steps.
        machine_room room(GetParam());
        for (unsigned i = 0; i != GetParam(); ++i) add_pair(room, compute);
        const std::size_t first = room.count();
        for (unsigned i = 0; i != 100 * GetParam(); ++i) room.add(hog(us));
        start_all(room);
        room.run_until(20 * slice);
        EXPECT_EQ(room.broken(), "") << compute;
        // One of 64 processors may have got several of those that compute for 7 ms, in front of a short one.
        const ns bound = GetParam() > 8 && compute > ms ? 15 * slice : 6 * slice;
        EXPECT_LE(last_first_run(room, first), bound) << compute;
    }
}

TEST_P(Turns, ALoopThatIsStickyAndThoseBesideItHaveHalfOfTheProcessorEach) {
    machine_room room(GetParam());
    for (unsigned i = 0; i != GetParam(); ++i) room.add(hog(1000 * slice, true, true));
    for (unsigned i = 0; i != GetParam(); ++i) add_pair(room, us);
    start_all(room);
    room.run_until(20 * slice);
    EXPECT_EQ(room.broken(), "");
    for (unsigned i = 0; i != GetParam(); ++i) {
        EXPECT_GE(room[static_cast<int>(i)].ran, 7 * slice) << "the loop";
    }
    ns pairs = 0;
    for (std::size_t i = GetParam(); i != room.count(); ++i) pairs += room[static_cast<int>(i)].ran;
    EXPECT_GE(pairs, 7 * slice * GetParam());
}

TEST_P(Turns, ThoseInTheRingKeepHalfWhateverArrives) {
    const unsigned callers = GetParam() > 8 ? 10 : 50;
    const ns time = (GetParam() > 8 ? 4 : 20) * slice;
    machine_room room(GetParam());
    for (unsigned i = 0; i != GetParam(); ++i) {
        script y = hog(5 * us);
        y.steps[0].then = act::yield;
        y.repeats = true;
        room.add(std::move(y));
    }
    for (unsigned i = 0; i != callers * GetParam(); ++i) {
        script caller;
        caller.steps = {{100 * us, act::blocking, us}};
        caller.repeats = true;
        room.add(std::move(caller));
    }
    start_all(room);
    room.run_until(time);
    ns ring = 0;
    for (unsigned i = 0; i != GetParam(); ++i) ring += room[static_cast<int>(i)].ran;
    EXPECT_GE(ring, time * 2 / 5 * GetParam());
    EXPECT_GE(time * GetParam() - ring, time * 2 / 5 * GetParam()) << "arrivals";
}

TEST_P(Turns, ThoseInTheRingKeepTheirsBesideTimersThatHandOver) {
    machine_room room(GetParam());
    for (unsigned i = 0; i != GetParam(); ++i) {
        script y = hog(50 * us);
        y.steps[0].then = act::yield;
        y.repeats = true;
        room.add(std::move(y));
    }
    for (unsigned i = 0; i != GetParam(); ++i) {
        const int me = static_cast<int>(room.count());
        script ticker;
        ticker.steps = {{us, act::sleep, 10 * us, me + 1}};
        ticker.repeats = true;
        room.add(std::move(ticker));
        script worker;
        worker.steps = {{50 * us, act::wait}};
        worker.repeats = true;
        room.add(std::move(worker));
    }
    start_all(room);
    room.run_until(20 * slice);
    EXPECT_EQ(room.broken(), "");
    ns ring = 0;
    for (unsigned i = 0; i != GetParam(); ++i) ring += room[static_cast<int>(i)].ran;
    EXPECT_GE(ring, 4 * slice * GetParam());
}

TEST_P(Turns, WhoHasMadeRoomLeavesArrivalsHalfAMillisecond) {
    machine_room room(GetParam());
    for (unsigned i = 0; i != GetParam(); ++i) room.add(hog(100 * slice));
    const std::size_t first = room.count();
    for (unsigned i = 0; i != 20 * GetParam(); ++i) room.add(hog(20 * us));
    start_all(room);
    room.run_until(2 * slice);
    EXPECT_EQ(room.broken(), "");
    // One after the other is asked to make room, the first of them after half a millisecond.
    EXPECT_LE(last_first_run(room, first), (GetParam() == 1 ? 1 : 20) * ms);
}

TEST(TurnsUnderOverload, ABurstIsServedInOrderOnceItIsOld) {
    machine_room room(1);
    const int burst = room.add(starter(us, 20'000, 50 * us));  // A second of work at once.
    start_all(room);
    room.run_until(200 * slice);
    EXPECT_EQ(room.broken(), "");
    std::size_t overtaken_most = 0;
    std::vector<ns> first;
    for (std::size_t i = static_cast<std::size_t>(burst) + 1; i != room.count(); ++i) {
        const ns at = room[static_cast<int>(i)].first_run;
        if (at >= 0) first.push_back(at);
    }
    for (std::size_t i = 0; i < first.size(); i += 37) {
        const auto n = std::count_if(first.begin() + static_cast<std::ptrdiff_t>(i), first.end(),
                                     [&](ns at) { return at < first[i]; });
        overtaken_most = std::max(overtaken_most, static_cast<std::size_t>(n));
    }
    // By what is done in 330 ms, before the first is overdue, and by what a run queue has then.
    EXPECT_LE(overtaken_most, 6600u + run_queue::capacity);
}

TEST(HalfOfTime, WhatRanAloneIsOwedToOthersThatCome) {
    half_of_time sticky;
    sticky.runs_alone(ms);
    EXPECT_FALSE(sticky.comes_first(true, 11 * ms));
    EXPECT_FALSE(sticky.comes_first(true, 21 * ms - 1));
    EXPECT_TRUE(sticky.comes_first(true, 21 * ms));
}

TEST(HalfOfTime, WhoHasMadeRoomHasMadeItForHalfAMillisecond) {
    half_of_time arrivals;
    arrivals.make_room(ms);
    EXPECT_TRUE(arrivals.comes_first(true, ms));
    EXPECT_TRUE(arrivals.comes_first(true, ms + least_run_ns - 1));
    EXPECT_FALSE(arrivals.comes_first(true, ms + least_run_ns));
}

TEST(HalfOfTime, RoomIsNotMadeBeforeOthersHaveHadTheirTime) {
    half_of_time arrivals;
    EXPECT_TRUE(arrivals.comes_first(true, ms));
    EXPECT_FALSE(arrivals.comes_first(true, 6 * ms));
    arrivals.make_room(7 * ms);
    EXPECT_FALSE(arrivals.comes_first(true, 7 * ms));
}

// One arrival, a sticky loop, and what a test puts into `next`.
struct scripted {
    coroutine* waiting = nullptr;
    coroutine* in_next = nullptr;
    coroutine* in_ring = nullptr;
    coroutine* loop = nullptr;
    bool ended = false;
    ns time = ms;

    [[nodiscard]] static std::uint64_t tick() { return 0; }
    [[nodiscard]] ns now() const { return time; }
    [[nodiscard]] bool has_arrivals() const { return waiting != nullptr; }
    coroutine* arrival() { return std::exchange(waiting, nullptr); }
    coroutine* own() { return std::exchange(in_next != nullptr ? in_next : in_ring, nullptr); }
    [[nodiscard]] const coroutine* next() const { return in_next; }
    void end_chain() {
        ended = true;
        in_ring = std::exchange(in_next, nullptr);
    }
    [[nodiscard]] bool has_sticky() const { return loop != nullptr; }
    [[nodiscard]] static bool has_overdue() { return false; }
    [[nodiscard]] coroutine* sticky() const { return loop; }
    static coroutine* overdue() { return nullptr; }
    static coroutine* shared(bool) { return nullptr; }
    static coroutine* expired() { return nullptr; }
    static coroutine* steal() { return nullptr; }
    [[nodiscard]] static bool timers() { return false; }
};

TEST(TurnsOfSticky, WhatRanOutOfTurnIsOwedToOthersThatCome) {
    turns policy;
    coroutine loop, other;
    scripted from;
    from.loop = &loop;
    EXPECT_EQ(policy.pick(from), &loop) << "its turn";
    from.time += slice;
    EXPECT_EQ(policy.pick(from), &loop) << "out of turn, for the others have nothing";
    from.time += slice;
    from.in_next = &other;
    EXPECT_EQ(policy.pick(from), &other);
}

TEST(TurnsOfArrivals, BringAlongWhatTheyMakeReadyWhileTheyHaveTime) {
    turns policy;
    coroutine a, b, c;
    scripted from;
    from.waiting = &a;
    EXPECT_EQ(policy.pick(from), &a);
    from.in_next = &b;
    from.time += us;
    EXPECT_EQ(policy.pick(from), &b);
    EXPECT_FALSE(from.ended);
    from.in_next = &c;
    from.time += look_interval_ns;
    EXPECT_EQ(policy.pick(from), &c);
    EXPECT_TRUE(from.ended) << "it has gone behind the ring";
}

TEST(TurnsOfArrivals, WhatWasInNextBeforeThemIsNotWhatTheyBring) {
    turns policy;
    coroutine a, pair;
    scripted from;
    from.waiting = &a;
    from.in_next = &pair;
    EXPECT_EQ(policy.pick(from), &a);
    from.time += 2 * look_interval_ns;
    EXPECT_EQ(policy.pick(from), &pair);
    EXPECT_FALSE(from.ended);
}

INSTANTIATE_TEST_SUITE_P(Processors, Turns, ::testing::Values(1u, 2u, 8u, 64u),
                         [](const auto& one) { return std::to_string(one.param); });

// A program of all kinds of coroutines.
void add_random(machine_room& room, random_source& random) {
    static constexpr ns units[] = {10, us, 20 * us, 300 * us, 2 * ms, 9 * ms};
    const auto some = [&] { return units[random.below(6)] * (1 + random.below(9)) / 5 + 1; };
    const std::uint32_t count = 2 + random.below(24);
    for (std::uint32_t i = 0; i != count; ++i) {
        const int me = static_cast<int>(room.count());
        script s;
        s.polite = random.below(4) != 0;
        switch (random.below(8)) {
        case 0:
            s = hog(slice / 2 + random.below(100) * ms);
            break;
        case 1:
            s = hog(slice / 2 + random.below(100) * ms, true, true);
            break;
        case 2:
        case 3:
            for (std::uint32_t n = 1 + random.below(20); n != 0; --n)
                s.steps.push_back({some(), act::yield});
            break;
        case 4:
            for (std::uint32_t n = 1 + random.below(20); n != 0; --n)
                s.steps.push_back(
                    {some(), random.below(2) == 0 ? act::sleep : act::blocking, some()});
            break;
        case 5:
            s.steps.push_back({some(), act::sleep, some()});
            s.steps.push_back({some(), act::end});
            s.steps.back().spawns = static_cast<int>(random.below(40));
            s.steps.back().spawn_compute = some();
            break;
        default: {
            // Both make the other ready as often as it waits.
            script other;
            const ns mine = some();
            const ns its = some();
            s.polite = other.polite = random.below(2) == 0;
            for (std::uint32_t n = 1 + random.below(30); n != 0; --n) {
                s.steps.push_back({mine, act::wait, 0, me + 1});
                other.steps.push_back({its, act::wait, 0, me});
            }
            s.steps.push_back({us, act::end, 0, me + 1});
            other.steps.push_back({us, act::end, 0, me});
            room.add(std::move(s));
            room.start_at(random.below(30) * ms, me);
            s = std::move(other);
            break;
        }
        }
        room.start_at(random.below(30) * ms, room.add(std::move(s)));
    }
}

TEST(TurnsOfRandomPrograms, NobodyWaitsLongerThanTheTableSays) {
    const std::uint64_t runs = weft::test::stress_rounds(10'000);
    std::size_t waits = 0;
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
        random_source random(seed);
        static constexpr unsigned processors[] = {1, 1, 1, 2, 2, 3, 8};
        machine_room room(seed % 64 == 0 ? 64 : processors[random.below(7)]);
        add_random(room, random);
        room.run_until(1000 * slice);
        waits += room.waits_checked();
        ASSERT_EQ(room.broken(), "") << "seed " << seed;
    }
    EXPECT_GT(waits, 50 * runs);
}

}  // namespace
}  // namespace weft::detail::model
