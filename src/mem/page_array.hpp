// An array on pages of its own that grows and shrinks without copying.
//
// It grows by doubling its reservation, and the kernel moves the page tables (mremap). It shrinks as its last elements
// go: once less than half of the reservation is used, a chunk of 64 KiB goes back, and the next one some elements
// later. So no single call takes time in proportion to the size, as a vector's does when it copies, or when it frees
// everything at once.
//
// Invariant: chunks go back only while the rest is at least twice what is used, so what follows next never has to grow.
#pragma once

#include "os/memory.hpp"

#include <cstddef>
#include <new>
#include <type_traits>

namespace weft::detail {

template <class T>
class page_array {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

public:
    page_array() = default;
    ~page_array() {
        if (data_ != nullptr) release_pages(data_, bytes_);
    }
    page_array(const page_array&) = delete;
    page_array& operator=(const page_array&) = delete;

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// The size of the reservation. Pages that nobody has touched cost nothing.
    [[nodiscard]] std::size_t reserved_bytes() const noexcept { return bytes_; }
    [[nodiscard]] T* data() noexcept { return data_; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_[i]; }
    [[nodiscard]] T& front() noexcept { return data_[0]; }
    [[nodiscard]] T& back() noexcept { return data_[size_ - 1]; }

    /// Throws std::bad_alloc, and then nothing has changed.
    void push_back(const T& value) {
        if (size_ == capacity_) [[unlikely]]
            grow();
        data_[size_++] = value;
    }
    void pop_back() noexcept {
        if (--size_ < shrinks_below_) [[unlikely]]
            shrink();
    }

private:
    static constexpr std::size_t least = page_size;
    static constexpr std::size_t chunk = std::size_t{64} * 1024;

    [[gnu::noinline]] void grow() {
        const std::size_t bytes = bytes_ == 0 ? least : 2 * bytes_;
        void* const at = bytes_ == 0 ? reserve_pages(bytes, page_size, "timers")
                                     : resize_pages(data_, bytes_, bytes);
        if (at == nullptr) throw std::bad_alloc();
        take(at, bytes);
    }

    [[gnu::noinline]] void shrink() noexcept {
        void* const at = resize_pages(data_, bytes_, bytes_ - chunk);
        if (at != nullptr) {
            take(at, bytes_ - chunk);
        } else {
            shrinks_below_ =
                0;  // The kernel has no place for one more mapping: the next growth sets it again.
        }
    }

    void take(void* at, std::size_t bytes) noexcept {
        data_ = static_cast<T*>(at);
        bytes_ = bytes;
        // NOLINTBEGIN(bugprone-sizeof-expression): T may be a pointer.
        capacity_ = bytes / sizeof(T);
        shrinks_below_ = bytes > 2 * chunk ? (bytes - chunk) / 2 / sizeof(T) : 0;
        // NOLINTEND(bugprone-sizeof-expression)
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    std::size_t shrinks_below_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace weft::detail
