// One look of the monitor at everything, and when the next is due.
//
// It has no thread: the monitor's thread looks in real time, and a simulation of several processors in virtual time.
#pragma once

#include "os/clock.hpp"
#include "sched/processor.hpp"
#include "sched/standstill.hpp"
#include "sched/watched.hpp"

#include <algorithm>
#include <cstdint>

namespace weft::detail {

class watch {
public:
    watch();
    ~watch();
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;

    void look();

    /// Somebody works beside an idle processor.
    void look_sooner() noexcept { interval_ = look_least; }
    [[nodiscard]] bool is_lazy() const noexcept { return busy_ == 0; }

    /// The moment of the next look.
    [[nodiscard]] std::int64_t next() const noexcept {
        return std::min(now_ + interval_, std::max(due_, now_ + look_least));
    }
    [[nodiscard]] bool may_sleep_deep() const noexcept {
        return now_ - quiet_since_ >= deep_sleep_after_ && deep_sleep_until() > now_ + look_most;
    }
    /// Until when: `never` when no stacks want to be seen to, and nothing stands still.
    [[nodiscard]] std::int64_t deep_sleep_until() const noexcept {
        return std::min(next_trim_, standstill_.due());
    }
    /// Everything has changed.
    void begin_again() noexcept;
    /// Whether a processor that adds a timer should not trust in looking around by itself.
    [[nodiscard]] bool answers_for_timers() const noexcept { return had_hogs() && idle_ == 0; }

private:
    static constexpr std::int64_t look_least = 50'000;
    static constexpr std::int64_t look_most = 10'000'000;
    // How long everything must have been idle before it sleeps until a processor is taken into use: that wakes it, which costs
    // more than a few looks in vain if it has just gone to sleep. So a sleep that was long makes it go earlier, a short one later.
    static constexpr std::int64_t deep_sleep_soonest = 500'000;
    static constexpr std::int64_t deep_sleep_latest = 100'000'000;
    static constexpr std::int64_t deep_sleep_at_first = 20'000'000;
    // Hogs are expected back for so long.
    static constexpr std::int64_t hogs_remembered = 20'000'000;

    void look_at(processor& p, watched& w);
    bool look_at_call(processor& p, watched& w) noexcept;
    void look_at_queues(processor& p, watched& w) noexcept;
    void look_at_theft(const processor& p, watched& w) noexcept;
    void look_at_woken(processor& p, watched& w) noexcept;
    [[nodiscard]] std::int64_t next_arrival() noexcept;
    void look_at_arrivals() noexcept;
    void help_out(processor& p, watched& w, std::int64_t until);

    [[nodiscard]] bool had_hogs() const noexcept { return now_ - hogs_seen_at_ < hogs_remembered; }
    void due(std::int64_t when) noexcept { due_ = std::min(due_, when); }
    [[nodiscard]] std::int64_t most() const noexcept;

    const bool simulated_;  // Stacks, and threads that do not respond, are real ones' business.
    watched* const each_;
    standstill_watch standstill_;
    std::int64_t now_ = 0;
    std::int64_t due_ = never;
    std::int64_t interval_ = look_least;
    std::int64_t quiet_since_ = 0;
    std::int64_t deep_sleep_after_ =
        2 * deep_sleep_at_first;  // begin_again() halves it, first of all.
    std::int64_t last_trim_ = 0;
    std::int64_t next_trim_ = 0;  // When stacks want to be seen to again.
    std::int64_t hogs_seen_at_ = -hogs_remembered;
    watched* longest_ = nullptr;  // Of those that nobody has asked to yield.
    unsigned busy_ = 0;
    unsigned idle_ = 0;
    unsigned hogs_ = 0;
    unsigned calls_ = 0;
    std::int64_t last_turn_ = 0;
    bool turn_begins_ = false;
    bool waited_ = false;  // Something was in the queue of all while a processor was idle.
    bool seen_to_ = false;
};

}  // namespace weft::detail
