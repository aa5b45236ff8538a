// A statistic with one writer and any number of readers.
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::detail {

/// Release and acquire, so that who sees one counter's new value sees what the writer had added to others before.
/// An increment is a plain load, add and store: no locked instruction, because only one thread at a
/// time writes it (the one that holds the processor it belongs to).
class counter {
public:
    void add(std::uint64_t n = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_release);
    }
    [[nodiscard]] std::uint64_t read() const noexcept {
        return value_.load(std::memory_order_acquire);
    }

private:
    std::atomic<std::uint64_t> value_{0};
};

}  // namespace weft::detail
