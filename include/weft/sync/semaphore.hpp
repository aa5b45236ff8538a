// counting_semaphore and binary_semaphore.
#pragma once

#include <weft/clock.hpp>
#include <weft/detail/guarded_word.hpp>
#include <weft/detail/operation.hpp>
#include <weft/detail/timed.hpp>
#include <weft/detail/wait_list.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

[[noreturn]] void throw_semaphore_count();

/// See src/sync/semaphore.cpp.
//
//     word    [ permits : 62 | waiters : 1 | guard : 1 ]      waiters: then there are no permits
class semaphore_core {
public:
    static constexpr std::int64_t most = INT64_MAX >> 2;

    constexpr semaphore_core(std::int64_t permits, std::int64_t max)
        : word_(initial(permits, max)) {}

    void acquire() {
        cancellable_operation_point();
        if (!take()) [[unlikely]]
            (void)acquire_slow(no_deadline);
    }
    bool try_acquire() {
        operation_point();
        return take() || try_acquire_slow();
    }
    bool acquire_until(clock::time_point deadline) {
        cancellable_operation_point();
        return take() || acquire_slow(deadline);
    }
    void release(std::int64_t n, std::int64_t max) {
        operation_point();
        word w = word_.load();
        while ((w & flags) == 0 && n >= 0 && n <= max - static_cast<std::int64_t>(w / permit)) {
            // release: whoever has the permit sees what was done before
            if (word_.change(w, w + static_cast<word>(n) * permit, std::memory_order_release))
                return;
        }
        release_slow(n, max);
    }

private:
    using word = guarded_word::value;
    static constexpr word permit = 4;
    static constexpr word flags = permit - 1;

    static constexpr word initial(std::int64_t permits, std::int64_t max) {
        if (permits < 0 || permits > max) throw_semaphore_count();
        return static_cast<word>(permits) * permit;
    }
    bool take() noexcept {
        word w = word_.load();
        while (w >= permit && (w & flags) == 0) {
            if (word_.change(w, w - permit, std::memory_order_acquire)) return true;
        }
        return false;
    }
    bool try_acquire_slow() noexcept;
    bool acquire_slow(clock::time_point deadline);
    void release_slow(std::int64_t n, std::int64_t max);

    guarded_word word_;
    wait_list queue_;
};

}  // namespace weft::detail

namespace weft {

/// std::counting_semaphore. Permits are handed over in the order in which they were waited for; none can be
/// taken past somebody who waits. To acquire is a cancellation point. May be destroyed as soon as the last waiter has
/// returned.
template <std::ptrdiff_t LeastMaxValue = detail::semaphore_core::most>
class counting_semaphore {
    static_assert(LeastMaxValue >= 0 && LeastMaxValue <= detail::semaphore_core::most);

public:
    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return LeastMaxValue; }

    /// std::logic_error when `permits` is negative or more than max().
    constexpr explicit counting_semaphore(std::ptrdiff_t permits) : core_(permits, max()) {}
    counting_semaphore(const counting_semaphore&) = delete;
    counting_semaphore& operator=(const counting_semaphore&) = delete;

    void acquire() { core_.acquire(); }
    /// Fails only when there is no permit.
    [[nodiscard]] bool try_acquire() { return core_.try_acquire(); }

    template <class Rep, class Period>
    [[nodiscard]] bool try_acquire_for(const std::chrono::duration<Rep, Period>& d) {
        return detail::attempt_for(
            d, [this](clock::time_point until) { return core_.acquire_until(until); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_acquire_until(const std::chrono::time_point<Clock, Duration>& when) {
        return detail::attempt_until(
            when, [this](clock::time_point until) { return core_.acquire_until(until); });
    }

    /// std::logic_error, and no effect, when `n` is negative or there would be more than max() permits.
    void release(std::ptrdiff_t n = 1) { core_.release(n, max()); }

private:
    detail::semaphore_core core_;
};

using binary_semaphore = counting_semaphore<1>;

}  // namespace weft
