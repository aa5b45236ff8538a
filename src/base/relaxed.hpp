// A field with one writer at a time, which hands over in a way that ThreadSanitizer does not see.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

namespace weft::detail {

/// Reads and writes are plain instructions; the type only says, to readers and to ThreadSanitizer, that
/// they are ordered by something else. Used for what belongs to a processor or a machine: coroutines
/// that follow each other on it are ordered by the thread they share, but to the sanitizer, which is told
/// of no edge at a switch (it would hide the races of user code), they are threads of their own.
template <class T>
class relaxed {
public:
    constexpr relaxed() noexcept = default;
    constexpr relaxed(T value) noexcept : value_(value) {}
    relaxed(const relaxed&) = delete;
    relaxed& operator=(const relaxed&) = delete;

    operator T() const noexcept { return value_.load(std::memory_order_relaxed); }
    T operator->() const noexcept { return value_.load(std::memory_order_relaxed); }
    T get() const noexcept { return value_.load(std::memory_order_relaxed); }
    T operator=(T value) noexcept {
        value_.store(value, std::memory_order_relaxed);
        return value;
    }

private:
    std::atomic<T> value_{};
};

/// A stack of at most N things that belongs to a processor.
template <class T, std::size_t N>
class owner_cache {
public:
    static constexpr std::size_t capacity = N;
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] bool full() const noexcept { return size_ == N; }
    void push(T value) noexcept {
        const std::size_t n = size_;
        slots_[n] = value;
        size_ = n + 1;
    }
    T pop() noexcept {
        const std::size_t n = size_ - 1;
        size_ = n;
        return slots_[n];
    }

private:
    relaxed<std::size_t> size_{0};
    std::array<relaxed<T>, N> slots_{};
};

}  // namespace weft::detail
