// When the next round of trimming begins: a policy without a clock, for trim.cpp to ask.
//
// A round looks at every descriptor, which takes 60 ns each, so it must find something for that. The pause doubles after
// a round that was not worth it, up to 64 s, and is a second again after one that was, or once enough has happened since
// the last round. When nothing has run since the round before the last, rounds cost nobody anything, and follow each other
// every second until two have found nothing.
#pragma once

#include "os/clock.hpp"

#include <algorithm>
#include <cstdint>

namespace weft::detail {

/// The result of a round.
struct trim_findings {
    bool gave_back = false;    // Some memory.
    std::uint64_t looked = 0;  // At so many descriptors,
    std::uint64_t seen =
        0;  // and at so many where they are for the first time: to be trimmed by a later round.
};

class trim_pace {
public:
    static constexpr std::int64_t pause_least = 1'000'000'000;
    static constexpr std::int64_t pause_most = 64 * pause_least;
    /// A coroutine that ran shortly before a round began may have parked after it.
    static constexpr std::int64_t settled_after = 50'000'000;
    /// A round is worth its time if it finds one in so many.
    static constexpr std::uint64_t worth_one_in = 64;
    /// Coroutines that have parked or ended since the last round may be worth a look, so the next round comes early once they
    /// are one in so many.
    static constexpr std::uint64_t active_one_in = 16;
    /// A stack that became free since the last round is only known in the next to have lain unused, so one is not enough.
    static constexpr unsigned bare_rounds_enough = 2;

    /// `activity`: how often anybody has parked or ended so far.
    void begin(std::int64_t now, std::uint64_t activity) noexcept {
        previous_ = began_;
        began_ = now;
        activity_ = activity;
    }

    /// `active_at`: when something was last seen to run.
    void end(const trim_findings& found, std::int64_t active_at) noexcept {
        looked_ = found.looked;
        const bool bare = !found.gave_back && found.seen == 0;
        bare_rounds_ = bare && rested_at(began_, active_at) ? bare_rounds_ + 1 : 0;
        const bool worth_it =
            found.gave_back || (!bare && found.seen * worth_one_in >= found.looked);
        pause_ = worth_it ? pause_least : std::min(2 * pause_, pause_most);
    }

    /// When the next one begins; `never` if something must happen first.
    [[nodiscard]] std::int64_t next(std::int64_t active_at, std::uint64_t activity) const noexcept {
        if (bare_rounds_ >= bare_rounds_enough && rested_at(began_, active_at)) return never;
        const bool much = (activity - activity_) * active_one_in >= looked_;
        // Since the round before: between two rounds even a coroutine that wakes ten times a second seems to rest.
        const bool soon = much || rested_at(previous_, active_at);
        return began_ + (soon ? pause_least : pause_);
    }

private:
    // Whether everything had come to rest when the round of `began` began, and still was.
    [[nodiscard]] static bool rested_at(std::int64_t began, std::int64_t active_at) noexcept {
        return began - active_at > settled_after;
    }

    std::int64_t began_ = 0;
    std::int64_t previous_ = 0;  // When the round before that one began.
    std::int64_t pause_ = pause_least;
    std::uint64_t looked_ = 0;
    std::uint64_t activity_ = 0;
    unsigned bare_rounds_ =
        0;  // In a row that began after everything had come to rest, and found nothing.
};

}  // namespace weft::detail
