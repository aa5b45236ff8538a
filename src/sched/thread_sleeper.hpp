// A foreign thread that waits: the sleeper's word doubles as a futex.
#pragma once

#include "sched/sleeper.hpp"

#include <cstdint>

namespace weft::detail {

class thread_sleeper : public sleeper {
public:
    constexpr thread_sleeper() noexcept : sleeper(true) {}

    /// Sleeps until the wait that `t` names has ended; ends it itself when the time has passed.
    wake_reason sleep(const ticket& t, std::int64_t deadline_ns) noexcept;

    /// Only the address of `who` is used: it may be gone, once its wait has ended.
    static void wake(sleeper& who) noexcept;

    /// Of a wait that was claimed to hand something over, once that is done.
    static void hand_over(const ticket& t) noexcept;
};

/// The calling thread's.
[[nodiscard]] thread_sleeper& this_thread_sleeper() noexcept;

}  // namespace weft::detail
