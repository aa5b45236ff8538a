// How long the collector has interrupted whoever runs: each answer to one of its requests.
#pragma once

#include "os/clock.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace weft::detail {

class pause_counter {
public:
    static constexpr std::size_t buckets = 40;

    // Relaxed: statistics. In signal handlers too.
    void add(std::int64_t ns) noexcept {
        const auto took = static_cast<std::uint64_t>(ns < 0 ? 0 : ns);
        count_.fetch_add(1, std::memory_order_relaxed);
        total_.fetch_add(took, std::memory_order_relaxed);
        std::uint64_t most = max_.load(std::memory_order_relaxed);
        while (took > most && !max_.compare_exchange_weak(most, took, std::memory_order_relaxed)) {}
        const auto log2 = static_cast<std::size_t>(std::bit_width(took | 1) - 1);
        constexpr std::size_t last = buckets - 1;
        histogram_[log2 < last ? log2 : last].fetch_add(1, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t count() const noexcept {
        return count_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t total() const noexcept {
        return total_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t max() const noexcept {
        return max_.load(std::memory_order_relaxed);
    }
    /// Of 2^i to 2^(i+1) ns; the first and the last have also what is below and above.
    [[nodiscard]] std::uint64_t of_bucket(std::size_t i) const noexcept {
        return histogram_[i].load(std::memory_order_relaxed);
    }

private:
    std::atomic<std::uint64_t> count_{0};
    std::atomic<std::uint64_t> total_{0};
    std::atomic<std::uint64_t> max_{0};
    std::array<std::atomic<std::uint64_t>, buckets> histogram_{};
};
extern pause_counter pauses;

/// Adds the time for which it lives.
class pause_section {
public:
    pause_section() noexcept = default;
    ~pause_section() { pauses.add(monotonic_ns() - began_); }
    pause_section(const pause_section&) = delete;
    pause_section& operator=(const pause_section&) = delete;

private:
    const std::int64_t began_ = monotonic_ns();
};

}  // namespace weft::detail
