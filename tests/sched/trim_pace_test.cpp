// When rounds of trimming begin: they back off where they find nothing, and come back when something happens.
#include "sched/trim_pace.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace weft::detail {
namespace {

constexpr std::int64_t second = trim_pace::pause_least;

class TrimPace : public ::testing::Test {
protected:
    // A round now, and the time goes on to the next. Something runs all the time, unless `at_rest`.
    std::int64_t round(const trim_findings& found) {
        pace.begin(now, activity);
        pace.end(found, active_at());
        const std::int64_t pause = pace.next(active_at(), activity) - now;
        now += pause;
        return pause;
    }
    // Rounds until none is due any more; how many.
    int rounds_at_rest(const trim_findings& first) {
        at_rest = true;
        rested_at = now;
        now += second;
        pace.begin(now, activity);
        pace.end(first, rested_at);
        int rounds = 1;
        for (; pace.next(rested_at, activity) != never; ++rounds) {
            now = pace.next(rested_at, activity);
            pace.begin(now, activity);
            pace.end({.looked = many}, rested_at);
        }
        return rounds;
    }
    [[nodiscard]] std::int64_t active_at() const { return at_rest ? rested_at : now; }

    static constexpr std::uint64_t many = 300'000;
    trim_pace pace;
    std::int64_t now = 1000 * second;
    std::int64_t rested_at = 0;
    bool at_rest = false;
    std::uint64_t activity = 0;
};

TEST_F(TrimPace, ARoundIsDueAtFirst) { EXPECT_LE(pace.next(now, 0), now); }

TEST_F(TrimPace, APauseDoublesWhileNothingIsFoundUpToAMinute) {
    std::int64_t last = second;
    for (int i = 0; i != 6; ++i) {
        const std::int64_t pause = round({.looked = many});
        EXPECT_EQ(pause, 2 * last);
        last = pause;
    }
    for (int i = 0; i != 6; ++i) EXPECT_EQ(round({.looked = many}), trim_pace::pause_most);
}

// The one that wakes ten times a second is in a new place at each look, and rests when a round begins.
TEST_F(TrimPace, AFewAmongManyDoNotKeepRoundsGoing) {
    std::uint64_t looked = 0;
    for (const std::int64_t end = now + 600 * second; now < end;) {
        activity += 640;
        looked += many;
        pace.begin(now, activity);
        pace.end({.looked = many, .seen = 1}, now - second / 12);
        now = pace.next(now - second / 12, activity);
    }
    EXPECT_LE(looked, 16 * many) << "in ten minutes";
}

TEST_F(TrimPace, AFindMakesRoundsFrequentAgain) {
    for (int i = 0; i != 10; ++i) round({.looked = many});
    EXPECT_EQ(round({.gave_back = true, .looked = many}), second);
    for (int i = 0; i != 10; ++i) round({.looked = many});
    EXPECT_EQ(round({.looked = many, .seen = many / trim_pace::worth_one_in + 1}), second);
}

TEST_F(TrimPace, MuchActivityBringsTheNextRoundForward) {
    for (int i = 0; i != 10; ++i) round({.looked = many});
    const std::int64_t began = now;
    pace.begin(now, activity);
    pace.end({.looked = many}, now);
    now += second / 2;
    EXPECT_EQ(pace.next(now, activity + many / 100), began + trim_pace::pause_most);
    EXPECT_EQ(pace.next(now, activity + many / 10), began + second);
}

TEST_F(TrimPace, AtRestTwoRoundsThatFindNothingAreEnough) {
    EXPECT_EQ(rounds_at_rest({.looked = many}), 2);
    EXPECT_EQ(rounds_at_rest({.gave_back = true, .looked = many}), 3);
    EXPECT_EQ(rounds_at_rest({.looked = many, .seen = 1}), 3) << "one is still to be trimmed";
}

TEST_F(TrimPace, AtRestAPauseThatHasGrownDoesNotCount) {
    for (int i = 0; i != 10; ++i) round({.looked = many});
    const std::int64_t began = now;
    rounds_at_rest({.gave_back = true, .looked = many});
    EXPECT_LE(now - began, 4 * second);
}

TEST_F(TrimPace, ThereAreRoundsAgainOnceSomethingRuns) {
    rounds_at_rest({.looked = many});
    now += 100 * second;
    at_rest = false;
    EXPECT_LE(pace.next(now, activity + 1), now);
}

}  // namespace
}  // namespace weft::detail
