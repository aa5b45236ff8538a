// Small values in order, taken and put at both ends: a ring, twice as large whenever it is full.
#pragma once

#include "base/off_heap.hpp"

#include <cstddef>
#include <type_traits>

namespace weft::detail {

/// Not synchronised. Owns its memory, which release() gives back; nothing that a value points to.
template <class T>
class value_deque {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    constexpr value_deque() noexcept = default;
    value_deque(const value_deque&) = delete;
    value_deque& operator=(const value_deque&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return tail_ - head_; }
    [[nodiscard]] bool empty() const noexcept { return tail_ == head_; }

    /// False, and nothing has happened, when memory ends.
    [[nodiscard]] bool push_back(T element) noexcept {
        if (size() == capacity_ && !grow()) return false;
        at(tail_++) = element;
        return true;
    }
    [[nodiscard]] bool push_front(T element) noexcept {
        if (size() == capacity_ && !grow()) return false;
        at(--head_) = element;
        return true;
    }
    /// Not of an empty one.
    [[nodiscard]] T pop_front() noexcept { return at(head_++); }
    [[nodiscard]] T pop_back() noexcept { return at(--tail_); }
    [[nodiscard]] const T& front() noexcept { return at(head_); }

    void release() noexcept {
        off_heap_free(slots_);
        slots_ = nullptr;
        capacity_ = head_ = tail_ = 0;
    }

private:
    // Indexes run on, in either direction; the capacity is a power of two, so they wrap alike.
    T& at(std::size_t index) noexcept { return slots_[index & (capacity_ - 1)]; }

    bool grow() noexcept {
        const std::size_t wider = capacity_ == 0 ? 1024 : capacity_ * 2;
        T* slots = nullptr;
        try {
            // NOLINTNEXTLINE(bugprone-sizeof-expression): T may be a pointer.
            slots = static_cast<T*>(off_heap_allocate(wider * sizeof(T), alignof(T)));
        } catch (...) {
            return false;
        }
        for (std::size_t i = head_; i != tail_; ++i) slots[i & (wider - 1)] = at(i);
        off_heap_free(slots_);
        slots_ = slots;
        capacity_ = wider;
        return true;
    }

    T* slots_ = nullptr;
    std::size_t capacity_ = 0;  // A power of two, or 0.
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
};

}  // namespace weft::detail
