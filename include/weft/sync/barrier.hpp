// barrier: a number of participants wait for each other, again and again.
#pragma once

#include <weft/detail/guarded_word.hpp>
#include <weft/detail/operation.hpp>
#include <weft/detail/wait_list.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace weft::detail {

[[noreturn]] void throw_count();

/// The untyped part. See src/sync/barrier.cpp.
//
//     word    [ phase : 62 | waiters : 1 | guard : 1 ]        the rest under the guard
class barrier_core {
public:
    static constexpr std::int64_t most = INT64_MAX;
    using phase_number = std::uint64_t;

    constexpr explicit barrier_core(std::int64_t expected)
        : expected_(expected), missing_(expected) {
        if (expected < 0) throw_count();
    }

    /// True: that was the last; the caller runs the completion and then calls next_phase().
    [[nodiscard]] bool arrive(std::int64_t n, bool drop, phase_number& now);
    void next_phase() noexcept;
    void wait(phase_number arrived);
    /// True: the caller is the last, likewise. Else the phase is over.
    [[nodiscard]] bool arrive_and_wait();

private:
    using word = guarded_word::value;
    static constexpr word unit = 4;

    void wait_slow(phase_number arrived, bool arriving, bool& last);
    void wait_for_completion(phase_number arrived);

    guarded_word word_;
    wait_list queue_;  // Those who wait for the end of this phase.
    std::int64_t expected_;
    std::int64_t missing_;  // 0: the completion is running.
};

struct no_completion {
    void operator()() const noexcept {}
};

}  // namespace weft::detail

namespace weft {

/// std::barrier. The completion runs on the last to arrive, under no lock, and may wait. To wait is a cancellation
/// point. May be destroyed as soon as the last waiter has returned.
template <class CompletionFunction = detail::no_completion>
class barrier {
    static_assert(std::is_nothrow_invocable_v<CompletionFunction&>,
                  "weft::barrier: the completion must be noexcept, as that of std::barrier");

public:
    class arrival_token {
    public:
        arrival_token(arrival_token&&) noexcept = default;
        arrival_token& operator=(arrival_token&&) noexcept = default;

    private:
        friend class barrier;
        explicit arrival_token(detail::barrier_core::phase_number phase) noexcept : phase_(phase) {}
        detail::barrier_core::phase_number phase_;
    };

    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept {
        return detail::barrier_core::most;
    }

    /// std::logic_error when `expected` is negative.
    constexpr explicit barrier(std::ptrdiff_t expected,
                               CompletionFunction completion = CompletionFunction())
        : core_(expected), completion_(std::move(completion)) {}
    barrier(const barrier&) = delete;
    barrier& operator=(const barrier&) = delete;

    /// std::logic_error, and no effect, when `n` is not positive or more than is missing in this phase.
    [[nodiscard]] arrival_token arrive(std::ptrdiff_t n = 1) {
        detail::barrier_core::phase_number phase = 0;
        if (core_.arrive(n, false, phase)) complete();
        return arrival_token(phase);
    }
    /// When it throws `cancelled` the token is as it was, and may be waited for again.
    void wait(arrival_token&& token) const { core_.wait(token.phase_); }
    /// When it throws `cancelled` the caller has not arrived. To arrive in any case: arrive(), then wait().
    void arrive_and_wait() {
        if (core_.arrive_and_wait()) complete();
    }
    /// Arrives, and is expected in no later phase.
    void arrive_and_drop() {
        detail::barrier_core::phase_number phase = 0;
        if (core_.arrive(1, true, phase)) complete();
    }

private:
    void complete() {
        completion_();
        core_.next_phase();
    }

    mutable detail::barrier_core core_;
    [[no_unique_address]] CompletionFunction completion_;
};

}  // namespace weft
