// Waiting until something has happened so many times: latch and wait_group.
#pragma once

#include <weft/detail/guarded_word.hpp>
#include <weft/detail/operation.hpp>
#include <weft/detail/wait_list.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

[[noreturn]] void throw_count();

enum class countdown_kind : bool { latch, wait_group };

/// See src/sync/countdown.cpp.
//
//     word    [ count : 62 | waiters : 1 | guard : 1 ]        waiters: then the count is not 0
class countdown {
public:
    static constexpr std::int64_t most = INT64_MAX >> 2;

    constexpr explicit countdown(std::int64_t count) : word_(initial(count)) {}

    /// Adds `n`, which may be negative.
    void add(std::int64_t n, countdown_kind kind) {
        operation_point();
        word w = word_.load();
        while ((w & guarded_word::guard) == 0) {
            const std::int64_t left = count_of(w) + n;
            if (n > most || n < -most || left < 0 || left > most ||
                (left == 0 && (w & guarded_word::waiters) != 0)) {
                break;
            }
            // release: whoever sees 0 in the end sees what everybody did before
            if (word_.change(w, w + static_cast<word>(n) * unit, std::memory_order_release)) return;
        }
        add_slow(n, kind);
    }
    void wait(countdown_kind kind) {
        cancellable_operation_point();
        if (!is_zero()) wait_slow(0, kind);
    }
    void arrive_and_wait(std::int64_t n, countdown_kind kind) {
        cancellable_operation_point();
        wait_slow(n, kind);
    }
    [[nodiscard]] bool is_zero() const noexcept {
        return count_of(word_.load(std::memory_order_acquire)) == 0;
    }

private:
    using word = guarded_word::value;
    static constexpr word unit = 4;

    static constexpr word initial(std::int64_t count) {
        if (count < 0 || count > most) throw_count();
        return static_cast<word>(count) * unit;
    }
    static constexpr std::int64_t count_of(word w) noexcept {
        return static_cast<std::int64_t>(w / unit);
    }
    void add_slow(std::int64_t n, countdown_kind kind);
    void wait_slow(std::int64_t arriving, countdown_kind kind);

    guarded_word word_;
    wait_list queue_;
};

}  // namespace weft::detail

namespace weft {

/// std::latch. To wait is a cancellation point. May be destroyed as soon as the last waiter has returned.
class latch {
public:
    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return detail::countdown::most; }

    constexpr explicit latch(std::ptrdiff_t expected) : core_(expected) {}
    latch(const latch&) = delete;
    latch& operator=(const latch&) = delete;

    /// std::logic_error, and no effect, when that is negative or more than is left.
    void count_down(std::ptrdiff_t n = 1) {
        if (n < 0) detail::throw_count();
        core_.add(-n, kind);
    }
    [[nodiscard]] bool try_wait() const noexcept { return core_.is_zero(); }
    void wait() const { core_.wait(kind); }
    /// When it throws `cancelled` nothing has been counted down. To count in any case: count_down(), then wait().
    void arrive_and_wait(std::ptrdiff_t n = 1) {
        if (n < 0) detail::throw_count();
        core_.arrive_and_wait(n, kind);
    }

private:
    static constexpr auto kind = detail::countdown_kind::latch;
    mutable detail::countdown core_;
};

/// Waits for a number of things to be done, a number that may grow: as Go's sync.WaitGroup. Whoever adds must do so
/// before a wait() that is to include it may return. May be destroyed as soon as the last waiter has returned, even
/// while the last done() is still returning.
class wait_group {
public:
    constexpr wait_group() noexcept : core_(0) {}
    constexpr explicit wait_group(std::ptrdiff_t n) : core_(n) {}
    wait_group(const wait_group&) = delete;
    wait_group& operator=(const wait_group&) = delete;

    /// std::logic_error, and no effect, when the count would be negative.
    void add(std::ptrdiff_t n = 1) { core_.add(n, kind); }
    void done() { core_.add(-1, kind); }
    /// A cancellation point.
    void wait() { core_.wait(kind); }
    [[nodiscard]] bool try_wait() const noexcept { return core_.is_zero(); }

private:
    static constexpr auto kind = detail::countdown_kind::wait_group;
    detail::countdown core_;
};

}  // namespace weft
